// Texts to embeddings: each distinct text once, tokenized in windows while the device computes, packed
// into chunks of a token budget. The order of the texts is kept, so results land where they belong.

import {EngineError, kindOf} from '../errors.js';
import {type Canceller, type NativeModel, native, type PackedBatch} from '../native.js';
import {giveTurn} from '../pace.js';
import type {Tokenizer} from '../tokenizer/tokenizer.js';
import type {TruncationSide} from './folder.js';

/** What encoding needs of a model. */
export type Encoding = {
	core: NativeModel;
	/** The number of the tower that encodes. */
	tower: number;
	tokenizer: Tokenizer;
	lowerCase: boolean;
	/** Whether texts get the tokens that the tokenizer puts around them. */
	addSpecialTokens: boolean;
};

export type EncodeSettings = {
	/** Columns of the result. */
	dimensions: number;
	normalize: boolean;
	maxLength: number;
	truncationSide: TruncationSide;
	/** Put before each text, or around it. */
	prompt: string;
	/** Leading tokens of each text that pooling leaves out. */
	skip: number;
	batchTokens: number;
	signal?: AbortSignal | undefined;
	onProgress?: ((progress: Progress) => void) | undefined;
};

export type Progress = {
	/** Distinct texts done, and of how many. */
	done: number;
	total: number;
	tokens: number;
};

export type Encoded = {
	/** rows × width, row after row. */
	data: Float32Array;
	rows: number;
	width: number;
	/** Tokens of each text as computed. */
	tokens: Int32Array;
	/** Texts that were cut. */
	truncated: number;
};

const windowTexts = 4096;
const windowCharacters = 2 ** 21;
/** Of the first window, so that the device begins soon; each may have twice the texts of the one before. */
const firstTexts = 512;
/** Chunks that wait for the device or are computed: a card has one ready while results of another come back. */
export const underWay = 3;

export async function encodeTexts(
	model: Encoding,
	texts: readonly string[],
	settings: EncodeSettings,
): Promise<Encoded> {
	const {dimensions, signal} = settings;
	const {distinct, place} = await distinctOf(texts, signal);
	const data = new Float32Array(texts.length * dimensions);
	const run = new EncodeRun(model, settings, {data, total: distinct.length});
	await run.all(distinct);
	if (run.broken >= 0) throw notFinite(place.indexOf(run.broken));
	if (distinct.length < place.length) await spread(data, dimensions, place);
	return {data, rows: texts.length, width: dimensions, ...(await countsOf(run, place))};
}

/** Of a vector that is not finite. */
export function notFinite(text: number): EngineError {
	return new EngineError(
		'VECTOR_NOT_FINITE',
		`texts[${text}]: expected a vector of finite numbers, got NaN or infinity; ` +
			'the numbers of the model are too large for its type',
	);
}

/** The distinct texts in the order of their first places, and for each text the place of its like. */
async function distinctOf(
	texts: readonly string[],
	signal?: AbortSignal,
): Promise<{distinct: string[]; place: Int32Array}> {
	const places = new Map<string, number>();
	const place = new Int32Array(texts.length);
	const distinct: string[] = [];
	for (let n = 0; n < texts.length; n++) {
		const text = texts[n];
		if (typeof text !== 'string') {
			throw new EngineError('OPTION_TYPE', `texts[${n}]: expected a string, got ${kindOf(text)}`);
		}
		let at = places.get(text);
		if (at === undefined) {
			at = distinct.push(text) - 1;
			places.set(text, at);
		}
		place[n] = at;
		if (n % 256 === 0) await giveTurn(signal);
	}
	return {distinct, place};
}

/** Copies rows of distinct texts to where their texts stand; from the end, since none moves forward. */
async function spread(data: Float32Array, width: number, place: Int32Array): Promise<void> {
	for (let n = place.length - 1; n >= 0; n--) {
		const from = place[n]! * width;
		data.copyWithin(n * width, from, from + width);
		if (n % 64 === 0) await giveTurn();
	}
}

/** Tokens of every text and how many were cut, from those of the distinct ones. */
async function countsOf(
	run: EncodeRun,
	place: Int32Array,
): Promise<Pick<Encoded, 'tokens' | 'truncated'>> {
	const tokens = new Int32Array(place.length);
	let truncated = 0;
	for (let n = 0; n < place.length; n++) {
		tokens[n] = run.tokens[place[n]!]!;
		truncated += run.truncated[place[n]!]!;
		if (n % 4096 === 0) await giveTurn();
	}
	return {tokens, truncated};
}

