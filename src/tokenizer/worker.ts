// The worker's side: opens one tokenizer and turns batches of texts into ids. Opening takes 40 ms and a
// long text 250 ms, so none of it happens on the main thread.

import {parentPort, workerData} from 'node:worker_threads';
import {EngineError, type ErrorCode} from '../errors.js';
import type {EncodedTexts, EncoderFacts, EncodeSettings, TextEncoder} from './encoder.js';
import type {TokenizerSource} from './files.js';
import {openEncoder} from './native-encoder.js';
import {Progress} from './patience.js';
import {type Preparation, preparedTexts} from './prepared-text.js';

export interface WorkerSettings {
	readonly source: TokenizerSource;
	/** Memory of a {@link Progress}. */
	readonly progress: SharedArrayBuffer;
}

export interface EncodeRequest {
	readonly id: number;
	readonly texts: readonly string[];
	readonly settings: EncodeSettings;
	readonly preparation: Preparation;
}

/** A text that is too long for one message: its parts come before the request, which has no text then. */
export interface TextPart {
	readonly id: number;
	readonly part: string;
}

export interface TokenizerFacts extends EncoderFacts {
	/** Whether native code does the work. */
	readonly path: TextEncoder['path'];
}

export type WorkerAnswer =
	| {readonly type: 'opened'; readonly facts: TokenizerFacts}
	| {readonly type: 'refused'; readonly error: ErrorParts}
	| {readonly type: 'encoded'; readonly id: number; readonly encoded: EncodedTexts}
	| {readonly type: 'failed'; readonly id: number; readonly error: ErrorParts};

/** An error as a message: classes do not cross threads. */
export interface ErrorParts {
	readonly code: ErrorCode;
	readonly message: string;
}

const port = parentPort;
if (port !== null) start(workerData as WorkerSettings, answer => port.postMessage(answer));

function start(settings: WorkerSettings, answer: (answer: WorkerAnswer) => void): void {
	const {source} = settings;
	const progress = new Progress(settings.progress);
	progress.begin(-1, 0);
	try {
		const encoder = openEncoder(source);
		answer({type: 'opened', facts: {...encoder.facts, path: encoder.path}});
		const parts = new Map<number, string[]>();
		parentPort?.on('message', (message: EncodeRequest | TextPart) => {
			const {id} = message;
			const before = parts.get(id) ?? [];
			if ('part' in message) {
				before.push(message.part);
				parts.set(id, before);
				return;
			}
			parts.delete(id);
			const texts = before.length > 0 ? [before.join('')] : message.texts;
			encode(encoder, {...message, texts}, progress);
		});
	} catch (error) {
		answer({type: 'refused', error: partsOf(error)});
	}
}

function encode(
	encoder: TextEncoder,
	{id, texts, settings, preparation}: EncodeRequest,
	progress: Progress,
): void {
	try {
		const prepared = preparedTexts(texts, preparation);
		const encoded = encoder.encode(prepared, settings, text => progress.begin(id, text));
		const memory = [encoded.ids.buffer, encoded.offsets.buffer, encoded.truncated.buffer];
		parentPort?.postMessage({type: 'encoded', id, encoded} satisfies WorkerAnswer, memory);
	} catch (error) {
		parentPort?.postMessage({type: 'failed', id, error: partsOf(error)} satisfies WorkerAnswer);
	}
}

function partsOf(error: unknown): ErrorParts {
	if (error instanceof EngineError) return {code: error.code, message: error.message};
	const reason = error instanceof Error ? error.message : String(error);
	// A text that its pieces made longer than a string can be.
	if (reason === 'Invalid string length') {
		return {code: 'OUT_OF_MEMORY', message: `tokenizer: expected a shorter text, got: ${reason}`};
	}
	return {code: 'INTERNAL', message: `tokenizer: ${reason}`};
}
