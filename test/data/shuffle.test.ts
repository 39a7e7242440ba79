import {describe, expect, test} from 'vitest';
import {below, randomOf} from '../../dist/data/random.js';
import {RowStarts} from '../../dist/data/row-starts.js';
import {Selection} from '../../dist/data/selection.js';
import {Shuffle} from '../../dist/data/shuffle.js';
import {numbers} from './batches.js';

describe('a shuffle of more than a window', () => {
	const sizes = {window: 256, block: 8};
	const key = {seed: 4, epoch: 2};

	test.each([257, 1000, 1024, 5003])('of %d numbers has each once', async length => {
		const order = await new Shuffle(length, key, sizes).rows(0, length);
		expect([...order].toSorted((a, b) => a - b)).toEqual(numbers(length));
	});

	test('is the same from any place, and another for another key', async () => {
		const order = await new Shuffle(5003, key, sizes).rows(0, 5003);
		for (const [begin, end] of [
			[0, 1],
			[255, 257],
			[1000, 4001],
			[5002, 5003],
		] as const) {
			expect(await new Shuffle(5003, key, sizes).rows(begin, end)).toEqual(order.slice(begin, end));
		}

		for (const other of [
			{seed: 5, epoch: 2},
			{seed: 4, epoch: 3},
			{...key, stream: 1},
		]) {
			expect(await new Shuffle(5003, other, sizes).rows(0, 5003)).not.toEqual(order);
		}
	});

	test('brings numbers from everywhere into a window, and parts neighbours', async () => {
		const order = await new Shuffle(2 ** 14, key, sizes).rows(0, 2 ** 14);
		const window = [...order.slice(0, 256)];
		expect(Math.min(...window)).toBeLessThan(2 ** 11);
		expect(Math.max(...window)).toBeGreaterThan(2 ** 14 - 2 ** 11);
		const follows = numbers(2 ** 14 - 1).filter(n => order[n + 1] === order[n]! + 1);
		expect(follows.length).toBeLessThan(2 ** 14 / 100);
	});

	test('cuts the blocks elsewhere in another epoch', async () => {
		const begins = async (epoch: number) => {
			const order = await new Shuffle(4096, {seed: 4, epoch}, sizes).rows(0, 256);
			return new Set([...order].map(n => n - (n % 8))).size;
		};
		// Blocks that begin at multiples of eight would make 32 such groups.
		const groups = await Promise.all([0, 1, 2].map(begins));
		expect(Math.max(...groups)).toBeGreaterThan(40);
	});
});

test('A selection finds what it was told, by number and by place', async () => {
	const random = randomOf(7);
	for (const chance of [2, 50, 100, 1]) {
		const used = numbers(5000).filter(() => below(random, 100) < chance);
		const known = new Set(used);
		const selection = await Selection.of(5000, row => known.has(row));
		expect(selection.length).toBe(used.length);
		expect(used.map((_, n) => selection.at(n))).toEqual(used);
		for (const row of [0, 1, 31, 32, 511, 512, 513, 4999, 5000]) {
			expect(selection.before(row)).toBe(used.filter(other => other < row).length);
		}
	}
});

test('The rows of records are found from both sides', async () => {
	const random = randomOf(8);
	const counts = numbers(100).map(() => 1 + below(random, 5));
	const starts = await RowStarts.of(100, record => counts[record]!);
	const expected = counts.flatMap((count, record) => numbers(count).map(own => ({record, own})));
	expect(starts.length).toBe(expected.length);
	expect(expected.map((_, row) => starts.find(row))).toEqual(expected);
	const firsts = numbers(101).map(n => counts.slice(0, n).reduce((a, b) => a + b, 0));
	expect(numbers(101).map(record => starts.first(record))).toEqual(firsts);
});
