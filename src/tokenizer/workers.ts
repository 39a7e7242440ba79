// The workers of one tokenizer. There is one; others open when texts have kept it busy for a while and more
// wait, each with a tokenizer of its own.

import type {EncodedTexts} from './encoder.js';
import type {TokenizerSource} from './files.js';
import {TokenizerThread} from './thread.js';
import type {EncodeRequest} from './worker.js';

export interface MoreWorkers {
	/** How many there may be. Default 1. */
	readonly most?: number;
	/** Seconds, beyond the idle ones, that all there are have to be busy before another opens. Default 0.5. */
	readonly afterSeconds?: number;
}

export class TokenizerWorkers {
	readonly #source: TokenizerSource;
	readonly #most: number;
	readonly #afterSeconds: number;
	#threads: TokenizerThread[];
	#opening: TokenizerThread | undefined;
	#failure: {reason: unknown} | undefined;
	#underWay = 0;
	/** Seconds that all were busy, less those that they were not. */
	#busy = 0;
	#since = performance.now();

	/** `first` has opened the tokenizer of `source`. */
	constructor(
		source: TokenizerSource,
		first: TokenizerThread,
		{most = 1, afterSeconds = 0.5}: MoreWorkers,
	) {
		this.#source = source;
		this.#threads = [first];
		this.#most = most;
		this.#afterSeconds = afterSeconds;
	}

	/** Whether one more message keeps a worker from being idle: each has one, and a few wait. */
	get hasRoom(): boolean {
		return this.#underWay < 2 + 2 * Math.max(1, this.#threads.length);
	}

	/** Posts the texts to whoever has least to do. */
	async encode(request: Omit<EncodeRequest, 'id'>): Promise<EncodedTexts> {
		const failure = this.#failure;
		this.#failure = undefined;
		if (failure) throw failure.reason;
		const thread = this.#freest();
		this.#count(1);
		try {
			return await thread.encode(request);
		} finally {
			this.#count(-1);
		}
	}

	/** Told that texts wait for room: opens another worker when that has lasted. */
	textsWait(): void {
		this.#count(0);
		const isEnough = this.#threads.length >= this.#most || this.#opening !== undefined;
		if (isEnough || this.#busy < this.#afterSeconds) return;
		this.#busy = 0;
		void this.#open(new TokenizerThread(this.#source));
	}

	/** Ends all of them; whoever still waits is rejected with `reason`. */
	async close(reason: unknown): Promise<void> {
		const all = [...this.#threads, ...(this.#opening ? [this.#opening] : [])];
		await Promise.all(all.map(thread => thread.close(reason)));
	}

	/** One that cannot open is told to the next who asks. */
	async #open(thread: TokenizerThread): Promise<void> {
		this.#opening = thread;
		try {
			await thread.opened;
			this.#threads.push(thread);
		} catch (reason) {
			this.#failure = {reason};
		}
		this.#opening = undefined;
	}

	/** One that died is replaced when it was the last. */
	#freest(): TokenizerThread {
		this.#threads = this.#threads.filter(({isAlive}) => isAlive);
		if (this.#threads.length === 0) this.#threads.push(new TokenizerThread(this.#source));
		return this.#threads.reduce((least, thread) =>
			thread.waiting < least.waiting ? thread : least,
		);
	}

	#count(more: number): void {
		const now = performance.now();
		const seconds = (now - this.#since) / 1000;
		const areBusy = this.#underWay >= this.#threads.length;
		this.#busy = Math.max(0, this.#busy + (areBusy ? seconds : -seconds));
		this.#since = now;
		this.#underWay += more;
	}
}
