import {describe, expect, test} from 'vitest';
import {type MixingOptions, type PlanOptions, planEpoch} from '../../dist/data/mixing.js';
import type {Rows} from '../../dist/data/rows.js';
import {temporaryFolder} from '../files/folder.js';
import {batchesIn, batchesOf, distinct, numbers, rowsIn} from './batches.js';

const {put} = temporaryFolder();
const lines = (records: object[]) => records.map(record => `${JSON.stringify(record)}\n`).join('');

/** Sets a, b, … of so many records, none with a text of another. */
function setsOf(...lengths: number[]): string[] {
	return lengths.map((length, n) => {
		const name = String.fromCharCode(97 + n);
		return `${name}=${put(`${name}${length}.jsonl`, lines(distinct(length, name)))}`;
	});
}

/** How many of the rows are of each set. */
async function shares(rows: Rows, batch: readonly number[]): Promise<number[]> {
	const texts = await rows.read(batch, 0);
	return rows.sets.map((_, set) => texts.filter(row => row.set === set).length);
}

const free = {duplicates: 'allow', seed: 3} as const;

describe('weighted', () => {
	const half = {mixing: 'weighted', weight: ['a=.5', 'b=.5'], ...free} as const;

	test('every set has its share of rows at any place, to a row', async () => {
		const rows = await rowsIn(setsOf(100, 10));
		const order: number[] = [];
		for (const epoch of numbers(10)) {
			const batches = await batchesIn(rows, {...half, epoch, batchSize: 10});
			order.push(...batches.flat());
		}

		for (const drawn of [1, 7, 500, 1000]) {
			const [a, b] = await shares(rows, order.slice(0, drawn));
			expect(Math.abs(a! - b!)).toBeLessThanOrEqual(1);
		}

		const times = numbers(10).map(n => order.slice(0, 1000).filter(row => row === 100 + n).length);
		expect(times).toEqual(times.map(() => 50));
	});

	test('a small set is passed again and again, each time in another order', async () => {
		const rows = await rowsIn(setsOf(3));
		const options = {mixing: 'weighted', weight: {a: 1}, ...free, batchSize: 4} as const;
		const order: number[] = [];
		for (const epoch of numbers(27))
			order.push(...(await batchesIn(rows, {...options, epoch})).flat());
		const drawn = order.slice(0, 80);
		const times = numbers(3).map(row => drawn.filter(each => each === row).length);
		expect(times.toSorted()).toEqual([26, 27, 27]);
		const passes = numbers(26).map(pass => drawn.slice(3 * pass, 3 * pass + 3));
		for (const pass of passes) expect(pass.toSorted()).toEqual([0, 1, 2]);
		expect(new Set(passes.map(String)).size).toBeGreaterThan(3);
	});

	test('no text stands twice in a batch, though rows are drawn more than once', async () => {
		const rows = await rowsIn(setsOf(40, 5));
		const batches = await batchesIn(rows, {...half, duplicates: 'refuse', epoch: 0, batchSize: 8});
		for (const batch of batches) expect(new Set(batch).size).toBe(batch.length);
		expect(batches.flat()).toHaveLength(45);
	});

	test('a set without a weight, a weight without a set and one that is no number are refused', async () => {
		const rows = await rowsIn(setsOf(4, 6));
		const plan = (weight: string[]) =>
			planEpoch(rows, {mixing: 'weighted', weight, epoch: 0, batchSize: 2});
		await expect(plan(['a=1'])).rejects.toThrow(
			'weight: expected a weight for each of the 2 data sets, got 1, none for b',
		);
		await expect(plan(['a=1', 'b=1', 'bb=1'])).rejects.toThrow(
			'weight: expected the name of a data set, such as b, got "bb"',
		);
		for (const wrong of ['a', 'a=0', 'a=-1', 'a=x', 'a=']) {
			await expect(plan([wrong, 'b=1'])).rejects.toMatchObject({code: 'OPTION_RANGE'});
		}
	});
});

