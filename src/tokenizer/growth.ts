// How much longer the steps of a tokenizer may make a text. A few steps that each double it make more
// than any memory holds, so an untrusted tokenizer.json is stopped by a bound.

import {EngineError} from '../errors.js';

/** UTF-16 units that a text may become, for each that it has; the most known is 18, by NFKD. */
const mostPerUnit = 64;
/** And for every text. */
const mostAdded = 4096;

export class Growth {
	readonly #where: string;
	#length = 0;
	#left = 0;

	/** `where` begins the message of a text that grew too much. */
	constructor(where: string) {
		this.#where = where;
	}

	/** Starts to count for a text of this length. */
	begin(length: number): void {
		this.#length = length;
		this.#left = length * mostPerUnit + mostAdded;
	}

	/** Counts what a step adds. */
	add(units: number): void {
		this.#left -= units;
		if (this.#left >= 0) return;
		const most = this.#length * mostPerUnit + mostAdded;
		throw new EngineError(
			'TOKENIZER_INVALID',
			`${this.#where}: expected at most ${most} characters from a text of ${this.#length}, ` +
				'got more; its steps make texts longer and longer',
		);
	}
}