/** One call on its way: windows of texts become ids while the chunks before them are computed. */
class EncodeRun {
	readonly tokens: Int32Array;
	readonly truncated: Uint8Array;
	/** The first text whose vector is not finite, or -1. */
	broken = -1;
	readonly #model: Encoding;
	readonly #settings: EncodeSettings;
	readonly #data: Float32Array;
	readonly #total: number;
	readonly #canceller: Canceller;
	readonly #pending = new Set<Promise<void>>();
	#failure: {error: unknown} | undefined;
	#done = 0;
	#tokensDone = 0;

	constructor(
		model: Encoding,
		settings: EncodeSettings,
		result: {data: Float32Array; total: number},
	) {
		this.#model = model;
		this.#settings = settings;
		this.#data = result.data;
		this.#total = result.total;
		this.tokens = new Int32Array(result.total);
		this.truncated = new Uint8Array(result.total);
		this.#canceller = new (native().Canceller)();
	}

	async all(texts: readonly string[]): Promise<void> {
		const {signal} = this.#settings;
		const stop = () => this.#canceller.cancel();
		signal?.throwIfAborted();
		signal?.addEventListener('abort', stop, {once: true});
		try {
			await this.#windows(texts);
		} catch (error) {
			this.#failure ??= {error};
			stop();
		}
		await Promise.allSettled([...this.#pending]);
		signal?.removeEventListener('abort', stop);
		signal?.throwIfAborted();
		if (this.#failure) throw this.#failure.error;
	}

	/** The next window is tokenized while the chunks of this one are handed out. */
	async #windows(texts: readonly string[]): Promise<void> {
		let next = this.#windowAt(texts, 0, firstTexts);
		while (next) {
			const {first, count, encoding} = next;
			const encoded = await encoding;
			next = this.#windowAt(texts, first + count, 2 * count);
			for (const [n, isCut] of encoded.truncated.entries()) this.truncated[first + n] = isCut;
			await this.#chunks(first, encoded.ids, encoded.offsets);
		}
	}

	#windowAt(texts: readonly string[], first: number, most: number) {
		if (first === texts.length) return undefined;
		const window = windowFrom(texts, first, Math.min(most, windowTexts));
		const encoding = this.#tokenize(window);
		encoding.catch(() => undefined); // nobody awaits it when a chunk has failed before
		return {first, count: window.length, encoding};
	}

	#tokenize(window: readonly string[]) {
		const {prompt, maxLength, truncationSide, signal} = this.#settings;
		const {lowerCase, addSpecialTokens, tokenizer} = this.#model;
		const asked = {maxLength, truncationSide, addSpecialTokens, prompts: prompt, lowerCase, signal};
		return tokenizer.encode(window, asked);
	}

	/** Cuts a window into chunks of the token budget and hands them to the device. */
	async #chunks(first: number, ids: Int32Array, offsets: Int32Array): Promise<void> {
		const count = offsets.length - 1;
		const {skip} = this.#settings;
		for (let begin = 0; begin < count; ) {
			let end = begin + 1;
			const budget = offsets[begin]! + this.#settings.batchTokens;
			while (end < count && offsets[end + 1]! <= budget) end++;
			for (let n = begin; n < end; n++) this.tokens[first + n] = offsets[n + 1]! - offsets[n]!;
			await this.#room();
			const start = offsets[begin]!;
			this.#send(first + begin, {
				ids: ids.subarray(start, offsets[end]),
				offsets: offsets.slice(begin, end + 1).map(offset => offset - start),
				...(skip > 0 && {skip: new Int32Array(end - begin).fill(skip)}),
			});
			begin = end;
		}
	}

	async #room(): Promise<void> {
		while (this.#pending.size >= underWay) await Promise.race(this.#pending);
		if (this.#failure) throw this.#failure.error;
	}

	#send(row: number, batch: PackedBatch): void {
		const {dimensions, normalize, onProgress} = this.#settings;
		const rows = batch.offsets.length - 1;
		const out = this.#data.subarray(row * dimensions, (row + rows) * dimensions);
		const {core, tower} = this.#model;
		const work = core
			.encode(batch, {dimensions, normalize, tower}, out, this.#canceller)
			.then(broken => {
				if (broken >= 0 && this.broken < 0) this.broken = row + broken;
				this.#done += rows;
				this.#tokensDone += batch.ids.length;
				onProgress?.({done: this.#done, total: this.#total, tokens: this.#tokensDone});
			})
			.catch(error => {
				this.#failure ??= {error};
			})
			.finally(() => this.#pending.delete(work));
		this.#pending.add(work);
	}
}

/** Texts from here on that are tokenized in one go. */
export function windowFrom(
	texts: readonly string[],
	first: number,
	most = windowTexts,
): readonly string[] {
	let end = first;
	let characters = 0;
	while (end < texts.length && end - first < most && characters < windowCharacters) {
		characters += texts[end++]!.length;
	}
	return texts.slice(first, end);
}
