// How often an answer stands among the best documents of a query, as the evaluation of Natural Questions
// counts it: as a run of whole words, whatever their case.

import type {RetrievalSet} from './beir.js';
import {type Metrics, meanMetrics, type Ranking} from './metrics.js';
import type {RetrievalReport} from './rankings.js';
import {pausing} from './turns.js';

/** Cut-offs of `answers@k`. */
export const answerCutoffs = [1, 5, 10, 20, 100] as const;

const deepest = Math.max(...answerCutoffs);

/** A document that ranks for a query, whose answers are looked for in it. */
type Place = {query: string; rank: number};

/**
For each query with answers, `answers@k`: 1 if one of its k best documents holds one of them, else 0.
The corpus is read once more.
*/
export async function answerMetrics(
	{documents, answers = new Map()}: Pick<RetrievalSet, 'documents' | 'answers'>,
	rankings: Iterable<readonly [query: string, ranking: Ranking]>,
	signal?: AbortSignal,
): Promise<Map<string, Metrics>> {
	if (answers.size === 0) return new Map();
	const words = new Map([...answers].map(([query, texts]) => [query, texts.map(wordsOf)]));
	const places = placesOf(rankings, words);
	const first = new Map<string, number>();
	const pause = pausing(signal);
	for await (const {id, text} of documents) {
		const asked = places.get(id);
		if (!asked) continue;
		await pause();
		const found = wordsOf(text);
		for (const {query, rank} of asked) {
			if (rank >= (first.get(query) ?? deepest)) continue;
			if (words.get(query)!.some(answer => holds(found, answer))) first.set(query, rank);
		}
	}

	return new Map([...words.keys()].map(query => [query, metricsOf(first.get(query) ?? deepest)]));
}

/** The report of a set that has answers alone. */
export const unjudged: RetrievalReport = {
	...{metrics: {}, perQuery: new Map(), queries: 0, queriesWithoutRelevant: 0},
	...{queriesWithoutJudgements: 0, queriesWithoutRanking: 0},
};

/** The report with what is counted by answers. */
export function withAnswers(
	report: RetrievalReport,
	answered: ReadonlyMap<string, Metrics>,
): RetrievalReport {
	if (answered.size === 0) return report;
	const perQuery = new Map(report.perQuery);
	for (const [query, metrics] of answered) {
		perQuery.set(query, {...perQuery.get(query), ...metrics});
	}

	const metrics = {...report.metrics, ...meanMetrics(answered.values())};
	return {...report, metrics, perQuery, queries: perQuery.size};
}

function placesOf(
	rankings: Iterable<readonly [query: string, ranking: Ranking]>,
	asked: ReadonlyMap<string, unknown>,
): Map<string, Place[]> {
	const places = new Map<string, Place[]>();
	for (const [query, ranking] of rankings) {
		if (!asked.has(query)) continue;
		const best = [...ranking].slice(0, deepest);
		for (const [rank, [document]] of best.entries()) {
			const known = places.get(document);
			if (known) known.push({query, rank});
			else places.set(document, [{query, rank}]);
		}
	}

	return places;
}

function metricsOf(rank: number): Metrics {
	return Object.fromEntries(answerCutoffs.map(k => [`answers@${k}`, rank < k ? 1 : 0]));
}

/** Words and signs of a text in its decomposed form, in lower case. */
export function wordsOf(text: string): string[] {
	const words = text.normalize('NFD').match(/[\p{L}\p{N}\p{M}]+|[^\p{Z}\p{C}]/gu) ?? [];
	return words.map(word => word.toLowerCase());
}

/** Whether words stand in others in a row; none stand anywhere, as there. */
function holds(words: readonly string[], answer: readonly string[]): boolean {
	const last = words.length - answer.length;
	for (let at = 0; at <= last; at++) {
		if (answer.every((word, n) => words[at + n] === word)) return true;
	}

	return false;
}
