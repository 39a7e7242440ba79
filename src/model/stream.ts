// Texts of any source to embeddings batch by batch: nothing is read before it is asked for, and whoever
// stops, by break, return() or an abort, stops the work under way and closes the source.

import {Readable} from 'node:stream';
import {EngineError, kindOf} from '../errors.js';
import {giveTurn} from '../pace.js';
import {textBatches} from './batches.js';
import type {Encoded, Progress} from './encode.js';

/** A text with a name of its own. */
export type IdentifiedText = {id: string; text: string};

/** What a stream reads; a text without a name is called by its number, from 0. */
export type TextStream = Iterable<string | IdentifiedText> | AsyncIterable<string | IdentifiedText>;

/** `ids[n]` names row n of data, (rows, width). */
export type StreamBatch = {ids: string[]; data: Float32Array; rows: number; width: number};

export type Watching = {
	signal?: AbortSignal | undefined;
	onProgress?: ((progress: Progress) => void) | undefined;
};

type Encode = (texts: readonly string[], watching: Watching) => Promise<Encoded>;

/** Texts of one batch: the most that is read ahead of whoever takes the batches. */
const batchTexts = 1024;

/** Why a stream was stopped when nobody aborted it: no more is wanted. */
const finished = new Error('no more batches are wanted');

/** Throws for what cannot be iterated over. */
export function expectTextStream(texts: unknown): void {
	if (
		typeof texts === 'object' &&
		texts !== null &&
		(Symbol.asyncIterator in texts || Symbol.iterator in texts)
	) {
		return;
	}
	const message = `texts: expected an iterable of texts, got ${kindOf(texts)}`;
	throw new EngineError('OPTION_TYPE', message);
}

/** Batches in order. A call of return() also ends a call of next() that waits or computes. */
export function encodeBatches(
	texts: TextStream,
	encode: Encode,
	watching: Watching,
): AsyncGenerator<StreamBatch, void, undefined> {
	const stop = new AbortController();
	const batches = batchesUntil(stop, {texts, encode, watching});
	const end = batches.return.bind(batches);
	batches.return = value => {
		stop.abort(finished);
		return end(value);
	};
	return batches;
}

type Work = {texts: TextStream; encode: Encode; watching: Watching};

async function* batchesUntil(
	stop: AbortController,
	{texts, encode, watching: {signal: outer, onProgress}}: Work,
): AsyncGenerator<StreamBatch, void, undefined> {
	const {signal} = stop;
	const forward = () => stop.abort(outer?.reason);
	outer?.addEventListener('abort', forward, {once: true});
	if (outer?.aborted) forward();
	const before: Progress = {done: 0, total: 0, tokens: 0};
	try {
		for await (const batch of textBatches(identified(valuesOf(texts, signal)), batchTexts)) {
			let last: Progress = {done: 0, total: 0, tokens: 0};
			const {data, rows, width} = await encode(
				batch.map(({text}) => text),
				{
					signal,
					onProgress(progress) {
						last = progress;
						onProgress?.(sumOf(before, progress));
					},
				},
			).catch(error => {
				throw numbered(error, batch[0]!.number);
			});
			Object.assign(before, sumOf(before, last));
			yield {ids: batch.map(({id}) => id), data, rows, width};
		}
	} catch (error) {
		if (signal.reason !== finished) throw error;
	} finally {
		outer?.removeEventListener('abort', forward);
	}
}

function sumOf(a: Progress, b: Progress): Progress {
	return {done: a.done + b.done, total: a.total + b.total, tokens: a.tokens + b.tokens};
}

/** An error about a text of a batch, said of its number in the stream. */
function numbered(error: unknown, first: number): unknown {
	if (!(error instanceof EngineError) || !/^texts\[\d+\]/.test(error.message)) return error;
	const message = error.message.replace(/\d+/, place => String(first + Number(place)));
	return new EngineError(error.code, message, {cause: error});
}

/** The values of a source as `for await` has them, but that an abort also ends the waiting for one. */
async function* valuesOf(
	source: Iterable<unknown> | AsyncIterable<unknown>,
	signal: AbortSignal,
): AsyncGenerator<unknown, void, undefined> {
	const iterator =
		Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
	let isWaiting = false;
	try {
		while (true) {
			signal.throwIfAborted();
			isWaiting = true;
			const step = await untilAborted(iterator.next(), signal);
			if (step.done) return;
			const value = await untilAborted(step.value, signal);
			isWaiting = false;
			yield value;
			await giveTurn();
		}
	} finally {
		const closing = isWaiting && !signal.aborted ? undefined : closed(iterator, signal);
		if (signal.aborted && source instanceof Readable) source.destroy();
		// A source that still owes a value may close only after that.
		if (!isWaiting) await closing;
	}
}

function untilAborted<T>(value: T | PromiseLike<T>, signal: AbortSignal): T | Promise<T> {
	if (!isPromise(value)) return value;
	return new Promise((resolve, reject) => {
		const stop = () => reject(signal.reason);
		signal.addEventListener('abort', stop, {once: true});
		const settled = () => signal.removeEventListener('abort', stop);
		value.then(resolve, reject).then(settled, settled);
	});
}

function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
	return typeof value === 'object' && value !== null && 'then' in value;
}

/** What goes wrong while closing is said, unless there is the reason of an abort to say. */
async function closed(
	iterator: Iterator<unknown> | AsyncIterator<unknown>,
	signal: AbortSignal,
): Promise<void> {
	try {
		await iterator.return?.();
	} catch (error) {
		if (!signal.aborted) throw error;
	}
}

type NumberedText = IdentifiedText & {number: number};

async function* identified(
	values: AsyncIterable<unknown>,
): AsyncGenerator<NumberedText, void, undefined> {
	let number = 0;
	for await (const value of values) {
		yield typeof value === 'string'
			? {id: String(number), text: value, number}
			: {...identifiedText(value, number), number};
		number++;
	}
}

function identifiedText(value: unknown, number: number): IdentifiedText {
	const where = `texts[${number}]`;
	if (typeof value !== 'object' || value === null || !('text' in value)) {
		throw new EngineError(
			'OPTION_TYPE',
			`${where}: expected a string or an object with id and text, got ${kindOf(value)}`,
		);
	}
	const {text, id = number} = value as {text: unknown; id?: unknown};
	if (typeof text !== 'string') {
		const message = `${where}: expected text to be a string, got ${kindOf(text)}`;
		throw new EngineError('OPTION_TYPE', message);
	}
	if (typeof id === 'string' || Number.isSafeInteger(id)) return {id: String(id), text};
	const message = `${where}: expected id to be a string or a whole number, got ${kindOf(id)}`;
	throw new EngineError('OPTION_TYPE', message);
}
