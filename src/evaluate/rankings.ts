// Metrics of the rankings of many queries: the mean and the values of each query.
//
// What is left out is counted: queries without a relevant document, without judgements, without a ranking.

import {EngineError} from '../errors.js';
import {
	hasRelevant,
	type Judgements,
	type MetricOptions,
	type Metrics,
	meanMetrics,
	queryMetrics,
	type Ranking,
} from './metrics.js';
import {pausing} from './turns.js';

/** Rankings with the id of their query; a Map of them is one. */
export type Rankings =
	| Iterable<readonly [query: string, ranking: Ranking]>
	| AsyncIterable<readonly [query: string, ranking: Ranking]>;

export interface RankingOptions extends MetricOptions {
	/** Judged queries without a ranking count 0, as with trec_eval -c; otherwise they are left out. Default false. */
	complete?: boolean | undefined;
	/** Drop a document whose id is that of the query, as BEIR's own tools do. Default false. */
	ignoreIdenticalIds?: boolean | undefined;
	signal?: AbortSignal | undefined;
}

export interface RetrievalReport {
	/** Means over the queries of `perQuery`. */
	metrics: Metrics;
	/** Metrics of each query that counts, by its id. */
	perQuery: Map<string, Metrics>;
	/** How many queries the means are over. */
	queries: number;
	/** Judged queries of which no document is relevant; left out. */
	queriesWithoutRelevant: number;
	/** Rankings of queries that nobody judged; left out. */
	queriesWithoutJudgements: number;
	/** Judged queries with a relevant document that have no ranking; left out or, if complete, 0. */
	queriesWithoutRanking: number;
}

/**
Evaluates rankings against judgements.

@example
const {metrics} = await evaluateRankings(await readRun('bm25.run'), await readQrels('test.qrels'));
*/
export async function evaluateRankings(
	rankings: Rankings,
	judgements: Judgements,
	options: RankingOptions = {},
): Promise<RetrievalReport> {
	const report: RetrievalReport = {
		metrics: {},
		perQuery: new Map(),
		queries: 0,
		queriesWithoutRelevant: 0,
		queriesWithoutJudgements: 0,
		queriesWithoutRanking: 0,
	};
	const ranked = await addRanked(report, rankings, judgements, options);
	await addUnranked(report, ranked, judgements, options);
	report.queries = report.perQuery.size;
	if (report.queries === 0) {
		const hint = 'compare the query ids of both';
		const message = `evaluate: expected a ranked query with a relevant document, got none; ${hint}`;
		throw new EngineError('DATA_EMPTY', message);
	}

	report.metrics = meanMetrics(report.perQuery.values());
	return report;
}

// Returns the ids of all ranked queries.
async function addRanked(
	report: RetrievalReport,
	rankings: Rankings,
	judgements: Judgements,
	{ignoreIdenticalIds = false, signal, ...options}: RankingOptions,
): Promise<Set<string>> {
	const pause = pausing(signal);
	const ranked = new Set<string>();
	for await (const [query, ranking] of rankings) {
		await pause();
		if (ranked.has(query)) {
			throw new EngineError('OP_INVALID', `evaluate: expected query "${query}" once, got it twice`);
		}

		ranked.add(query);
		const grades = judgements.get(query);
		if (!grades) report.queriesWithoutJudgements += 1;
		if (!grades || !hasRelevant(grades)) continue;
		const kept = ignoreIdenticalIds ? withoutId(ranking, query) : ranking;
		report.perQuery.set(query, queryMetrics(kept, grades, options));
	}

	return ranked;
}

async function addUnranked(
	report: RetrievalReport,
	ranked: ReadonlySet<string>,
	judgements: Judgements,
	{complete = false, signal, ...options}: RankingOptions,
): Promise<void> {
	const pause = pausing(signal);
	for (const [query, grades] of judgements) {
		await pause();
		if (!hasRelevant(grades)) report.queriesWithoutRelevant += 1;
		if (ranked.has(query) || !hasRelevant(grades)) continue;
		report.queriesWithoutRanking += 1;
		if (complete) report.perQuery.set(query, queryMetrics([], grades, options));
	}
}

function withoutId(ranking: Ranking, id: string): Ranking {
	return [...ranking].filter(([document]) => document !== id);
}
