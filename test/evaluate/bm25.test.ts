import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {readRetrievalSet} from '../../dist/evaluate/beir.js';
import {bm25Words, indexBm25, rankBm25} from '../../dist/evaluate/bm25.js';
import {evaluateRankings} from '../../dist/evaluate/rankings.js';
import {readRun} from '../../dist/evaluate/trec.js';

const shared = join(process.env.INBATCH_SHARED ?? join('..', 'shared'), 'data');

const texts = (...all: string[]) => all.map((text, n) => ({id: `d${n}`, text}));

describe('words', () => {
	test('are runs of letters and digits in lower case', () => {
		expect(bm25Words("The B-cell's IL2 (Ärzte, naïve) x_y")).toEqual([
			...['the', 'b', 'cell', 's', 'il2', 'ärzte', 'naïve', 'x', 'y'],
		]);
	});

	test('of Chinese are characters and pairs of neighbours', () => {
		expect(bm25Words('北京市。大')).toEqual(['北', '京', '北京', '市', '京市', '大']);
	});

	test('of a run with Chinese in it are characters throughout, also beyond 16 bits', () => {
		expect(bm25Words('𠮷b')).toEqual(['𠮷', 'b', '𠮷b']);
	});

	test('of a text without letters are none', () => {
		expect(bm25Words(' … !')).toEqual([]);
	});
});

describe('the score', () => {
	test('is that of the formula', async () => {
		const index = await indexBm25(texts('cat cat dog', 'dog', 'bird bird bird bird bird'));
		const idf = (found: number) => Math.log(1 + (3 - found + 0.5) / (found + 0.5));
		const part = (count: number, length: number) =>
			(count * 1.9) / (count + 0.9 * (1 - 0.4 + (0.4 * length) / 3));
		expect(await index.search('Cat, dog?')).toEqual([
			['d0', expect.closeTo(idf(1) * part(2, 3) + idf(2) * part(1, 3), 12)],
			['d1', expect.closeTo(idf(2) * part(1, 1), 12)],
		]);
	});

	test('counts a word of the query as often as it stands there', async () => {
		const index = await indexBm25(texts('cat', 'dog'));
		const [[, once], [, twice]] = [
			(await index.search('cat'))[0]!,
			(await index.search('cat cat'))[0]!,
		];
		expect(twice).toBeCloseTo(2 * once, 12);
	});

	test('ignores lengths with b = 0 and repeats with k1 = 0', async () => {
		const collection = texts('cat', 'cat cat dog bird fish');
		const lengths = await (await indexBm25(collection, {b: 0, k1: 0})).search('cat');
		expect(lengths[0]![1]).toBe(lengths[1]![1]);
	});
});

describe('a search', () => {
	test('gives only documents that share a word', async () => {
		const index = await indexBm25(texts('cat', 'dog', ''));
		expect((await index.search('cat')).map(([id]) => id)).toEqual(['d0']);
		expect(await index.search('unicorn')).toEqual([]);
		expect(await index.search('')).toEqual([]);
	});

	test('puts equal scores in descending order of ids', async () => {
		const index = await indexBm25(texts('cat', 'cat', 'cat'));
		expect((await index.search('cat')).map(([id]) => id)).toEqual(['d2', 'd1', 'd0']);
	});

	test('with a limit gives the head of the whole ranking, ties across it included', async () => {
		const lengths = Array.from({length: 5000}, (_, n) => (n * 7919) % 40);
		const all = texts(...lengths.map(length => `cat ${'x '.repeat(length)}`));
		const index = await indexBm25(all);
		const whole = await index.search('cat', {limit: 5000});
		expect(whole).toHaveLength(5000);
		expect(await index.search('cat', {limit: 17})).toEqual(whole.slice(0, 17));
	});

	test('finds words that objects have by nature', async () => {
		const index = await indexBm25(texts('constructor __proto__', 'other'));
		expect((await index.search('constructor')).map(([id]) => id)).toEqual(['d0']);
	});
});

test('a query without a hit has no ranking', async () => {
	const queries = [
		{id: 'q1', text: 'cat'},
		{id: 'q2', text: 'unicorn'},
	];
	expect([...(await rankBm25(texts('cat', 'dog'), queries)).keys()]).toEqual(['q1']);
});

describe('wrong use', () => {
	test.each([{k1: -1}, {b: 1.1}, {k1: Number.NaN}])('%o is out of range', async options => {
		await expect(indexBm25(texts('a'), options)).rejects.toThrow(
			expect.objectContaining({code: 'OPTION_RANGE'}),
		);
	});

	test('a limit of nothing is out of range', async () => {
		const index = await indexBm25(texts('a'));
		await expect(index.search('a', {limit: 0})).rejects.toThrow(/expected a whole number above 0/);
	});

	test('no documents are refused', async () => {
		await expect(indexBm25([])).rejects.toThrow(expect.objectContaining({code: 'DATA_EMPTY'}));
	});

	test('an abort rejects with the reason of the signal', async () => {
		const reason = new Error('enough');
		const signal = AbortSignal.abort(reason);
		await expect(indexBm25(texts('a'), {signal})).rejects.toBe(reason);
	});
});

describe.skipIf(!existsSync(shared))('on real collections (needs the shared data)', () => {
	// nDCG@10, MRR, recall@10, recall@100 over the best 100, measured by trec_eval -c.
	test.each([
		['cranfield', [0.4711, 0.7582, 0.3984, 0.7068]],
		['scifact', [0.6618, 0.6345, 0.7818, 0.8852]],
		['medquad/eval', [0.6697, 0.595, 0.9095, 0.9444]],
		['zh/cmrc2018/eval', [0.9897, 0.987, 0.9977, 1]],
		['zh/drcd_dev', [0.9791, 0.9727, 0.9983, 1]],
		['xquad/zh', [0.9635, 0.9542, 0.992, 1]],
		['xquad/de', [0.9116, 0.8922, 0.9727, 0.992]],
	])('%s has the known baseline', async (name, expected) => {
		const set = await readRetrievalSet(join(shared, name));
		const rankings = await rankBm25(set.documents, set.queries);
		const {metrics} = await evaluateRankings(rankings, set.judgements, {complete: true});
		const found = ['ndcg@10', 'mrr', 'recall@10', 'recall@100'].map(metric => metrics[metric]!);
		expect(found.map(value => Math.round(value * 1e4) / 1e4)).toEqual(expected);
	});

	test('the scores of a run made by another program are reproduced', async () => {
		const run = await readRun(join(shared, 'metrics', 'scifact_bm25.run'));
		const set = await readRetrievalSet(join(shared, 'scifact'));
		const rankings = await rankBm25(set.documents, set.queries, {limit: 20});
		const differences = [...run].flatMap(([query, scores]) =>
			rankings.get(query)!.map(([, score], rank) => Math.abs(score - [...scores.values()][rank]!)),
		);
		expect(differences).toHaveLength(6000);
		expect(Math.max(...differences)).toBeLessThan(1e-6);
	});
});
