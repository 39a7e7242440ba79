// The batches of an epoch, planned before it begins. No text stands twice in a batch unless that is
// allowed: an equal text would be a negative of its own query. The plan is a function of (data,
// seed, epoch).

import {EngineError} from '../errors.js';
import {giveTurn} from '../pace.js';
import {HashTable} from './columns.js';
import {shuffled} from './random.js';
import type {Rows, RowTexts} from './rows.js';

export interface PlanOptions {
	epoch: number;
	batchSize: number;
	seed?: number | undefined;
	/** The order of the file, or a random one. */
	order?: 'shuffle' | 'file' | undefined;
	/**
	`refuse`: a row that would repeat a text of its batch waits for a later one; in the order of the
	file, where rows cannot wait, it is an error.
	*/
	duplicates?: 'refuse' | 'allow' | undefined;
	/** What becomes of a row that is alone in its batch and has no negatives. Default drop. */
	lone?: 'drop' | 'keep' | undefined;
	/** Leaves out batches that are not full. Default false. */
	dropLast?: boolean | undefined;
	signal?: AbortSignal | undefined;
}

export interface Plan {
	/** Rows of each batch. */
	batches: Uint32Array[];
	/**
	Rows left out: alone in their batch and without negatives, there is nothing to tell their
	positive from.
	*/
	dropped: number;
	/** Rows left out because their batch was not full. */
	cut: number;
}

type Rule = Required<Pick<PlanOptions, 'epoch' | 'batchSize'>> &
	Pick<PlanOptions, 'signal' | 'lone' | 'dropLast'>;

/** Plans the batches of one epoch. */
export async function planEpoch(rows: Rows, options: PlanOptions): Promise<Plan> {
	const {epoch, batchSize, seed = 0, order = 'shuffle', duplicates = 'refuse'} = options;
	const {lone, dropLast, signal} = options;
	if (!(Number.isSafeInteger(batchSize) && batchSize > 0)) {
		const message = `batchSize: expected a whole number above 0, got ${batchSize}`;
		throw new EngineError('OPTION_RANGE', message);
	}

	const rule = {epoch, batchSize, lone, dropLast, signal};
	const kept = await usable(rows, rule, order === 'shuffle' ? seed : undefined);
	const mayWait = order === 'shuffle' && duplicates === 'refuse';
	const laid = mayWait ? await withoutRepeats(rows, kept, rule) : {order: kept};
	const plan = await divide(rows, laid, rule);
	if (!mayWait && duplicates === 'refuse') await refuseRepeats(rows, plan.batches, rule);
	if (plan.batches.length > 0) return plan;
	if (plan.cut > 0) {
		const hint = 'lower --batch-size or keep the last batch';
		const message = `batches: expected ${batchSize} rows for one, got ${kept.length}; ${hint}`;
		throw new EngineError('TRAIN_BATCH', message);
	}
	const expected = 'expected two rows in a batch, or one with a negative of its own';
	throw new EngineError('TRAIN_BATCH', `batches: ${expected}, got ${kept.length} rows alone`);
}

/** The rows that are not left out, shuffled if there is a seed. */
async function usable(
	rows: Rows,
	{epoch, signal}: Rule,
	seed: number | undefined,
): Promise<Uint32Array> {
	const order = seed === undefined ? undefined : await shuffled(rows.length, seed, epoch, signal);
	const kept = new Uint32Array(rows.length - rows.short);
	let count = 0;
	for (let index = 0; index < rows.length; index++) {
		if (index % 256 === 0) await giveTurn(signal);
		const row = order === undefined ? index : order[index]!;
		if (rows.short === 0 || rows.choose(row, epoch) !== undefined) kept[count++] = row;
	}

	return kept;
}

/** Rows as they follow each other in the batches, and the sizes of these where not all are full. */
interface Laid {
	order: Uint32Array;
	sizes?: readonly number[];
}

/** Cuts the rows into batches and leaves out those of one row without negatives. */
async function divide(
	rows: Rows,
	{order, sizes}: Laid,
	{epoch, batchSize, lone, dropLast, signal}: Rule,
): Promise<Plan> {
	const plan: Plan = {batches: [], dropped: 0, cut: 0};
	for (let number = 0, at = 0; at < order.length; number++) {
		await giveTurn(signal);
		const batch = order.subarray(at, at + (sizes?.[number] ?? batchSize));
		at += batch.length;
		const isLone = batch.length === 1 && rows.choose(batch[0]!, epoch)!.negatives.length === 0;
		if (dropLast && batch.length < batchSize) plan.cut += batch.length;
		else if (isLone && lone !== 'keep') plan.dropped++;
		else plan.batches.push(batch);
	}

	return plan;
}

