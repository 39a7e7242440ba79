import {existsSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {evaluateRankings} from '../../dist/evaluate/rankings.js';
import {evaluateRun} from '../../dist/evaluate/trec.js';

const fixtures = join(import.meta.dirname, '..', 'fixtures', 'metrics');
const shared = join(process.env.INBATCH_SHARED ?? join('..', 'shared'), 'data', 'metrics');
const cutoffs = {k: [1, 3, 5, 10, 15, 20, 30, 50, 100, 200, 500, 1000]};

// trec_eval prints four decimals.
const halfOfLastDecimal = 0.5e-4 + 1e-9;

const ourNames: Record<string, string> = {
	ndcg_cut: 'ndcg',
	P: 'precision',
	recall: 'recall',
	map_cut: 'map',
	success: 'hit',
};

function ourName(name: string): string {
	const [, measure, cutoff] = /^(.+)_(\d+)$/.exec(name) ?? [];
	return measure ? `${ourNames[measure]}@${cutoff}` : name.replace('recip_rank', 'mrr');
}

function expectAgreement(
	metrics: Record<string, number>,
	expected: Record<string, number>,
	where: string,
): number {
	const shared = Object.entries(expected).filter(([name]) => ourName(name) in metrics);
	for (const [name, value] of shared) {
		const difference = Math.abs(metrics[ourName(name)]! - value);
		expect(difference, `${where} ${name}`).toBeLessThan(halfOfLastDecimal);
	}

	return shared.length;
}

function printedTable(path: string): Map<string, Record<string, number>> {
	const table = new Map<string, Record<string, number>>();
	for (const line of readFileSync(path, 'utf8').trim().split('\n')) {
		const [name, query, value] = line.split(/\s+/) as [string, string, string];
		table.set(query, {...table.get(query), [name]: Number(value)});
	}

	return table;
}

interface Expected {
	all: Record<string, number>;
	all_complete?: Record<string, number>;
	per_query: Record<string, Record<string, number>>;
}

async function compareWithJson(folder: string, run: string, qrels: string): Promise<number> {
	const path = join(folder, `${run}.expected.json`);
	const expected = JSON.parse(readFileSync(path, 'utf8')) as Expected;
	const judgements = join(folder, qrels);
	const report = await evaluateRun(join(folder, `${run}.run`), judgements, cutoffs);
	expect(report.queries).toBe(expected.all.num_q);
	let compared = expectAgreement(report.metrics, expected.all, 'all');
	for (const [query, metrics] of report.perQuery) {
		compared += expectAgreement(metrics, expected.per_query[query]!, query);
	}

	return compared;
}

describe('agreement with trec_eval', () => {
	test('on its own test run, for every query and the mean', async () => {
		const [run, qrels] = [join(fixtures, 'results.test'), join(fixtures, 'qrels.test')];
		const report = await evaluateRun(run, qrels, cutoffs);
		const expected = printedTable(join(fixtures, 'results.test.expected'));
		const all = new Map([...report.perQuery, ['all', report.metrics] as const]);
		const compared = [...expected].map(([query, printed]) =>
			expectAgreement(all.get(query)!, printed, query),
		);
		expect(compared).toEqual([41, 41, 41, 41]);
		expect(report.queries).toBe(expected.get('all')!.num_q);
	});

	test('on a run that lacks a query, which counts 0 when complete', async () => {
		const [run, qrels] = [join(fixtures, 'results.trunc'), join(fixtures, 'qrels.test')];
		const report = await evaluateRun(run, qrels, {...cutoffs, complete: true});
		const expected = printedTable(join(fixtures, 'results.trunc.expected')).get('all')!;
		expect(expectAgreement(report.metrics, expected, 'all')).toBe(41);
		expect(report).toMatchObject({queries: 3, queriesWithoutRanking: 1});
	});

	test('where ties decide', async () => {
		const compared = await compareWithJson(fixtures, 'cranfield_bm25_ties', 'cranfield.qrels');
		expect(compared).toBeGreaterThan(1800);
	});

	test.each(['qrels', 'tsv'])(
		'whatever the separators, numbers and ids: formats.%s',
		async kind => {
			const [run, qrels] = [join(fixtures, 'formats.run'), join(fixtures, `formats.${kind}`)];
			const report = await evaluateRun(run, qrels, cutoffs);
			const expected = printedTable(join(fixtures, 'formats.expected'));
			const all = new Map([...report.perQuery, ['all', report.metrics] as const]);
			const compared = [...expected].map(([query, printed]) =>
				expectAgreement(all.get(query)!, printed, query),
			);
			expect(compared).toEqual([27, 27, 27, 27, 27, 27]);
		},
	);

	const large = [
		{run: 'cranfield_bm25', qrels: 'cranfield.qrels'},
		{run: 'cranfield_bm25_missing', qrels: 'cranfield.qrels'},
		{run: 'scifact_bm25', qrels: 'scifact.qrels'},
	];
	const isThere = existsSync(join(shared, 'scifact_bm25.run'));
	test.skipIf(!isThere).each(large)('on $run (needs the shared data)', async ({run, qrels}) => {
		expect(await compareWithJson(shared, run, qrels)).toBeGreaterThan(1600);
	});

	test.skipIf(!isThere)('on missing queries counted 0 (needs the shared data)', async () => {
		const path = join(shared, 'cranfield_bm25_missing.expected.json');
		const {all_complete: expected} = JSON.parse(readFileSync(path, 'utf8')) as Expected;
		const [run, qrels] = ['cranfield_bm25_missing.run', 'cranfield.qrels'];
		const options = {...cutoffs, complete: true};
		const report = await evaluateRun(join(shared, run), join(shared, qrels), options);
		expect(report).toMatchObject({
			queries: expected!.num_q,
			queriesWithoutRanking: 23,
			queriesWithoutJudgements: 1,
		});
		expectAgreement(report.metrics, expected!, 'all');
	});
});

describe('what is left out', () => {
	const judgements = new Map([
		['answered', new Map([['a', 1]])],
		['nothing relevant', new Map([['a', 0]])],
		['not ranked', new Map([['a', 1]])],
	]);
	const rankings = new Map([
		['answered', new Map([['a', 1]])],
		['nothing relevant', new Map([['a', 1]])],
		['nobody judged', new Map([['a', 1]])],
	]);

	test('is counted by its reason', async () => {
		const report = await evaluateRankings(rankings, judgements, {k: [1]});
		expect(report).toMatchObject({
			queries: 1,
			queriesWithoutRelevant: 1,
			queriesWithoutJudgements: 1,
			queriesWithoutRanking: 1,
		});
		expect(report.metrics['hit@1']).toBe(1);
	});

	test('counts 0 instead when the means are to be complete', async () => {
		const report = await evaluateRankings(rankings, judgements, {k: [1], complete: true});
		expect(report.queries).toBe(2);
		expect(report.metrics['hit@1']).toBe(0.5);
		expect(report.perQuery.get('not ranked')).toMatchObject({'hit@1': 0});
	});

	test('may be the document that has the id of its query', async () => {
		const ranking = new Map([['q', ranked('q', 'a')]]);
		const grades = new Map([['q', new Map([['a', 1]])]]);
		const kept = await evaluateRankings(ranking, grades, {k: [1]});
		const dropped = await evaluateRankings(ranking, grades, {k: [1], ignoreIdenticalIds: true});
		expect([kept.metrics['hit@1'], dropped.metrics['hit@1']]).toEqual([0, 1]);
	});

	test('is never everything', async () => {
		const others = new Map([['other', new Map([['a', 1]])]]);
		await expect(evaluateRankings(others, judgements)).rejects.toThrow(
			expect.objectContaining({code: 'DATA_EMPTY'}),
		);
	});
});

test('rankings may come from an asynchronous source', async () => {
	async function* source() {
		yield ['q', ranked('x', 'a')] as const;
	}

	const report = await evaluateRankings(source(), new Map([['q', new Map([['a', 1]])]]));
	expect(report.metrics.mrr).toBe(0.5);
});

test('a query ranked twice is refused', async () => {
	const twice = [
		['q', ranked('a')],
		['q', ranked('b')],
	] as const;
	const judgements = new Map([['q', new Map([['a', 1]])]]);
	await expect(evaluateRankings(twice, judgements)).rejects.toThrow(/"q" once, got it twice/);
});

test('an abort rejects with the reason of the signal', async () => {
	const reason = new Error('enough');
	const judgements = new Map([['q', new Map([['a', 1]])]]);
	const rankings = new Map([['q', ranked('a')]]);
	const signal = AbortSignal.abort(reason);
	await expect(evaluateRankings(rankings, judgements, {signal})).rejects.toBe(reason);
});

function ranked(...ids: string[]): [string, number][] {
	return ids.map((id, place) => [id, -place]);
}