test('Round robin takes of each set in turn', async () => {
	const rows = await rowsIn(setsOf(7, 3, 5));
	const [batch] = await batchesIn(rows, {mixing: 'round-robin', ...free, epoch: 0, batchSize: 15});
	const texts = await rows.read(batch!, 0);
	expect(texts.map(({set}) => set)).toEqual(numbers(15).map(n => n % 3));
});

test.each([
	[1, [64, 16]],
	[2, [53, 27]],
	[1e6, [40, 40]],
])(
	'At temperature %d sets of 64 and 16 rows give so many of 80',
	async (mixingTemperature, wanted) => {
		const rows = await rowsIn(setsOf(64, 16));
		const options = {mixing: 'temperature', mixingTemperature, ...free} as const;
		const [batch] = await batchesIn(rows, {...options, epoch: 0, batchSize: 80});
		expect(await shares(rows, batch!)).toEqual(wanted);
	},
);

test('With the order of the file sets are blended in their own order', async () => {
	const rows = await rowsIn(setsOf(4, 2));
	const options = {mixing: 'round-robin', order: 'file', ...free, epoch: 0, batchSize: 6} as const;
	expect(await batchesIn(rows, options)).toEqual([[0, 4, 1, 5, 2, 4]]);
});

describe('homogeneous', () => {
	const options = {mixing: 'homogeneous', batchSize: 8, seed: 5} as const;

	test.each(['epoch', 'epoch-static', 'epoch-random', 'random'] as const)(
		'%s: a batch is of one set, full, and of distinct rows',
		async homogeneous => {
			const rows = await rowsIn(setsOf(45, 20, 100));
			for (const epoch of [0, 1]) {
				const batches = await batchesIn(rows, {...options, homogeneous, epoch});
				for (const batch of batches) {
					expect((await shares(rows, batch)).filter(count => count > 0)).toEqual([8]);
					expect(new Set(batch).size).toBe(8);
				}
			}
		},
	);

	test('epoch: every batch of every set once; what is left of a set is dropped and counted', async () => {
		const rows = await rowsIn(setsOf(45, 20, 100));
		const first = await planEpoch(rows, {...options, epoch: 0});
		const batches = await batchesOf(first);
		const all = batches.flat();
		expect([first.length, first.cut, new Set(all).size]).toEqual([5 + 2 + 12, 5 + 4 + 4, 152]);
		expect(await shares(rows, all)).toEqual([40, 16, 96]);
		const sets = batches.map(([row]) => (row! < 45 ? 0 : row! < 65 ? 1 : 2));
		expect(sets).not.toEqual(sets.toSorted());
		expect(await batchesIn(rows, {...options, epoch: 1})).not.toEqual(batches);
	});

	test('epoch-static: the same batches in every epoch, in another order', async () => {
		const rows = await rowsIn(setsOf(45, 20, 100));
		const plan = (epoch: number) =>
			planEpoch(rows, {...options, homogeneous: 'epoch-static', epoch});
		const [first, second] = [await batchesOf(await plan(0)), await batchesOf(await plan(1))];
		expect(second).not.toEqual(first);
		expect(second.map(String).toSorted()).toEqual(first.map(String).toSorted());
		expect((await plan(1)).draw).toBe(0);
	});

	test('epoch-random: rows // batch steps, a set by what it has left, all anew when none has', async () => {
		const rows = await rowsIn(setsOf(12, 12, 12));
		const batches = await batchesIn(rows, {...options, homogeneous: 'epoch-random', epoch: 0});
		expect(batches).toHaveLength(4);
		const first = batches.slice(0, 3).map(([row]) => Math.floor(row! / 12));
		expect(first.toSorted()).toEqual([0, 1, 2]);
	});

	test('random: rows // batch steps, a set by its size, rows of it all', async () => {
		const rows = await rowsIn(setsOf(80, 720));
		const counts = [0, 0];
		const seen = new Set<number>();
		for (const epoch of numbers(20)) {
			const batches = await batchesIn(rows, {...options, homogeneous: 'random', epoch});
			expect(batches).toHaveLength(100);
			for (const batch of batches) counts[batch[0]! < 80 ? 0 : 1]!++;
			for (const row of batches.flat()) seen.add(row);
		}

		// A tenth of 2000 batches, give or take five standard deviations.
		expect(Math.abs(counts[0]! - 200)).toBeLessThan(67);
		expect(seen.size).toBe(800);
	});

	test.each(['epoch', 'random'] as const)(
		'%s: a text does not stand twice in a batch',
		async homogeneous => {
			const data = numbers(60).map(n => ({query: `q${n}`, pos: `p${n % 20}`}));
			const rows = await rowsIn([`same=${put(`${homogeneous}.jsonl`, lines(data))}`]);
			const batches = await batchesIn(rows, {...options, homogeneous, epoch: 0});
			expect(batches.length).toBeGreaterThan(3);
			for (const batch of batches) {
				expect(new Set(batch.map(row => row % 20)).size).toBe(batch.length);
			}
		},
	);

	test.each(['epoch', 'epoch-static', 'epoch-random', 'random'] as const)(
		'%s: a set that cannot fill a batch is refused by its name',
		async homogeneous => {
			const rows = await rowsIn(setsOf(45, 7));
			await expect(planEpoch(rows, {...options, homogeneous, epoch: 0})).rejects.toThrow(
				'b: expected 8 rows without a text in common for a batch of its own, got 7 rows',
			);
		},
	);
});

