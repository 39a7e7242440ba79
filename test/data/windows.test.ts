// Plans of many windows: what is known of them before they are packed, and that it comes true.

import {expect, test} from 'vitest';
import {Crowding} from '../../dist/data/crowding.js';
import {isMendable, mended} from '../../dist/data/mend.js';
import {planEpoch} from '../../dist/data/mixing.js';
import {below, randomOf} from '../../dist/data/random.js';
import {textHash} from '../../dist/data/text-hash.js';
import {batchesOf, distinct, numbers, rowsIn} from './batches.js';

/** Batches in which a text stands in two rows. */
const repeating = (batches: number[][], textOf: (row: number) => unknown) =>
	batches.filter(batch => new Set(batch.map(textOf)).size < batch.length);

test('Each row stands once, in full batches, but for the remainder of the last window', async () => {
	const data = numbers(2003).map(n => ({query: `q${n}`, pos: `p${n % 701}`}));
	const rows = await rowsIn([data]);
	for (const epoch of [0, 1]) {
		const plan = await planEpoch(rows, {epoch, batchSize: 8, seed: 3, window: 400});
		const batches = await batchesOf(plan);
		expect(batches).toHaveLength(plan.length);
		expect(batches.flat().toSorted((a, b) => a - b)).toEqual(numbers(2003));
		expect(repeating(batches, row => row % 701)).toEqual([]);
		expect(batches.slice(0, 250).filter(batch => batch.length < 8)).toEqual([]);
	}
});

test('A text that is everywhere is counted window by window', async () => {
	const data = numbers(300).map(n => ({query: `q${n}`, pos: `p${n}`, neg: n % 2 ? ['no'] : []}));
	const rows = await rowsIn([data]);
	const plan = await planEpoch(rows, {epoch: 0, batchSize: 8, seed: 3, window: 80});
	const batches = await batchesOf(plan);
	expect([batches.length, batches.flat().length]).toEqual([plan.length, 300]);
	expect(plan.length).toBeGreaterThanOrEqual(150);
	const odd = batches.map(batch => batch.filter(row => row % 2 === 1).length);
	expect(Math.max(...odd)).toBe(1);
});

test('Rows that are too many for first come, first served change places', async () => {
	// Rows 0 to 5 share a text in pairs; batches of two, first filled, leave the last pair in one.
	const data = numbers(6).map(n => ({query: `q${n}`, pos: `p${n >> 1}`}));
	const rows = await rowsIn([data]);
	const batches = [[0, 2], [1, 3], [4], [5]].map(batch => Uint32Array.from(batch));
	const rule = {epoch: 0, batchSize: 2, repeats: 'wait'} as const;
	const result = (await mended(rows, batches, rule, 3)).map(batch => [...batch]);
	expect(result.flat().toSorted()).toEqual(numbers(6));
	expect(result.map(({length}) => length)).toEqual([2, 2, 2]);
	expect(repeating(result, row => row >> 1)).toEqual([]);
});

test('Whatever is left over, a window that may be mended is', async () => {
	const random = randomOf(4);
	for (const _ of numbers(20)) {
		const [batchSize, texts] = [2 + below(random, 4), 40 + below(random, 100)];
		const count = 24;
		const data = numbers(count * batchSize).map(n => ({
			query: `q${n}`,
			pos: `p${below(random, texts)}`,
		}));
		const times = new Map<string, number>();
		for (const {pos} of data) times.set(pos, (times.get(pos) ?? 0) + 1);
		if (!isMendable(count, Math.max(...times.values()) - 1)) continue;
		const rows = await rowsIn([data]);
		// One row a batch beyond the first: as bad as a packing can be.
		const batches = numbers(data.length).map(n => Uint32Array.of(n));
		const rule = {epoch: 0, batchSize, repeats: 'wait'} as const;
		const result = (await mended(rows, batches, rule, count)).map(batch => [...batch]);
		expect(result.flat().toSorted((a, b) => a - b)).toEqual(numbers(data.length));
		expect(repeating(result, row => data[row]!.pos)).toEqual([]);
	}
});

test('A text is never said to be rarer than it is', () => {
	const random = randomOf(9);
	const crowding = new Crowding(0);
	const times = new Map<number, number>();
	for (const _ of numbers(3000)) {
		const hashes = numbers(1 + below(random, 3)).map(() => textHash(`${below(random, 400)}`));
		crowding.add(hashes);
		for (const hash of hashes) times.set(hash, (times.get(hash) ?? 0) + 1);
	}

	expect(crowding.repeats).toBeGreaterThanOrEqual(Math.max(...times.values()));
	expect(crowding.repeats).toBeLessThan(4 * Math.max(...times.values()));
	expect(crowding.texts).toBe(3);
});

test('Windows begin where the order of the file says', async () => {
	const rows = await rowsIn([distinct(50)]);
	const plan = await planEpoch(rows, {epoch: 0, batchSize: 4, order: 'file', window: 8});
	expect((await batchesOf(plan)).flat()).toEqual(numbers(50));
	expect(plan.length).toBe(13);
});
