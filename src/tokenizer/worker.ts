// The worker's side: opens one tokenizer and turns batches of texts into ids. Opening takes 40 ms and a
// long text 250 ms, so none of it happens on the main thread.

import {parentPort, workerData} from 'node:worker_threads';
import {EngineError, type ErrorCode} from '../errors.js';
import {type EncodedTexts, Encoder, type EncodeSettings} from './encoder.js';
import type {TokenizerSource} from './files.js';

export interface EncodeRequest {
	readonly id: number;
	readonly texts: readonly string[];
	readonly settings: EncodeSettings;
}

export interface TokenizerFacts {
	/** How many special tokens are added to a text. */
	readonly specialTokens: number;
	readonly largestId: number;
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
if (port !== null) start(workerData as TokenizerSource, answer => port.postMessage(answer));

function start(source: TokenizerSource, answer: (answer: WorkerAnswer) => void): void {
	try {
		const encoder = new Encoder(source);
		const {largestId} = encoder.definition;
		answer({type: 'opened', facts: {specialTokens: encoder.specialTokens, largestId}});
		parentPort?.on('message', (request: EncodeRequest) => encode(encoder, request));
	} catch (error) {
		answer({type: 'refused', error: partsOf(error)});
	}
}

function encode(encoder: Encoder, {id, texts, settings}: EncodeRequest): void {
	try {
		const encoded = encoder.encode(texts, settings);
		const memory = [encoded.ids.buffer, encoded.offsets.buffer, encoded.truncated.buffer];
		parentPort?.postMessage({type: 'encoded', id, encoded} satisfies WorkerAnswer, memory);
	} catch (error) {
		parentPort?.postMessage({type: 'failed', id, error: partsOf(error)} satisfies WorkerAnswer);
	}
}

function partsOf(error: unknown): ErrorParts {
	if (error instanceof EngineError) return {code: error.code, message: error.message};
	const reason = error instanceof Error ? error.message : String(error);
	return {code: 'INTERNAL', message: `tokenizer: ${reason}`};
}
