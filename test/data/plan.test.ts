import {expect, onTestFinished, test} from 'vitest';
import type {ChoiceOptions} from '../../dist/data/choose.js';
import {openDataset} from '../../dist/data/dataset.js';
import {type PlanOptions, planEpoch as planned} from '../../dist/data/mixing.js';
import {Rows} from '../../dist/data/rows.js';

const numbers = (length: number) => Array.from({length}, (_, n) => n);

async function rowsOf(data: object[], options: ChoiceOptions = {}) {
	const dataset = await openDataset([data]);
	onTestFinished(() => dataset.close());
	return Rows.select(dataset, options);
}

/** All batches of an epoch, and how many rows it leaves out. */
async function planEpoch(rows: Rows, options: PlanOptions) {
	const plan = await planned(rows, options);
	const batches: Uint32Array[] = [];
	for await (const batch of plan.from(0)) batches.push(batch);
	expect(batches).toHaveLength(plan.length);
	return {batches, dropped: plan.dropped};
}

const distinct = (length: number) => numbers(length).map(n => ({query: `q${n}`, pos: `p${n}`}));
const sizes = (batches: Uint32Array[]) => batches.map(batch => batch.length);
const sorted = (batches: Uint32Array[]) =>
	batches.flatMap(batch => [...batch]).sort((a, b) => a - b);

/** How often a text of one row is a text of another row of its batch. */
async function repeats(rows: Rows, batches: Uint32Array[], epoch = 0): Promise<number> {
	let count = 0;
	for (const batch of batches) {
		const texts = await rows.read(batch, epoch);
		const all = texts.flatMap(row => [...new Set([row.query, row.positive, ...row.negatives])]);
		count += all.length - new Set(all).size;
	}

	return count;
}

test('Distinct rows fill batches in a random order; the last one is partial', async () => {
	const rows = await rowsOf(distinct(100));
	const {batches, dropped} = await planEpoch(rows, {epoch: 0, batchSize: 32, seed: 1});
	expect([sizes(batches), dropped]).toEqual([[32, 32, 32, 4], 0]);
	expect(sorted(batches)).toEqual(numbers(100));
	expect([...batches[0]!]).not.toEqual(numbers(32));
});

test('The plan is a function of seed and epoch', async () => {
	const rows = await rowsOf(distinct(100));
	const plan = (seed: number, epoch: number) => planEpoch(rows, {epoch, batchSize: 32, seed});
	expect(await plan(1, 0)).toEqual(await plan(1, 0));
	expect(await plan(1, 1)).not.toEqual(await plan(1, 0));
	expect(await plan(2, 0)).not.toEqual(await plan(1, 0));
});

test('The order of the file is kept when asked for', async () => {
	const rows = await rowsOf(distinct(7));
	const {batches} = await planEpoch(rows, {epoch: 0, batchSize: 3, order: 'file'});
	expect(batches.map(batch => [...batch])).toEqual([
		[0, 1, 2],
		[3, 4, 5],
	]);
});

test('Rows that would repeat a text wait, and none is lost', async () => {
	// Queries, positives and negatives repeat, also across the three.
	const data = numbers(500).map(n => ({
		query: `t${n}`,
		pos: `p${n % 40}`,
		neg: [`p${(n * 7 + 3) % 40}`, `t${(n * 31) % 500}`, `n${n}`],
	}));
	const rows = await rowsOf(data);
	const {batches, dropped} = await planEpoch(rows, {epoch: 0, batchSize: 16, seed: 5});
	expect([dropped, sorted(batches)]).toEqual([0, numbers(500)]);
	expect(Math.max(...sizes(batches))).toBeLessThanOrEqual(16);
	expect(await repeats(rows, batches)).toBe(0);
	const allowed = await planEpoch(rows, {epoch: 0, batchSize: 16, seed: 5, duplicates: 'allow'});
	expect(await repeats(rows, allowed.batches)).toBeGreaterThan(0);
});

test('Few repeats cost no batch', async () => {
	const data = numbers(640).map(n => ({query: `q${n}`, pos: `p${n >> 1}`}));
	const rows = await rowsOf(data);
	const {batches} = await planEpoch(rows, {epoch: 0, batchSize: 64, seed: 1});
	expect(batches.length).toBeLessThanOrEqual(11);
	expect(await repeats(rows, batches)).toBe(0);
});