const mixes: [string, MixingOptions][] = [
	['proportional', {}],
	['weighted', {mixing: 'weighted', weight: {a: 3, b: 1, c: 2}}],
	['temperature', {mixing: 'temperature', mixingTemperature: 3}],
	['round-robin', {mixing: 'round-robin'}],
	...(['epoch', 'epoch-static', 'epoch-random', 'random'] as const).map(
		homogeneous =>
			[`homogeneous ${homogeneous}`, {mixing: 'homogeneous', homogeneous}] as [
				string,
				MixingOptions,
			],
	),
];

describe.each(mixes)('%s', (_, mix) => {
	// Windows of a few batches, as data of millions of rows have them.
	const options: PlanOptions = {...mix, epoch: 1, batchSize: 6, seed: 11, window: 24};
	const sources = setsOf(61, 20, 100);

	test('from any batch on a plan is what it is from the first', async () => {
		const rows = await rowsIn(sources);
		const plan = await planEpoch(rows, options);
		const batches = await batchesOf(plan);
		expect(batches).toHaveLength(plan.length);
		for (const first of [1, 4, 11, plan.length - 1, plan.length]) {
			expect(await batchesOf(await planEpoch(rows, options), first)).toEqual(batches.slice(first));
			expect(await batchesOf(plan, first)).toEqual(batches.slice(first));
		}
	});

	test('a plan is a function of seed and epoch', async () => {
		const rows = await rowsIn(sources);
		const batches = await batchesIn(rows, options);
		expect(await batchesIn(rows, options)).toEqual(batches);
		expect(await batchesIn(rows, {...options, seed: 12})).not.toEqual(batches);
		expect(await batchesIn(rows, {...options, epoch: 2})).not.toEqual(batches);
	});
});

test('A set that the choice of rows leaves empty takes no part', async () => {
	const negative = put('neg.jsonl', lines(distinct(6, 'n').map(row => ({...row, neg: ['no']}))));
	const rows = await rowsIn([`with=${negative}`, ...setsOf(5)], {negatives: 1, onShortage: 'drop'});
	expect(rows.sets.map(({name, length}) => [name, length])).toEqual([
		['with', 6],
		['a', 0],
	]);
	for (const mixing of ['round-robin', 'temperature'] as const) {
		const options = {mixing, mixingTemperature: 2, ...free, epoch: 0, batchSize: 6};
		expect((await batchesIn(rows, options)).flat().toSorted()).toEqual(numbers(6));
	}
});
