import {describe, expect, test} from 'vitest';
import {
	compareIds,
	hasRelevant,
	meanMetrics,
	orderRanking,
	queryMetrics,
} from '../../dist/evaluate/metrics.js';
import {meanOverTies, plainMetrics, type Scored} from './plain-metrics.js';

const ranked = (...ids: string[]): Scored[] => ids.map((id, place) => [id, -place]);
const relevant = (...ids: string[]) => new Map(ids.map(id => [id, 1]));
const closeTo = (values: Record<string, number>) =>
	Object.fromEntries(
		Object.entries(values).map(([name, value]) => [name, expect.closeTo(value, 12)]),
	);

describe('one query', () => {
	test('three relevant documents found at ranks 2 and 3 give the golden values', () => {
		const metrics = queryMetrics(ranked('x', 'a', 'b'), relevant('a', 'b', 'c'), {k: [3]});
		expect(metrics['ndcg@3']).toBeCloseTo(0.530721, 6);
		expect(metrics['mrr@3']).toBe(0.5);
		expect(metrics['recall@3']).toBeCloseTo(2 / 3, 12);
		expect(metrics['map@3']).toBeCloseTo(0.388889, 6);
		expect(metrics['hit@3']).toBe(1);
	});

	test('the names are those of the cut-offs, and map and mrr without one', () => {
		const names = Object.keys(queryMetrics(ranked('a'), relevant('a'), {k: [1, 10]}));
		const cut = ['ndcg', 'mrr', 'recall', 'precision', 'map', 'hit'];
		const expected = [...cut.map(name => `${name}@1`), ...cut.map(name => `${name}@10`)];
		expect(names).toEqual([...expected, 'map', 'mrr']);
	});

	test('the cut-offs are 1, 3, 5, 10 and 100 by default', () => {
		const names = Object.keys(queryMetrics(ranked('a'), relevant('a')));
		const cutoffs = names.filter(name => name.startsWith('ndcg')).map(name => name.slice(5));
		expect(cutoffs).toEqual(['1', '3', '5', '10', '100']);
	});

	test('precision divides by k when fewer documents are ranked', () => {
		const metrics = queryMetrics(ranked('a'), relevant('a', 'b'), {k: [10]});
		expect(metrics['precision@10']).toBe(0.1);
	});

	test('map divides by every relevant document, capped_map by at most k', () => {
		const grades = relevant('a', 'b', 'c', 'd');
		const metrics = queryMetrics(ranked('a', 'b'), grades, {k: [2], cappedMap: true});
		expect(metrics['map@2']).toBe(0.5);
		expect(metrics['capped_map@2']).toBe(1);
	});

	test('the gain of a grade is linear', () => {
		const grades = new Map([
			['a', 1],
			['b', 3],
		]);
		const metrics = queryMetrics(ranked('a', 'b'), grades, {k: [2]});
		const expected = (1 + 3 / Math.log2(3)) / (3 + 1 / Math.log2(3));
		expect(metrics['ndcg@2']).toBeCloseTo(expected, 12);
	});

	test('a negative grade is as good as none', () => {
		const grades = new Map([
			['a', -2],
			['b', 1],
		]);
		const metrics = queryMetrics(ranked('a', 'b'), grades, {k: [2]});
		expect(metrics).toMatchObject({'ndcg@2': 1 / Math.log2(3), 'mrr@2': 0.5, 'recall@2': 1});
	});

	test('nothing found is 0 everywhere', () => {
		const metrics = queryMetrics([], relevant('a'), {k: [5]});
		expect(new Set(Object.values(metrics))).toEqual(new Set([0]));
	});

	test('a Map of scores in any order is a ranking', () => {
		const scores = new Map([
			['low', 0.1],
			['high', 0.9],
		]);
		expect(queryMetrics(scores, relevant('high'), {k: [1]})['hit@1']).toBe(1);
	});
});

