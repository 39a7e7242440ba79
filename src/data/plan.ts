// The batches of an epoch. They are made window by window of the order of the rows, so that memory
// and the time to the first batch are the same for any amount of data: a window is a function of
// (data, options, seed, epoch, its number) and of no other window.

import {EngineError} from '../errors.js';
import {giveTurn} from '../pace.js';
import {isMendable, mended} from './mend.js';
import {type PackRule, pack} from './pack.js';
import {shuffled} from './random.js';
import type {Rows} from './rows.js';
import type {Sequence} from './shuffle.js';

/** Rows of an order that are packed together, and a few more: whole batches. */
export const windowRows = 2 ** 18;

export interface PlanRule extends PackRule {
	/** What becomes of a row that is alone in its batch and has no negatives. Default drop. */
	lone?: 'drop' | 'keep' | undefined;
	/** Leaves out batches that are not full. Default false. */
	dropLast?: boolean | undefined;
	/** Rows of a window. Default {@link windowRows}. */
	window?: number | undefined;
}

/** The batches of an epoch in their order. */
export interface EpochPlan {
	readonly length: number;
	/**
	Rows left out: alone in their batch and without negatives, there is nothing to tell their
	positive from.
	*/
	readonly dropped: number;
	/** Rows left out because their batch was not full. */
	readonly cut: number;
	/** Which random choices of texts hold. */
	readonly draw: number;
	/** The batches from this one on, and their rows. */
	from(first: number): AsyncGenerator<Uint32Array, void, undefined>;
}

/** The batches that rows in an order make. */
export class Plan implements EpochPlan {
	readonly length: number;
	readonly dropped: number;
	readonly cut: number;
	readonly draw: number;
	readonly #windows: Windows;
	/** Of each window its first batch. */
	readonly #starts: readonly number[];

	private constructor(windows: Windows, counted: {starts: number[]} & LeftOut, draw: number) {
		this.#windows = windows;
		this.#starts = counted.starts.slice(0, -1);
		this.length = counted.starts.at(-1)!;
		this.dropped = counted.dropped;
		this.cut = counted.cut;
		this.draw = draw;
	}

	/** Counts what each window gives: it is packed for that where it cannot be known before. */
	static async of(rows: Rows, order: Sequence, rule: PlanRule): Promise<Plan> {
		expectBatchSize(rule.batchSize);
		const windows = new Windows(rows, order, rule);
		const starts = [0];
		let [dropped, cut] = [0, 0];
		for (let number = 0; number < windows.count; number++) {
			const sure = windows.sure(number);
			const window = sure === undefined ? await windows.pack(number) : noneLeftOut;
			starts.push(starts.at(-1)! + (sure ?? window.batches.length));
			dropped += window.dropped;
			cut += window.cut;
		}

		return new Plan(windows, {starts, dropped, cut}, rule.epoch);
	}

	async *from(first: number): AsyncGenerator<Uint32Array, void, undefined> {
		const begin = this.#starts.findLastIndex(start => start <= first);
		for (let number = Math.max(0, begin); number < this.#starts.length; number++) {
			const {batches} = await this.#windows.pack(number);
			yield* batches.slice(Math.max(0, first - this.#starts[number]!));
		}
	}

	/** The same batches in the order of another key: the windows shuffled, and each in itself. */
	async *reordered(first: number, key: number): AsyncGenerator<Uint32Array, void, undefined> {
		const {signal} = this.#windows;
		let begin = 0;
		for (const number of await shuffled(this.#starts.length, key, 0, signal)) {
			const count = (this.#starts[number + 1] ?? this.length) - this.#starts[number]!;
			if (first < begin + count) {
				const {batches} = await this.#windows.pack(number);
				const order = await shuffled(count, key, number + 1, signal);
				for (const n of order.subarray(Math.max(0, first - begin))) yield batches[n]!;
			}

			begin += count;
		}
	}
}

type LeftOut = Pick<EpochPlan, 'dropped' | 'cut'>;

const noneLeftOut: Window = {batches: [], dropped: 0, cut: 0};

type Window = {batches: Uint32Array[]} & {-readonly [K in keyof LeftOut]: number};

class Windows {
	readonly count: number;
	readonly #rows: Rows;
	readonly #order: Sequence;
	readonly #rule: PlanRule;
	readonly #length: number;
	/** The one that was packed last: an epoch of one window is packed once. */
	#last: {number: number; window: Window} | undefined;

	get signal(): AbortSignal | undefined {
		return this.#rule.signal;
	}

	constructor(rows: Rows, order: Sequence, rule: PlanRule) {
		const {batchSize, window = windowRows} = rule;
		this.#rows = rows;
		this.#order = order;
		this.#rule = rule;
		this.#length = Math.ceil(window / batchSize) * batchSize;
		this.count = Math.ceil(order.length / this.#length);
	}

	/**
	How many batches a window has, where that is sure: among many windows one that is full and can
	be mended. An epoch of one window stays as it is packed.
	*/
	sure(number: number): number | undefined {
		const {batchSize, repeats} = this.#rule;
		const isFull = this.count > 1 && (number + 1) * this.#length <= this.#order.length;
		if (!isFull || batchSize === 1 || repeats === 'refuse') return;
		const batches = this.#length / batchSize;
		if (repeats === 'allow') return batches;
		return this.#order.isOnce && isMendable(batches, this.#rows.rivals) ? batches : undefined;
	}

	async pack(number: number): Promise<Window> {
		if (this.#last?.number === number) return this.#last.window;
		const begin = number * this.#length;
		const end = Math.min(begin + this.#length, this.#order.length);
		const order = await this.#order.rows(begin, end, this.#rule.signal);
		const packed = await pack(this.#rows, order, this.#rule);
		const sure = this.sure(number);
		const batches =
			sure === undefined ? packed : await mended(this.#rows, packed, this.#rule, sure);
		const window = await this.#kept(batches);
		this.#last = {number, window};
		return window;
	}

	/** Leaves out batches that are too small to learn from. */
	async #kept(batches: readonly Uint32Array[]): Promise<Window> {
		const {epoch, lone = 'drop', dropLast, batchSize, signal} = this.#rule;
		const window: Window = {batches: [], dropped: 0, cut: 0};
		for (const batch of batches) {
			await giveTurn(signal);
			const isLone = lone === 'drop' && batch.length === 1 && !this.#hasNegatives(batch[0]!, epoch);
			if (dropLast && batch.length < batchSize) window.cut += batch.length;
			else if (isLone) window.dropped++;
			else window.batches.push(batch);
		}

		return window;
	}

	#hasNegatives(row: number, epoch: number): boolean {
		return (this.#rows.choose(row, epoch)?.negatives.length ?? 0) > 0;
	}
}

export function expectBatchSize(batchSize: number): void {
	if (Number.isSafeInteger(batchSize) && batchSize > 0) return;
	const message = `batchSize: expected a whole number above 0, got ${batchSize}`;
	throw new EngineError('OPTION_RANGE', message);
}

/** Refuses an epoch that has nothing to train on. */
export function expectBatches({length, cut}: EpochPlan, rows: number, batchSize: number): void {
	if (length > 0) return;
	const isCut = cut > 0;
	const two = 'expected two rows in a batch, or one with a negative of its own';
	const expected = isCut ? `expected ${batchSize} rows for one` : two;
	const got = isCut ? `${rows}; lower --batch-size or keep the last batch` : `${rows} rows alone`;
	throw new EngineError('TRAIN_BATCH', `batches: ${expected}, got ${got}`);
}
