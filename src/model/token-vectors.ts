// Texts to the vectors of their tokens, for late interaction: rows of all tokens end to end, and where
// those of each text begin.

import {EngineError, kindOf} from '../errors.js';
import {type Canceller, cancellable} from '../native.js';
import {giveTurn} from '../pace.js';
import {type Encoding, notFinite, underWay, windowFrom} from './encode.js';
import type {TruncationSide} from './folder.js';

export type TokenSettings = {
	dimensions: number;
	normalize: boolean;
	maxLength: number;
	truncationSide: TruncationSide;
	prompt: string;
	batchTokens: number;
	signal?: AbortSignal | undefined;
	onProgress?: ((progress: {done: number; total: number; tokens: number}) => void) | undefined;
};

/** Rows offsets[n] to offsets[n + 1] are those of text n. */
export type TokenVectors = {
	/** rows × width, row after row. */
	data: Float32Array;
	/** Texts + 1. */
	offsets: Int32Array;
	/** Tokens of all texts, special ones included. */
	rows: number;
	width: number;
	/** Texts that were cut. */
	truncated: number;
};

type Window = {ids: Int32Array; offsets: Int32Array; truncated: Uint8Array};

/** The vectors of each token that the tokenizer gives a text, special ones included. */
export async function encodeTokens(
	model: Encoding,
	texts: readonly string[],
	settings: TokenSettings,
): Promise<TokenVectors> {
	const windows: Window[] = [];
	for (let first = 0; first < texts.length; ) {
		const window = windowFrom(expectTexts(texts, first), first);
		windows.push(await tokenize(model, window, settings));
		first += window.length;
	}
	const offsets = new Int32Array(texts.length + 1);
	let text = 0;
	let truncated = 0;
	for (const window of windows) {
		const begin = offsets[text]!;
		for (let n = 1; n < window.offsets.length; n++) offsets[++text] = begin + window.offsets[n]!;
		for (const flag of window.truncated) truncated += flag;
		await giveTurn(settings.signal);
	}
	const rows = offsets.at(-1)!;
	const data = new Float32Array(rows * settings.dimensions);
	await cancellable(settings.signal, canceller =>
		compute(model, windows, settings, {data, canceller}),
	);
	return {data, offsets, rows, width: settings.dimensions, truncated};
}

/** Checks the texts of the window that begins here. */
function expectTexts(texts: readonly string[], first: number): readonly string[] {
	const wrong = texts.slice(first, first + windowTexts).findIndex(text => typeof text !== 'string');
	if (wrong < 0) return texts;
	const at = first + wrong;
	const message = `texts[${at}]: expected a string, got ${kindOf(texts[at])}`;
	throw new EngineError('OPTION_TYPE', message);
}

const windowTexts = 4096;

function tokenize(
	{tokenizer, lowerCase, addSpecialTokens}: Encoding,
	window: readonly string[],
	{prompt, maxLength, truncationSide, signal}: TokenSettings,
): Promise<Window> {
	const asked = {maxLength, truncationSide, addSpecialTokens, prompts: prompt, lowerCase, signal};
	return tokenizer.encode(window, asked);
}

type Result = {data: Float32Array; canceller: Canceller};

/** Hands chunks of the token budget to the device, a few of them ahead. */
async function compute(
	{core, tower}: Encoding,
	windows: readonly Window[],
	{dimensions, normalize, batchTokens, onProgress}: TokenSettings,
	{data, canceller}: Result,
): Promise<void> {
	const total = windows.reduce((sum, {offsets}) => sum + offsets.length - 1, 0);
	const pending: Promise<void>[] = [];
	let [sent, row] = [0, 0];
	for (const batch of chunksOf(windows, batchTokens)) {
		const {ids, offsets} = batch;
		const [first, end, rows] = [sent, sent + offsets.length - 1, row + ids.length];
		const out = data.subarray(row * dimensions, rows * dimensions);
		if (pending.length === underWay) await pending.shift();
		const work = core.encode(batch, {dimensions, normalize, tower}, out, canceller).then(broken => {
			if (broken >= 0) throw notFinite(first + offsets.findLastIndex(at => at <= broken));
			onProgress?.({done: end, total, tokens: rows});
		});
		work.catch(() => undefined); // nobody awaits it when one before has failed
		pending.push(work);
		[sent, row] = [end, rows];
	}
	await Promise.all(pending);
}

function* chunksOf(windows: readonly Window[], batchTokens: number) {
	for (const {ids, offsets} of windows) {
		const count = offsets.length - 1;
		for (let begin = 0; begin < count; ) {
			let end = begin + 1;
			const start = offsets[begin]!;
			while (end < count && offsets[end + 1]! <= start + batchTokens) end++;
			yield {
				ids: ids.subarray(start, offsets[end]),
				offsets: offsets.slice(begin, end + 1).map(offset => offset - start),
				unpooled: true,
			};
			begin = end;
		}
	}
}
