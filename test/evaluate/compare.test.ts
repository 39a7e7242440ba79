import {describe, expect, test} from 'vitest';
import {compareMetrics, comparePaired} from '../../dist/evaluate/compare.js';
import {randomStream} from '../../dist/evaluate/resampling.js';

// What differs from query to query, without ties and without a pattern.
function noise(length: number, seed: number): number[] {
	const next = randomStream(seed);
	return Array.from({length}, () => next() / 2 ** 32 - 0.5);
}

function shifted(values: readonly number[], by: number, spread: readonly number[]): number[] {
	return values.map((value, n) => value + by + spread[n]!);
}

// The share of all 2^n sign patterns whose sum is as far from 0 as the sum of the differences.
function exactSignFlip(differences: readonly number[]): number {
	const observed = Math.abs(differences.reduce((sum, value) => sum + value, 0));
	const patterns = 2 ** differences.length;
	let reached = 0;
	for (let pattern = 0; pattern < patterns; pattern += 1) {
		const sum = differences.reduce(
			(total, value, n) => total + ((pattern >> n) & 1 ? value : -value),
			0,
		);
		if (Math.abs(sum) >= observed - 1e-12) reached += 1;
	}

	return reached / patterns;
}

describe('the mean difference', () => {
	test('is that of after minus before', async () => {
		const {difference} = await comparePaired([0.5, 0.25, 0.75], [0.75, 0.5, 0.5]);
		expect(difference).toBeCloseTo(0.25 / 3, 12);
	});

	test('of a system and itself is 0 with no interval and p = 1', async () => {
		const values = noise(50, 1);
		expect(await comparePaired(values, values)).toEqual({difference: 0, interval: [0, 0], p: 1});
	});

	test('changes its sign when the systems are exchanged, and p stays', async () => {
		const before = noise(80, 1);
		const after = shifted(before, 0.05, noise(80, 2));
		const forth = await comparePaired(before, after);
		const back = await comparePaired(after, before);
		expect(back.difference).toBe(-forth.difference);
		expect(back.interval[0]).toBeCloseTo(-forth.interval[1], 12);
		expect(back.p).toBe(forth.p);
	});
});

describe('the interval', () => {
	test('is about 1.96 standard errors wide on each side for many queries', async () => {
		const before = noise(2000, 3);
		const after = shifted(before, 0.1, noise(2000, 4));
		const {difference, interval} = await comparePaired(before, after);
		// The spread is uniform over a width of 1, so its variance is 1 / 12.
		const side = 1.96 * Math.sqrt(1 / 12 / 2000);
		expect(interval[0]).toBeGreaterThan(difference - 1.1 * side);
		expect(interval[0]).toBeLessThan(difference - 0.9 * side);
		expect(interval[1]).toBeGreaterThan(difference + 0.9 * side);
		expect(interval[1]).toBeLessThan(difference + 1.1 * side);
	});

	test('holds the true difference about 95 times of 100', async () => {
		const trials = Array.from({length: 200}, async (_, trial) => {
			const before = noise(60, 1000 + trial);
			const after = shifted(before, 0.1, noise(60, 5000 + trial));
			const {interval} = await comparePaired(before, after, {resamples: 2000, seed: trial});
			return interval[0] <= 0.1 && 0.1 <= interval[1];
		});
		const held = (await Promise.all(trials)).filter(Boolean).length;
		// 190 expected, standard deviation 3; small samples are a little too narrow.
		expect(held).toBeGreaterThan(178);
		expect(held).toBeLessThan(200);
	});

	test('is wider with more confidence', async () => {
		const [before, after] = [noise(100, 5), noise(100, 6)];
		const usual = await comparePaired(before, after);
		const sure = await comparePaired(before, after, {confidence: 0.99});
		expect(sure.interval[0]).toBeLessThan(usual.interval[0]);
		expect(sure.interval[1]).toBeGreaterThan(usual.interval[1]);
	});
});

