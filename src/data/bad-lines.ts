// Lines that are no records, of all files: counted, the first ones quoted, told in one error.

import {EngineError} from '../errors.js';

/** How many bad lines an error quotes. */
const quotedLines = 5;

export class BadLines {
	count = 0;
	readonly #quoted: string[] = [];

	push(message: string): void {
		this.count++;
		if (this.#quoted.length < quotedLines) this.#quoted.push(message.replaceAll('\n', ' '));
	}

	/** What a reading gives; a refusal is a bad line, and gives nothing. */
	collect<T>(read: () => T): T | undefined {
		try {
			return read();
		} catch (error) {
			if (!(error instanceof EngineError)) throw error;
			this.push(error.message);
			return;
		}
	}

	/** One error for all of them, if there are any. */
	throwIfAny(): void {
		const [first, ...others] = this.#quoted;
		if (first === undefined) return;
		const list =
			others.length === 0 ? '' : `; ${this.count} bad lines in all, also ${others.join('; ')}`;
		throw new EngineError('DATA_ROW', first + list);
	}
}