test('A text in every row makes batches of one, dropped without negatives and kept with', async () => {
	const same = numbers(5).map(n => ({query: `s${n}`, pos: 'same'}));
	const rows = await rowsOf([...same, ...distinct(3)]);
	const {batches, dropped} = await planEpoch(rows, {epoch: 0, batchSize: 8, seed: 1});
	expect([batches.length, batches[0]!.length, dropped]).toEqual([1, 4, 4]);

	const own = await rowsOf(same.map((row, n) => ({...row, neg: `n${n}`})));
	const kept = await planEpoch(own, {epoch: 0, batchSize: 8, seed: 1});
	expect([sizes(kept.batches), kept.dropped]).toEqual([[1, 1, 1, 1, 1], 0]);
});

test('A text that a row repeats itself is no repeat', async () => {
	const data = numbers(4).map(n => ({query: `t${n}`, pos: `t${n}`, neg: [`n${n}`, `n${n}`]}));
	const rows = await rowsOf(data);
	for (const order of ['shuffle', 'file'] as const) {
		const {batches} = await planEpoch(rows, {epoch: 0, batchSize: 4, order});
		expect(sizes(batches)).toEqual([4]);
	}
});

test('What is planned is what is chosen in that epoch', async () => {
	const data = numbers(60).map(n => ({
		query: `q${n}`,
		pos: ['x', 'y', 'z'].map(name => `${name}${n % 9}`),
	}));
	const rows = await rowsOf(data, {positives: 'random', seed: 4});
	for (const epoch of numbers(4)) {
		const {batches} = await planEpoch(rows, {epoch, batchSize: 8, seed: 4});
		expect(await repeats(rows, batches, epoch)).toBe(0);
	}
});

test('The rows of one query go to different batches', async () => {
	const data = numbers(20).map(n => ({query: `q${n}`, pos: [`a${n}`, `b${n}`, `c${n}`]}));
	const rows = await rowsOf(data, {positives: 'each'});
	const {batches, dropped} = await planEpoch(rows, {epoch: 0, batchSize: 10, seed: 2});
	expect(new Set(sorted(batches)).size + dropped).toBe(60);
	expect(await repeats(rows, batches)).toBe(0);
});

test('In the order of the file a repeat is an error that names both lines', async () => {
	const rows = await rowsOf([...distinct(5), {query: 'new', pos: 'q1'}]);
	const plan = (batchSize: number) => planEpoch(rows, {epoch: 0, batchSize, order: 'file'});
	await expect(plan(6)).rejects.toMatchObject({
		code: 'DATA_DUPLICATE',
		message:
			'records:6: expected no text twice in a batch, got "q1" of records:2 again; ' +
			'use --allow-duplicates or --order shuffle',
	});
	expect(sizes((await plan(3)).batches)).toEqual([3, 3]);
	const allowed = await planEpoch(rows, {
		epoch: 0,
		batchSize: 6,
		order: 'file',
		duplicates: 'allow',
	});
	expect(sizes(allowed.batches)).toEqual([6]);
});

test('Rows left out for want of negatives are in no batch', async () => {
	const rows = await rowsOf(
		distinct(6).map((row, n) => ({...row, neg: n % 2 ? [`n${n}`] : []})),
		{negatives: 1, onShortage: 'drop'},
	);
	const {batches} = await planEpoch(rows, {epoch: 0, batchSize: 8, order: 'file'});
	expect(batches.map(batch => [...batch])).toEqual([[1, 3, 5]]);
});

test('Rows that are all alone without negatives are refused', async () => {
	const rows = await rowsOf(distinct(3));
	const plan = planEpoch(rows, {epoch: 0, batchSize: 1});
	await expect(plan).rejects.toMatchObject({code: 'TRAIN_BATCH'});
	const one = planEpoch(await rowsOf(distinct(1)), {epoch: 0, batchSize: 64});
	await expect(one).rejects.toMatchObject({code: 'TRAIN_BATCH'});
});

test.each([0, -1, 1.5])('A batch of %d is refused', async batchSize => {
	const plan = planEpoch(await rowsOf(distinct(3)), {epoch: 0, batchSize});
	await expect(plan).rejects.toMatchObject({code: 'OPTION_RANGE'});
});

test('A text in 100000 rows is planned like any other', async () => {
	const data = numbers(100_000).map(n => ({query: `q${n}`, pos: `p${n}`, neg: ['no']}));
	const {batches} = await planEpoch(await rowsOf(data), {epoch: 0, batchSize: 64});
	expect([batches.length, Math.max(...sizes(batches))]).toEqual([100_000, 1]);
});

test('An abort ends the planning with the reason of the signal', async () => {
	const reason = new Error('enough');
	const rows = await rowsOf(distinct(20_000));
	const plan = planEpoch(rows, {epoch: 0, batchSize: 2, signal: AbortSignal.abort(reason)});
	await expect(plan).rejects.toBe(reason);
});
