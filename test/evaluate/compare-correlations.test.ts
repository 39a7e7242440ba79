import {describe, expect, test} from 'vitest';
import {compareCorrelations} from '../../dist/evaluate/compare-correlations.js';
import {pearson, spearman} from '../../dist/evaluate/correlation.js';
import {randomStream} from '../../dist/evaluate/resampling.js';

interface Sample {
	gold: number[];
	before: number[];
	after: number[];
}

// Gold scores of 0 to 5 in steps of 0.2, and two systems that add noise to them.
function sample(pairs: number, seed: number, [before, after]: [number, number]): Sample {
	const next = randomStream(seed);
	const uniform = () => next() / 2 ** 32;
	const gold = Array.from({length: pairs}, () => Math.round(uniform() * 25) / 5);
	return {
		gold,
		before: gold.map(score => score + before * uniform()),
		after: gold.map(score => score + after * uniform()),
	};
}

// The p-value of all 2^n exchanges, on values that already have one scale.
function exactExchange({gold, before, after}: Sample): number {
	const differenceOf = (left: number[], right: number[]) =>
		Math.abs(pearson(gold, right) - pearson(gold, left));
	const observed = differenceOf(before, after);
	const patterns = 2 ** gold.length;
	let reached = 0;
	for (let pattern = 0; pattern < patterns; pattern += 1) {
		const isExchanged = (n: number) => ((pattern >> n) & 1) === 1;
		const left = before.map((value, n) => (isExchanged(n) ? after[n]! : value));
		const right = after.map((value, n) => (isExchanged(n) ? before[n]! : value));
		if (differenceOf(left, right) >= observed - 1e-12) reached += 1;
	}

	return reached / patterns;
}

const ranksOfTen = [3, 1, 8, 2, 9, 10, 4, 7, 5, 6];

describe.each(['spearman', 'pearson'] as const)('%s', kind => {
	const correlate = {spearman, pearson}[kind];

	test('the difference is that of the two correlations', async () => {
		const data = sample(200, 1, [4, 3]);
		const {difference} = await compareCorrelations(kind, data);
		const expected = correlate(data.gold, data.after) - correlate(data.gold, data.before);
		expect(difference).toBeCloseTo(expected, 12);
	});

	test('a clear improvement has an interval above 0 and a small p', async () => {
		const {interval, p} = await compareCorrelations(kind, sample(300, 2, [8, 2]));
		expect(interval[0]).toBeGreaterThan(0);
		expect(p).toBeLessThan(0.001);
	});

	test('a system and itself differ by nothing', async () => {
		const {gold, before} = sample(100, 3, [4, 4]);
		const same = await compareCorrelations(kind, {gold, before, after: before});
		expect(same).toEqual({difference: 0, interval: [0, 0], p: 1});
	});

	test('another scale of one system changes nothing', async () => {
		const data = sample(100, 4, [4, 3]);
		const scaled = {...data, after: data.after.map(value => 1000 * value - 7)};
		const [plain, other] = [
			await compareCorrelations(kind, data),
			await compareCorrelations(kind, scaled),
		];
		expect(other.p).toBe(plain.p);
		expect(other.interval[0]).toBeCloseTo(plain.interval[0], 9);
		expect(other.interval[1]).toBeCloseTo(plain.interval[1], 9);
	});

	test('p is close to that of all exchanges', async () => {
		// Permutations of the same ten numbers are their own ranks and have one scale.
		const data = {
			gold: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
			before: ranksOfTen,
			after: [2, 1, 4, 3, 5, 7, 6, 10, 8, 9],
		};
		const exact = exactExchange(data);
		const {p} = await compareCorrelations(kind, data, {resamples: 20_000});
		expect(Math.abs(p - exact)).toBeLessThan(5 * Math.sqrt(0.25 / 20_000));
	});

	test('systems that are equally good are told apart by chance about 5 times of 100', async () => {
		const trials = Array.from({length: 100}, async (_, trial) => {
			const data = sample(40, 100 + trial, [4, 4]);
			return (await compareCorrelations(kind, data, {resamples: 2000, seed: trial})).p;
		});
		const small = (await Promise.all(trials)).filter(p => p <= 0.05).length;
		// 5 expected, standard deviation 2.2.
		expect(small).toBeLessThan(14);
	});

	test('the same seed gives the same numbers', async () => {
		const data = sample(100, 5, [4, 3]);
		const first = await compareCorrelations(kind, data, {seed: 9});
		expect(await compareCorrelations(kind, data, {seed: 9})).toEqual(first);
	});

	test('predictions that do not vary have no correlation to compare', async () => {
		const {gold, before} = sample(10, 6, [4, 4]);
		const constant = {gold, before, after: before.map(() => 0.5)};
		const nothing = {difference: Number.NaN, interval: [Number.NaN, Number.NaN], p: Number.NaN};
		expect(await compareCorrelations(kind, constant)).toEqual(nothing);
	});

	test('resamples without variation are drawn again', async () => {
		const few = {gold: [0, 0, 1], before: [1, 2, 3], after: [3, 2, 1]};
		const {interval} = await compareCorrelations(kind, few);
		expect(interval.every(Number.isFinite)).toBe(true);
	});
});
