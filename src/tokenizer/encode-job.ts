// One call of encode: the texts still to be posted, the parts that came back, and the whole at the end.

import {setImmediate} from 'node:timers/promises';
import type {EncodedTexts, EncodeSettings} from './encoder.js';
import type {Preparation} from './prepared-text.js';

const mostTexts = 256;
/** UTF-16 units of a message, or of a part of a longer text: posting copies them, 256 KB in about 0.3 ms. */
export const mostUnits = 1 << 18;
/** Ids copied between two turns of the event loop: under a millisecond. */
const copiedAtOnce = 1 << 18;

/** The texts of one message and the place of their ids among the parts. */
export interface JobMessage {
	readonly texts: readonly string[];
	readonly preparation: Preparation;
	readonly place: number;
}

export class EncodeJob {
	readonly settings: EncodeSettings;
	readonly result: Promise<EncodedTexts>;
	readonly #preparation: Preparation;
	#texts: readonly string[];
	readonly #count: number;
	#posted = 0;
	#parts: (EncodedTexts | undefined)[] = [];
	#missing = 0;
	#resolve!: (encoded: EncodedTexts | Promise<EncodedTexts>) => void;
	#reject!: (reason: unknown) => void;

	constructor(texts: readonly string[], settings: EncodeSettings, preparation: Preparation) {
		this.#texts = texts;
		this.#preparation = preparation;
		this.#count = texts.length;
		this.settings = settings;
		this.result = new Promise((resolve, reject) => {
			this.#resolve = resolve;
			this.#reject = reject;
		});
	}

	get hasMore(): boolean {
		return this.#posted < this.#texts.length;
	}

	next(): JobMessage {
		const begin = this.#posted;
		const most = Math.min(this.#texts.length, begin + mostTexts);
		let units = this.#units(begin);
		let end = Math.min(begin + 1, most);
		while (end < most && units + this.#units(end) <= mostUnits) units += this.#units(end++);
		this.#posted = end;
		this.#missing++;
		return {
			texts: this.#texts.slice(begin, end),
			preparation: this.#preparationOf(begin, end),
			place: this.#parts.push(undefined) - 1,
		};
	}

	/** What is copied for a text; a prompt for all is in each message once. */
	#units(text: number): number {
		const {prompts} = this.#preparation;
		const prompt = typeof prompts === 'string' ? '' : prompts[text];
		return (this.#texts[text]?.length ?? 0) + (prompt?.length ?? 0);
	}

	#preparationOf(begin: number, end: number): Preparation {
		const {prompts, lowerCase} = this.#preparation;
		return {prompts: typeof prompts === 'string' ? prompts : prompts.slice(begin, end), lowerCase};
	}

	receive(place: number, encoded: EncodedTexts): void {
		if (this.#missing === 0) return;
		this.#parts[place] = encoded;
		this.#missing--;
		if (this.#missing > 0 || this.hasMore) return;
		this.#resolve(join(this.#parts as EncodedTexts[], this.#count));
		this.#forget();
	}

	/** Rejects the call and lets go of its texts; parts that still come are dropped. */
	fail(reason: unknown): void {
		this.#reject(reason);
		this.#forget();
	}

	#forget(): void {
		this.#texts = [];
		this.#parts = [];
		this.#missing = 0;
	}
}

async function join(parts: readonly EncodedTexts[], count: number): Promise<EncodedTexts> {
	const [only] = parts;
	if (only !== undefined && parts.length === 1) return only;
	const length = parts.reduce((sum, part) => sum + part.ids.length, 0);
	const ids = new Int32Array(length);
	const offsets = new Int32Array(count + 1);
	const truncated = new Uint8Array(count);
	let text = 0;
	let filled = 0;
	let copied = 0;
	for (const part of parts) {
		await copy(part.ids, ids.subarray(filled));
		truncated.set(part.truncated, text);
		for (let n = 1; n < part.offsets.length; n++) offsets[text + n] = filled + part.offsets[n]!;
		text += part.truncated.length;
		filled += part.ids.length;
		copied += part.ids.length + part.offsets.length;
		if (copied < copiedAtOnce) continue;
		copied = 0;
		await setImmediate();
	}
	return {ids, offsets, truncated};
}

async function copy(from: Int32Array, to: Int32Array): Promise<void> {
	for (let begin = 0; begin < from.length; begin += copiedAtOnce) {
		if (begin > 0) await setImmediate();
		to.set(from.subarray(begin, begin + copiedAtOnce), begin);
	}
}