describe('the p-value', () => {
	test.each([1, 2, 3, 4])('is close to that of all sign patterns (case %i)', async seed => {
		const before = noise(10, seed);
		const after = shifted(before, 0.08, noise(10, seed + 10));
		const differences = after.map((value, n) => value - before[n]!);
		const exact = exactSignFlip(differences);
		const {p} = await comparePaired(before, after, {resamples: 20_000, seed});
		// Five standard errors of a share of 20000.
		expect(Math.abs(p - exact)).toBeLessThan(5 * Math.sqrt(0.25 / 20_000));
	});

	test('is never 0: the observed order is one of the resamples', async () => {
		const before = new Array(40).fill(0);
		const {p} = await comparePaired(
			before,
			before.fill(0).map(() => 1),
			{resamples: 2000},
		);
		expect(p).toBe(1 / 2001);
	});

	test('counts a resample that differs only by rounding', async () => {
		// Both signs of one query and three: every pattern reaches 0.1 + 0.2 - 0.3, which is not quite 0.
		const {p} = await comparePaired([0, 0, 0], [0.1, 0.2, -0.3]);
		expect(p).toBe(1);
	});
});

describe('repeating', () => {
	const [before, after] = [noise(100, 7), noise(100, 8)];

	test('the same seed gives the same numbers', async () => {
		const first = await comparePaired(before, after, {seed: 5});
		expect(await comparePaired(before, after, {seed: 5})).toEqual(first);
	});

	test('another seed gives others, also above 32 bits', async () => {
		const seeds = [5, 6, 5 + 2 ** 32];
		const intervals = seeds.map(
			async seed => (await comparePaired(before, after, {seed})).interval,
		);
		const lows = (await Promise.all(intervals)).map(([low]) => low);
		expect(new Set(lows).size).toBe(3);
	});
});

describe('metrics of many queries', () => {
	const queries = (values: readonly number[], name = 'q') =>
		new Map(values.map((value, n) => [`${name}${n}`, {'ndcg@10': value, mrr: value / 2}]));
	const [before, after] = [noise(60, 9), noise(60, 10)];

	test('are compared one by one, each as alone', async () => {
		const all = await compareMetrics(queries(before), queries(after), {seed: 3});
		expect(Object.keys(all)).toEqual(['ndcg@10', 'mrr']);
		expect(all['ndcg@10']).toEqual(await comparePaired(before, after, {seed: 3}));
		expect(all.mrr!.difference).toBeCloseTo(all['ndcg@10']!.difference / 2, 12);
	});

	test('do not depend on the order of the other system', async () => {
		const forth = await compareMetrics(queries(before), queries(after));
		const turned = new Map([...queries(before)].reverse());
		expect(await compareMetrics(turned, queries(after))).toEqual(forth);
	});

	test('need the same queries on both sides', async () => {
		const refused = expect.objectContaining({code: 'OP_INVALID'});
		await expect(compareMetrics(queries(before), queries(after, 'x'))).rejects.toThrow(refused);
		await expect(compareMetrics(queries([1]), queries([1, 2]))).rejects.toThrow(refused);
		await expect(compareMetrics(new Map(), new Map())).rejects.toThrow(refused);
	});
});

describe('options', () => {
	test.each([{resamples: 1999}, {resamples: 2000.5}, {seed: -1}, {confidence: 1}])(
		'%o is out of range',
		async options => {
			await expect(comparePaired([1, 2], [2, 3], options)).rejects.toThrow(
				expect.objectContaining({code: 'OPTION_RANGE'}),
			);
		},
	);

	test('an abort rejects with the reason of the signal', async () => {
		const reason = new Error('enough');
		const signal = AbortSignal.abort(reason);
		await expect(comparePaired([1, 2], [2, 3], {signal})).rejects.toBe(reason);
	});

	test('the event loop runs meanwhile', async () => {
		let turns = 0;
		const timer = setInterval(() => {
			turns += 1;
		}, 1);
		await comparePaired(noise(5000, 1), noise(5000, 2));
		clearInterval(timer);
		expect(turns).toBeGreaterThan(10);
	});
});
