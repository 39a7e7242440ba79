// Rows in an order, cut into batches in which no text stands twice: an equal text would be a negative
// of its own query.

import {EngineError} from '../errors.js';
import {giveTurn} from '../pace.js';
import {HashTable} from './columns.js';
import type {Rows, RowTexts} from './rows.js';

export interface PackRule {
	/** Which random choices of texts hold. */
	epoch: number;
	batchSize: number;
	/** What becomes of a row that would repeat a text of its batch. */
	repeats: 'wait' | 'refuse' | 'allow';
	signal?: AbortSignal | undefined;
}

/** The batches that an order of rows makes. */
export async function pack(rows: Rows, order: Uint32Array, rule: PackRule): Promise<Uint32Array[]> {
	if (rule.repeats === 'wait') return withoutRepeats(rows, order, rule);
	const {batchSize} = rule;
	const batches: Uint32Array[] = [];
	for (let at = 0; at < order.length; at += batchSize) {
		batches.push(order.subarray(at, at + batchSize));
	}

	if (rule.repeats === 'refuse') await refuseRepeats(rows, batches, rule);
	return batches;
}

/**
Puts each row into the first batch that has room and lies behind the last one with any of its texts.
The work is the same for a text that is everywhere as for one that is rare, which a queue of waiting
rows could not promise.
*/
async function withoutRepeats(
	rows: Rows,
	order: Uint32Array,
	{epoch, batchSize, signal}: PackRule,
): Promise<Uint32Array[]> {
	const open = new OpenBatches(batchSize);
	// For each text the first batch that it may go to.
	const firstFree = new HashTable(batch => batch > open.first);
	const batchOf = new Uint32Array(order.length);
	for (let index = 0; index < order.length; index++) {
		const pause = index % 16 === 0 ? giveTurn(signal) : undefined;
		if (pause !== undefined) await pause;
		const hashes = rows.hashes(order[index]!, epoch);
		let from = 0;
		for (const hash of hashes) from = Math.max(from, firstFree.get(hash) ?? 0);
		const batch = open.add(from);
		for (const hash of hashes) firstFree.set(hash, batch + 1);
		batchOf[index] = batch;
	}

	return gather(order, batchOf, {sizes: open.sizes, signal});
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
	{sizes, signal}: {sizes: readonly number[]} & Pick<PackRule, 'signal'>,
): Promise<Uint32Array[]> {
	const gathered = new Uint32Array(order.length);
	const batches: Uint32Array[] = [];
	const places = new Uint32Array(sizes.length);
	for (let batch = 0, at = 0; batch < sizes.length; batch++) {
		if (batch % 1024 === 0) await giveTurn(signal);
		places[batch] = at;
		batches.push(gathered.subarray(at, at + sizes[batch]!));
		at += sizes[batch]!;
	}

	for (let index = 0; index < order.length; index++) {
		if (index % 1024 === 0) await giveTurn(signal);
		gathered[places[batchOf[index]!]!++] = order[index]!;
	}

	return batches;
}

async function refuseRepeats(
	rows: Rows,
	batches: readonly Uint32Array[],
	{epoch, signal}: PackRule,
): Promise<void> {
	for (const batch of batches) {
		const rowOf = new Map<number, number>();
		for (const row of batch) {
			await giveTurn(signal);
			for (const hash of new Set(rows.hashes(row, epoch))) {
				const other = rowOf.get(hash);
				if (other === undefined) rowOf.set(hash, row);
				else await refuseRepeat(rows, [other, row], epoch);
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
