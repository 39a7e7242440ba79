// One life of a tokenizer's worker, seen from the main thread. It keeps the process alive only while
// somebody waits for it; when it dies, all who wait are told.

import {setImmediate} from 'node:timers/promises';
import {Worker} from 'node:worker_threads';
import {EngineError} from '../errors.js';
import {mostUnits} from './encode-job.js';
import type {EncodedTexts} from './encoder.js';
import type {TokenizerSource} from './files.js';
import {Patience, Progress, type Task} from './patience.js';
import {type Preparation, preparedText, promptOf} from './prepared-text.js';
import type {
	EncodeRequest,
	ErrorParts,
	TextPart,
	TokenizerFacts,
	WorkerAnswer,
	WorkerSettings,
} from './worker.js';

interface Waiting<Value> {
	readonly resolve: (value: Value) => void;
	readonly reject: (error: unknown) => void;
}

interface Request extends Waiting<EncodedTexts> {
	readonly texts: readonly string[];
	readonly preparation: Preparation;
}

/** Seconds that opening, or a text, may take; a long text or file gets more. */
const defaultSeconds = 30;
const unitsPerSecond = 50_000;

export class TokenizerThread {
	/** Settles when the worker has opened the tokenizer, or could not. */
	readonly opened: Promise<TokenizerFacts>;
	readonly #worker: Worker;
	readonly #source: TokenizerSource;
	readonly #seconds: number;
	readonly #progress = new Progress();
	readonly #patience = new Patience(
		() => this.#task(),
		() => this.#giveUp(),
	);
	readonly #waiting = new Map<number, Request>();
	#opening: Waiting<TokenizerFacts> | undefined;
	#nextId = 0;
	#isAlive = true;

	/** `seconds`: how long a text may take, beyond what its length is given. */
	constructor(source: TokenizerSource, {seconds = defaultSeconds}: {seconds?: number} = {}) {
		this.#source = source;
		this.#seconds = seconds;
		this.opened = new Promise((resolve, reject) => {
			this.#opening = {resolve, reject};
		});
		// Whoever encodes sees the failure; an unread promise must not end the process.
		this.opened.catch(() => undefined);
		// The flags of the process are not for the worker: with --input-type it would not start.
		this.#worker = new Worker(new URL('./worker.js', import.meta.url), {
			workerData: {source, progress: this.#progress.memory} satisfies WorkerSettings,
			execArgv: [],
		});
		this.#patience.start();
		this.#worker.on('message', (answer: WorkerAnswer) => this.#receive(answer));
		this.#worker.on('error', error => this.#die(deathBy(error)));
		this.#worker.on('exit', code => this.#die(deathBy(new Error(`it ended with code ${code}`))));
	}

	get isAlive(): boolean {
		return this.#isAlive;
	}

	/** Requests that have no answer yet. */
	get waiting(): number {
		return this.#waiting.size;
	}

	/** Posts the texts at once, but one that is long in parts; resolves with their ids. */
	encode(request: Omit<EncodeRequest, 'id'>): Promise<EncodedTexts> {
		const id = this.#nextId++;
		const {texts, preparation} = request;
		return new Promise((resolve, reject) => {
			this.#waiting.set(id, {resolve, reject, texts, preparation});
			this.#worker.ref();
			this.#patience.start();
			const [text = ''] = texts;
			if (texts.length > 1 || text.length <= mostUnits) this.#post({id, ...request});
			else this.#postParts(text, {id, ...request, texts: []}).catch(reject);
		});
	}

	#post(message: EncodeRequest | TextPart): void {
		this.#worker.postMessage(message);
	}

	/** Copying a long text in one go would hold the event loop. So does V8 where it has yet to join the text's pieces. */
	async #postParts(text: string, request: EncodeRequest): Promise<void> {
		for (let begin = 0; begin < text.length && this.#isAlive; begin += mostUnits) {
			this.#post({id: request.id, part: text.slice(begin, begin + mostUnits)});
			await setImmediate();
		}
		this.#post(request);
	}

	/** Ends the worker; whoever still waits is rejected with `reason`. */
	async close(reason: unknown): Promise<void> {
		this.#die(reason);
		await this.#worker.terminate();
	}

	#receive(answer: WorkerAnswer): void {
		switch (answer.type) {
			case 'opened':
				this.#opening?.resolve(answer.facts);
				this.#opening = undefined;
				break;
			case 'refused':
				this.close(errorOf(answer.error)).catch(() => undefined);
				break;
			case 'encoded':
				this.#take(answer.id)?.resolve(answer.encoded);
				break;
			case 'failed':
				this.#take(answer.id)?.reject(errorOf(answer.error));
		}
		if (this.#waiting.size > 0 || this.#opening !== undefined) return;
		this.#worker.unref();
		this.#patience.stop();
	}

	/** What the worker does at this moment. */
	#task(): Task {
		const {request, text} = this.#progress;
		const units = this.#textUnderWay()?.length ?? this.#source.bytes.length;
		return {name: `${request}:${text}`, seconds: this.#seconds + units / unitsPerSecond};
	}

	/** With its prompt, as a rope that nobody has copied yet. */
	#textUnderWay(): string | undefined {
		const {request, text} = this.#progress;
		const waiting = this.#waiting.get(request);
		const own = waiting?.texts[text];
		if (waiting === undefined || own === undefined) return undefined;
		return preparedText(own, {prompt: promptOf(waiting.preparation, text), lowerCase: false});
	}

	#giveUp(): void {
		const text = this.#textUnderWay();
		const what =
			text === undefined
				? 'to be open'
				: `to be done with a text of ${text.length} characters that begins ${JSON.stringify(text.slice(0, 40))}`;
		const {seconds} = this.#task();
		const error = new EngineError(
			'TOKENIZER_INVALID',
			`${this.#source.path}: expected the tokenizer ${what} within ${Math.ceil(seconds)} s, ` +
				'got no end; a pattern in it takes too long',
		);
		this.close(error).catch(() => undefined);
	}

	#take(id: number): Request | undefined {
		const waiting = this.#waiting.get(id);
		this.#waiting.delete(id);
		return waiting;
	}

	#die(reason: unknown): void {
		if (!this.#isAlive) return;
		this.#isAlive = false;
		this.#patience.stop();
		this.#opening?.reject(reason);
		this.#opening = undefined;
		for (const {reject} of this.#waiting.values()) reject(reason);
		this.#waiting.clear();
	}
}

function errorOf({code, message}: ErrorParts): EngineError {
	return new EngineError(code, message);
}

function deathBy(cause: Error & {code?: unknown}): EngineError {
	const isMemory = cause.code === 'ERR_WORKER_OUT_OF_MEMORY';
	const code = isMemory ? 'OUT_OF_MEMORY' : 'INTERNAL';
	return new EngineError(code, `tokenizer: its worker died: ${cause.message}`, {cause});
}
