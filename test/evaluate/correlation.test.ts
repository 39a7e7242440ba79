import {existsSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {
	averageRanks,
	countedPearson,
	countedRanks,
	pearson,
	risingOrder,
	spearman,
} from '../../dist/evaluate/correlation.js';

const shared = join(process.env.INBATCH_SHARED ?? join('..', 'shared'), 'data', 'metrics');

describe('pearson', () => {
	test('is 1 and -1 for a line', () => {
		expect(pearson([1, 2, 3], [10, 20, 30])).toBe(1);
		expect(pearson([1, 2, 3], [3, 2, 1])).toBe(-1);
	});

	test('is covariance over the deviations', () => {
		// Deviations (-1.5, -0.5, 0.5, 1.5) and (-1, -1, 1, 1): 4 / sqrt(5 · 4).
		expect(pearson([1, 2, 3, 4], [1, 1, 3, 3])).toBeCloseTo(4 / Math.sqrt(20), 15);
	});

	test('does not lose small differences of large numbers', () => {
		expect(pearson([1e9 + 1, 1e9 + 2, 1e9 + 3], [1, 2, 3])).toBeCloseTo(1, 12);
	});

	test('is undefined where a side does not vary, even if its sum is rounded', () => {
		expect(pearson([0.1, 0.1, 0.1], [1, 2, 3])).toBeNaN();
	});
});

describe('spearman', () => {
	test('equal values share their mean rank', () => {
		expect([...averageRanks([20, 10, 20, 30])]).toEqual([2.5, 1, 2.5, 4]);
	});

	test('agrees with the formula of squared rank differences where nothing is tied', () => {
		const x = [3, 1, 4, 1.5, 5, 9, 2.6];
		const y = [2, 7, 1, 8, 2.8, 1.8, 4];
		const [ranksX, ranksY] = [averageRanks(x), averageRanks(y)];
		const squares = ranksX.reduce((sum, rank, n) => sum + (rank - ranksY[n]!) ** 2, 0);
		expect(spearman(x, y)).toBeCloseTo(1 - (6 * squares) / (7 * (49 - 1)), 12);
	});

	test('sees only order', () => {
		expect(spearman([1, 2, 3, 4], [1, 10, 100, 1000])).toBe(1);
	});

	test('takes typed arrays', () => {
		expect(spearman(Float32Array.of(1, 2, 3), Float64Array.of(3, 2, 1))).toBe(-1);
	});
});

describe('a sample given by counts', () => {
	const x = Float64Array.of(5, 2, 2, 9, 4);
	const y = Float64Array.of(1, 3, 2, 2, 7);
	const counts = Uint32Array.of(2, 1, 0, 3, 1);
	const rows = [0, 0, 1, 3, 3, 3, 4];

	test('has the correlation of the sample written out', () => {
		const written = pearson(
			rows.map(row => x[row]!),
			rows.map(row => y[row]!),
		);
		expect(countedPearson(x, y, counts)).toBeCloseTo(written, 12);
	});

	test('has the ranks of the sample written out', () => {
		const ranks = countedRanks(x, risingOrder(x), counts);
		const written = averageRanks(rows.map(row => x[row]!));
		expect(rows.map(row => ranks[row])).toEqual([...written]);
	});
});

const table = join(shared, 'sts_dev_jaccard.tsv');
test.skipIf(!existsSync(table))('STS-B dev has the known values (needs the shared data)', () => {
	const rows = readFileSync(table, 'utf8').trim().split('\n').slice(1);
	const gold = rows.map(row => Number(row.split('\t')[0]));
	const predicted = rows.map(row => Number(row.split('\t')[1]));
	// The table has one gold score with six digits, the known value was computed from fifteen of them.
	expect(pearson(gold, predicted)).toBeCloseTo(0.6497219497, 8);
	expect(spearman(gold, predicted)).toBeCloseTo(0.6530473465, 9);
});

describe('wrong use', () => {
	const refused = expect.objectContaining({code: 'OP_INVALID'});

	test.each([
		['unequal lengths', [1, 2], [1, 2, 3]],
		['a single pair', [1], [1]],
		['a value that is not finite', [1, Number.NaN], [1, 2]],
	])('%s is refused', (_, x, y) => {
		expect(() => pearson(x, y)).toThrow(refused);
		expect(() => spearman(x, y)).toThrow(refused);
	});
});
