// Numbers in a random order that any place can be asked for, in memory that does not grow with them.
// Few are shuffled as one. Many are cut into blocks of neighbours, the blocks are shuffled, and then
// what stands in a window of a few thousand blocks is: neighbours are read from the disk together
// and yet end far apart.

import {giveTurn} from '../pace.js';
import {below, randomOf, shuffled} from './random.js';

/** Rows in an order, at hand by place. */
export interface Sequence {
	readonly length: number;
	/** Whether no row stands at two places. */
	readonly isOnce: boolean;
	/** The rows at the places from `begin` to `end`. */
	rows(begin: number, end: number, signal?: AbortSignal): Promise<Uint32Array>;
}

/** Numbers that are shuffled as one, and neighbours that stay in one window. */
export interface ShuffleSizes {
	window: number;
	block: number;
}

export const shuffleSizes: ShuffleSizes = {window: 2 ** 18, block: 64};

/** What tells one stream of random numbers from another. */
export interface ShuffleKey {
	seed: number;
	epoch: number;
	/** Which of several shuffles of an epoch; without it the only one. */
	stream?: number;
}

/** The numbers from 0 to `length - 1` in the random order of a key. */
export class Shuffle implements Sequence {
	readonly length: number;
	readonly isOnce = true;
	readonly #key: ShuffleKey;
	readonly #sizes: ShuffleSizes;
	/** Of each place of a block the block that is there; the rest at the end is the shorter one. */
	#blocks: Uint32Array | undefined;
	/** How far the numbers are turned round, so that blocks begin elsewhere in each epoch. */
	readonly #turn: number;
	/** The window that was asked for last. */
	#window: {number: number; numbers: Uint32Array} | undefined;

	constructor(length: number, key: ShuffleKey, sizes: ShuffleSizes = shuffleSizes) {
		this.length = length;
		this.#key = key;
		this.#sizes = sizes;
		this.#turn = length > sizes.window ? below(randomOf(...this.#keys(0x7012)), length) : 0;
	}

	async rows(begin: number, end: number, signal?: AbortSignal): Promise<Uint32Array> {
		const found = new Uint32Array(end - begin);
		const {window} = this.#sizes;
		for (let place = begin; place < end; ) {
			const number = Math.floor(place / window);
			const numbers = await this.#at(number, signal);
			const from = place - number * window;
			const part = numbers.subarray(from, from + end - place);
			found.set(part, place - begin);
			place += part.length;
		}

		return found;
	}

	async #at(number: number, signal?: AbortSignal): Promise<Uint32Array> {
		if (this.#window?.number === number) return this.#window.numbers;
		const {window} = this.#sizes;
		const numbers =
			this.length > window ? await this.#mixed(number, signal) : await this.#whole(signal);
		this.#window = {number, numbers};
		return numbers;
	}

	#whole(signal?: AbortSignal): Promise<Uint32Array> {
		const {seed, epoch, stream} = this.#key;
		const own = stream === undefined ? seed : randomOf(seed, stream, 0x57ea)();
		return shuffled(this.length, own, epoch, signal);
	}

	async #mixed(number: number, signal?: AbortSignal): Promise<Uint32Array> {
		const {window, block} = this.#sizes;
		const whole = Math.floor(this.length / block);
		this.#blocks ??= await shuffled(whole, randomOf(...this.#keys(0xb10c))(), 0, signal);
		const begin = number * window;
		const numbers = new Uint32Array(Math.min(window, this.length - begin));
		for (let n = 0; n < numbers.length; n++) {
			if (n % 1024 === 0) await giveTurn(signal);
			const place = begin + n;
			const at = Math.floor(place / block);
			const straight = (this.#blocks[at] ?? at) * block + (place % block);
			const turned = straight + this.#turn;
			numbers[n] = turned < this.length ? turned : turned - this.length;
		}

		const order = await shuffled(numbers.length, randomOf(...this.#keys(0x517d))(), number, signal);
		for (let n = 0; n < order.length; n++) order[n] = numbers[order[n]!]!;
		return order;
	}

	#keys(use: number): number[] {
		const {seed, epoch, stream = 0} = this.#key;
		return [seed, epoch, stream, use];
	}
}

/** The numbers in their own order. */
export class Straight implements Sequence {
	readonly length: number;
	readonly isOnce = true;

	constructor(length: number) {
		this.length = length;
	}

	async rows(begin: number, end: number): Promise<Uint32Array> {
		const rows = new Uint32Array(end - begin);
		for (let n = 0; n < rows.length; n++) rows[n] = begin + n;
		return rows;
	}
}

/** The rows that an order of their numbers stands for. */
export function mapped(order: Sequence, at: (index: number) => number): Sequence {
	return {
		length: order.length,
		isOnce: order.isOnce,
		async rows(begin, end, signal) {
			const rows = await order.rows(begin, end, signal);
			for (let n = 0; n < rows.length; n++) {
				if (n % 1024 === 0) await giveTurn(signal);
				rows[n] = at(rows[n]!);
			}

			return rows;
		},
	};
}
