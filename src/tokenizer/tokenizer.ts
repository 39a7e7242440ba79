// Texts to ids from the main thread. The work happens in workers; this side cuts it into messages that
// are quick to post, keeps few of them under way and lets concurrent calls take turns.

import {setImmediate} from 'node:timers/promises';
import {EngineError, kindOf} from '../errors.js';
import {EncodeJob, type JobMessage} from './encode-job.js';
import type {EncodedTexts, EncodeSettings} from './encoder.js';
import type {TokenizerFiles} from './files.js';
import type {Preparation} from './prepared-text.js';
import {TokenizerThread} from './thread.js';
import type {TokenizerFacts} from './worker.js';
import {type MoreWorkers, TokenizerWorkers} from './workers.js';

export interface EncodeOptions {
	/** Longest result of a text, special tokens included. */
	readonly maxLength: number;
	/** The side that is cut; the special tokens of both sides stay. */
	readonly truncationSide?: 'right' | 'left';
	readonly addSpecialTokens?: boolean;
	/** Put before each text, or around it: one for all, or one for each. */
	readonly prompts?: Preparation['prompts'];
	/** Whether texts and prompts go into lower case. */
	readonly lowerCase?: boolean;
	readonly signal?: AbortSignal | undefined;
}

export interface OpenOptions {
	readonly signal?: AbortSignal | undefined;
	/** When texts get more workers than one. Default: never. */
	readonly workers?: MoreWorkers;
}

/** Messages posted between two turns of the event loop: each copies its texts. */
const postedAtOnce = 4;

/**
A tokenizer of a model folder.

@example
const tokenizer = await Tokenizer.open(await readTokenizerFiles(folder));
const {ids, offsets, truncated} = await tokenizer.encode(['a text'], {maxLength: 256});
*/
export class Tokenizer {
	/** How many special tokens are added to a text. */
	readonly specialTokens: number;
	/** The largest id that can come out, which the model must have an embedding for. */
	readonly largestId: number;
	/** The token that has it. */
	readonly largestToken: string;
	/** What does the work: native code, or JavaScript where the tokenizer has a part that it lacks. */
	readonly path: 'native' | 'javascript';
	readonly #workers: TokenizerWorkers;
	/** Calls with texts left to post; the first is served next. */
	readonly #turns: EncodeJob[] = [];
	readonly #open = new Set<EncodeJob>();
	#isPosting = false;
	#disposed: Promise<void> | undefined;

	private constructor(workers: TokenizerWorkers, facts: TokenizerFacts) {
		this.#workers = workers;
		this.specialTokens = facts.specialTokens;
		this.largestId = facts.largestId;
		this.largestToken = facts.largestToken;
		this.path = facts.path;
	}

	/** Parses and checks the tokenizer; rejects with `TOKENIZER_INVALID` or `TOKENIZER_KIND`. */
	static async open(
		{source}: TokenizerFiles,
		{signal, workers = {}}: OpenOptions = {},
	): Promise<Tokenizer> {
		signal?.throwIfAborted();
		const thread = new TokenizerThread(source);
		const abort = () => {
			thread.close(signal?.reason).catch(() => undefined);
		};
		signal?.addEventListener('abort', abort, {once: true});
		try {
			const facts = await thread.opened;
			return new Tokenizer(new TokenizerWorkers(source, thread, workers), facts);
		} finally {
			signal?.removeEventListener('abort', abort);
		}
	}

	/** The ids of all texts end to end, as they are: nothing is trimmed. */
	async encode(texts: readonly string[], options: EncodeOptions): Promise<EncodedTexts> {
		const {signal, prompts = '', lowerCase = false} = options;
		const settings = this.#check(texts, options);
		signal?.throwIfAborted();
		if (this.#disposed) throw new EngineError('DISPOSED', 'tokenizer: used after dispose()');
		const job = new EncodeJob(texts, settings, {prompts, lowerCase});
		const abort = () => this.#drop(job, signal?.reason);
		signal?.addEventListener('abort', abort, {once: true});
		this.#open.add(job);
		this.#turns.push(job);
		void this.#pump();
		try {
			return await job.result;
		} finally {
			signal?.removeEventListener('abort', abort);
			this.#open.delete(job);
		}
	}

	/** Waits for the calls in flight, then ends the workers. */
	dispose(): Promise<void> {
		this.#disposed ??= this.#close();
		return this.#disposed;
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.dispose();
	}

	async #close(): Promise<void> {
		await Promise.allSettled([...this.#open].map(job => job.result));
		await this.#workers.close(new EngineError('DISPOSED', 'tokenizer: used after dispose()'));
	}

	#check(texts: readonly string[], options: EncodeOptions): EncodeSettings {
		const {maxLength, truncationSide = 'right', addSpecialTokens = true} = options;
		const least = (addSpecialTokens ? this.specialTokens : 0) + 1;
		if (!Number.isInteger(maxLength) || maxLength < least) {
			const why = `${least - 1} special tokens and one of the text`;
			throw new EngineError(
				'OPTION_RANGE',
				`maxLength: expected a whole number from ${least} (${why}), got ${maxLength}`,
			);
		}
		for (let n = 0; n < texts.length; n++) {
			if (typeof texts[n] === 'string') continue;
			throw new EngineError(
				'OPTION_TYPE',
				`texts[${n}]: expected a string, got ${kindOf(texts[n])}`,
			);
		}
		return {maxLength, truncationSide, addSpecialTokens};
	}

	/** Posts messages while there is room, one call after the other. */
	async #pump(): Promise<void> {
		if (this.#isPosting) return;
		this.#isPosting = true;
		for (let posted = 1; this.#workers.hasRoom && this.#turns.length > 0; posted++) {
			const job = this.#turns.shift()!;
			const message = job.next();
			if (job.hasMore) this.#turns.push(job);
			void this.#send(job, message);
			if (posted % postedAtOnce === 0) await setImmediate();
		}
		this.#isPosting = false;
		if (this.#turns.length > 0) this.#workers.textsWait();
	}

	async #send(job: EncodeJob, {place, ...parts}: JobMessage): Promise<void> {
		try {
			const {settings} = job;
			job.receive(place, await this.#workers.encode({...parts, settings}));
		} catch (error) {
			this.#drop(job, error);
		}
		void this.#pump();
	}

	#drop(job: EncodeJob, reason: unknown): void {
		job.fail(reason);
		const turn = this.#turns.indexOf(job);
		if (turn >= 0) this.#turns.splice(turn, 1);
	}
}