/**
Puts each row into the first batch that has room and lies behind the last one with any of its texts.
The work is the same for a text that is everywhere as for one that is rare, which a queue of waiting
rows could not promise.
*/
async function withoutRepeats(
	rows: Rows,
	order: Uint32Array,
	{epoch, batchSize, signal}: Rule,
): Promise<Laid> {
	const open = new OpenBatches(batchSize);
	// For each text the first batch that it may go to.
	const firstFree = new HashTable(batch => batch > open.first);
	const batchOf = new Uint32Array(order.length);
	for (const [index, row] of order.entries()) {
		const pause = giveTurn(signal);
		if (pause !== undefined) await pause;
		const hashes = rows.hashes(row, rows.choose(row, epoch)!);
		const from = hashes.reduce((at, hash) => Math.max(at, firstFree.get(hash) ?? 0), 0);
		const batch = open.add(from);
		for (const hash of hashes) firstFree.set(hash, batch + 1);
		batchOf[index] = batch;
	}

	return {order: await gather(order, batchOf, {sizes: open.sizes, signal}), sizes: open.sizes};
}

/**
Batches being filled; finds the next one with room in next to no time (union-find with halving).
*/
class OpenBatches {
	readonly sizes: number[] = [];
	readonly #batchSize: number;
	/** Of each batch itself while it has room, else one behind it that is nearer to room. */
	readonly #next: number[] = [];

	constructor(batchSize: number) {
		this.#batchSize = batchSize;
	}

	/** The first batch with room. */
	get first(): number {
		return this.#withRoom(0);
	}

	/** Adds one row to the first batch with room at or behind `from`. */
	add(from: number): number {
		const batch = this.#withRoom(from);
		if (batch === this.sizes.length) {
			this.sizes.push(0);
			this.#next.push(batch);
		}

		const size = this.sizes[batch]! + 1;
		this.sizes[batch] = size;
		if (size === this.#batchSize) this.#next[batch] = batch + 1;
		return batch;
	}

	#withRoom(from: number): number {
		const next = this.#next;
		let batch = from;
		while (batch < next.length && next[batch] !== batch) {
			const behind = next[batch]!;
			next[batch] = next[behind] ?? behind;
			batch = next[batch]!;
		}

		return batch;
	}
}

/** The rows batch by batch, those of one batch in their order. */
async function gather(
	order: Uint32Array,
	batchOf: Uint32Array,
	{sizes, signal}: {sizes: readonly number[]} & Pick<PlanOptions, 'signal'>,
): Promise<Uint32Array> {
	const gathered = new Uint32Array(order.length);
	const places = new Uint32Array(sizes.length + 1);
	for (const [batch, size] of sizes.entries()) {
		if (batch % 1024 === 0) await giveTurn(signal);
		places[batch + 1] = places[batch]! + size;
	}

	for (const [index, batch] of batchOf.entries()) {
		if (index % 1024 === 0) await giveTurn(signal);
		const place = places[batch]!;
		gathered[place] = order[index]!;
		places[batch] = place + 1;
	}

	return gathered;
}

async function refuseRepeats(rows: Rows, batches: Uint32Array[], rule: Rule): Promise<void> {
	for (const batch of batches) {
		const rowOf = new Map<number, number>();
		for (const row of batch) {
			await giveTurn(rule.signal);
			const hashes = new Set(rows.hashes(row, rows.choose(row, rule.epoch)!));
			for (const hash of hashes) {
				const other = rowOf.get(hash);
				if (other === undefined) rowOf.set(hash, row);
				else await refuseRepeat(rows, [other, row], rule.epoch);
			}
		}
	}
}

/** Throws if two rows really have a text in common, and not only a hash. */
async function refuseRepeat(rows: Rows, pair: [number, number], epoch: number): Promise<void> {
	const [first, second] = await rows.read(pair, epoch);
	const others = new Set(textsOf(second!));
	const shared = textsOf(first!).find(text => others.has(text));
	if (shared === undefined) return;
	const [before, after] = await rows.locate(pair);
	const got = `${JSON.stringify(shared.slice(0, 60))} of ${before} again`;
	const hint = 'use --allow-duplicates or --order shuffle';
	const message = `${after}: expected no text twice in a batch, got ${got}; ${hint}`;
	throw new EngineError('DATA_DUPLICATE', message);
}

function textsOf({query, positive, negatives}: RowTexts): string[] {
	return [query, ...(positive === undefined ? [] : [positive]), ...negatives];
}