describe('equal scores', () => {
	const tied: Scored[] = [
		['b', 1],
		['a', 1],
		['c', 1],
	];

	test('trec ranks the highest id first', () => {
		expect(orderRanking(tied, 'trec').map(([id]) => id)).toEqual(['c', 'b', 'a']);
	});

	test('stable keeps the given order', () => {
		expect(orderRanking(tied, 'stable').map(([id]) => id)).toEqual(['b', 'a', 'c']);
	});

	test('stable still puts better scores first', () => {
		const ranking: Scored[] = [
			['low', 0],
			['high', 1],
		];
		expect(orderRanking(ranking, 'stable').map(([id]) => id)).toEqual(['high', 'low']);
	});

	test('a scorer that knows nothing gets no more than chance when ties are expected values', () => {
		const nothing = Array.from({length: 10}, (_, n): Scored => [`d${n}`, 0]);
		const metrics = queryMetrics(nothing, relevant('d9'), {k: [1, 10], ties: 'expected'});
		const harmonic = nothing.reduce((sum, _, place) => sum + 1 / (place + 1), 0);
		expect(metrics['hit@1']).toBeCloseTo(0.1, 12);
		expect(metrics['mrr@10']).toBeCloseTo(harmonic / 10, 12);
	});

	const scores = {
		'all tied': [1, 1, 1, 1, 1, 1],
		'two groups': [2, 2, 2, 1, 1, 1],
		'a group across every cut-off': [3, 2, 2, 2, 2, 1],
		'no ties': [6, 5, 4, 3, 2, 1],
		'tied pairs': [3, 3, 2, 2, 1, 1],
	};
	const grades = {
		'one relevant': new Map([['d3', 1]]),
		'graded, one of them not ranked': new Map([
			['d0', 2],
			['d2', 1],
			['d4', 3],
			['missing', 2],
		]),
		'all relevant': new Map([0, 1, 2, 3, 4, 5].map(n => [`d${n}`, n + 1])),
	};
	const grid = Object.entries(scores).flatMap(([ties, values]) =>
		Object.entries(grades).flatMap(([kind, judged]) =>
			[1, 2, 3, 5, 10].map(k => ({ties, kind, k, values, judged})),
		),
	);

	test.each(grid)('expected is the mean over all orders: $ties, $kind, k = $k', row => {
		const ranking = row.values.map((score, n): Scored => [`d${n}`, score]);
		const options = {k: [row.k], ties: 'expected', cappedMap: true} as const;
		const metrics = queryMetrics(ranking, row.judged, options);
		expect(metrics).toEqual(closeTo(meanOverTies(ranking, row.judged, row.k)));
	});

	test.each(grid)('trec is the plain metric of its order: $ties, $kind, k = $k', row => {
		const ranking = row.values.map((score, n): Scored => [`d${n}`, score]);
		const order = orderRanking(ranking).map(([id]) => id);
		const metrics = queryMetrics(ranking, row.judged, {k: [row.k], cappedMap: true});
		expect(metrics).toEqual(closeTo(plainMetrics(order, row.judged, row.k)));
	});
});

describe('ids', () => {
	test('are compared as strcmp compares their UTF-8', () => {
		const ids = [
			'a',
			'B',
			'10',
			'9',
			'',
			'ab',
			'é',
			'中',
			'\uE000',
			'\uFFFD',
			'😀',
			'𝒳',
			'a😀',
			'a\uFFFD',
		];
		const bytes = (id: string) => Buffer.from(id);
		const expected = [...ids].sort((a, b) => Buffer.compare(bytes(a), bytes(b)));
		expect([...ids].sort(compareIds)).toEqual(expected);
	});
});

describe('wrong use', () => {
	const refused = expect.objectContaining({code: 'OP_INVALID'});

	test('a score that is not a number is refused', () => {
		expect(() => queryMetrics([['a', Number.NaN]], relevant('a'))).toThrow(refused);
	});

	test('a document listed twice is refused, so nDCG cannot pass 1', () => {
		expect(() => queryMetrics([...ranked('a', 'b'), ['a', -9]], relevant('a'))).toThrow(refused);
	});

	test('a query without a relevant document has no metrics', () => {
		expect(() => queryMetrics(ranked('a'), new Map([['a', 0]]))).toThrow(refused);
		expect(hasRelevant(new Map([['a', 0]]))).toBe(false);
		expect(hasRelevant(relevant('a'))).toBe(true);
	});

	test.each([0, -1, 1.5, Number.NaN])('a cut-off of %s is refused', cutoff => {
		const options = {k: [cutoff]};
		expect(() => queryMetrics(ranked('a'), relevant('a'), options)).toThrow(
			expect.objectContaining({code: 'OPTION_RANGE'}),
		);
	});
});

test('the mean of several queries reproduces the published example', () => {
	const queries = [
		queryMetrics(ranked('d1', 'd2', 'd3', 'd4'), relevant('d1', 'd3'), {k: [3]}),
		queryMetrics(ranked('d2', 'd1', 'd3'), relevant('d1'), {k: [3]}),
		queryMetrics(ranked('d1', 'd3', 'd2'), relevant('d2', 'd3'), {k: [3]}),
	];
	const mean = meanMetrics(queries);
	expect(mean['map@3']).toBeCloseTo(0.638889, 6);
	expect(mean['mrr@3']).toBeCloseTo(0.666667, 6);
	expect(mean['ndcg@3']).toBeCloseTo(0.748026, 6);
});
