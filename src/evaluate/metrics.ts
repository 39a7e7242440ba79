// Retrieval metrics by trec_eval's definitions, for one query at a time, and their means.
//
// Gains are linear, discounts log2(rank + 1), the ideal ranking holds every judged document, recall and
// average precision divide by every relevant one; a document is relevant when its grade is above 0.
// Equal scores are ranked by id, as given, or not at all: then a metric is its exact expected value.

import {EngineError} from '../errors.js';

/**
How documents of equal score are ranked: `trec` by id, descending in byte order, as trec_eval does;
`stable` as given; `expected` gives the mean of a metric over all orders of the tied documents.
*/
export type Ties = 'trec' | 'stable' | 'expected';

/** What a system found for one query: documents and scores, best or not best first; a Map is one. */
export type Ranking = Iterable<readonly [id: string, score: number]>;

/** Grades of the judged documents of one query. */
export type Grades = ReadonlyMap<string, number>;

/** Grades by query id. */
export type Judgements = ReadonlyMap<string, Grades>;

/** Values by name: `ndcg@10`, `mrr@10`, …, `map`, `mrr`. */
export type Metrics = Record<string, number>;

export interface MetricOptions {
	/** Cut-offs of the metrics with `@k`. Default 1, 3, 5, 10, 100. */
	k?: readonly number[] | undefined;
	/** Default `trec`. */
	ties?: Ties | undefined;
	/** Also `capped_map@k`, which divides by min(k, relevant) as sentence-transformers does. Default false. */
	cappedMap?: boolean | undefined;
}

// Documents of equal score, at the ranks start + 1 to start + size in any order.
interface TieGroup {
	start: number;
	size: number;
	relevant: number;
	gain: number;
}

// What the metrics need of a query, summed over the ranks up to a cut-off.
interface Sums {
	gain: number;
	found: number;
	precisions: number;
	missProbability: number;
	reciprocalRank: number;
}

export const defaultCutoffs: readonly number[] = [1, 3, 5, 10, 100];

/** True when the query has a document to find; the others are left out of every mean. */
export function hasRelevant(grades: Grades): boolean {
	for (const grade of grades.values()) {
		if (grade > 0) return true;
	}

	return false;
}

/**
All metrics of one query. An empty ranking scores 0.

@example
queryMetrics([['a', 0.9], ['b', 0.3]], new Map([['b', 1]]), {k: [10]})['mrr@10']; // 0.5
*/
export function queryMetrics(
	ranking: Ranking,
	grades: Grades,
	{k = defaultCutoffs, ties = 'trec', cappedMap = false}: MetricOptions = {},
): Metrics {
	checkCutoffs(k);
	const groups = tieGroups(orderRanking(ranking, ties), grades, ties);
	const ideal = idealGains(grades);
	if (ideal.length === 0) {
		throw new EngineError('OP_INVALID', 'metrics: expected a relevant document, got none');
	}

	const metrics: Metrics = {};
	for (const cutoff of k) {
		const sums = sumsUpTo(groups, cutoff);
		addCutoff(metrics, sums, ideal, cutoff);
		if (cappedMap) {
			metrics[`capped_map@${cutoff}`] = sums.precisions / Math.min(cutoff, ideal.length);
		}
	}

	const whole = sumsUpTo(groups, Number.POSITIVE_INFINITY);
	metrics.map = whole.precisions / ideal.length;
	metrics.mrr = whole.reciprocalRank;
	return metrics;
}

/** Mean of every metric over the queries; no queries give no metrics. */
export function meanMetrics(perQuery: Iterable<Metrics>): Metrics {
	const mean: Metrics = {};
	let queries = 0;
	for (const metrics of perQuery) {
		queries += 1;
		for (const [name, value] of Object.entries(metrics)) mean[name] = (mean[name] ?? 0) + value;
	}

	for (const name of Object.keys(mean)) mean[name]! /= queries;
	return mean;
}

/**
Best first: by score, equal scores by id in descending byte order (`stable`: as given). A score that is
not a number and a document that occurs twice are refused, for both would make metrics meaningless.
*/
export function orderRanking(ranking: Ranking, ties: Ties = 'trec'): (readonly [string, number])[] {
	const ordered = [...ranking];
	const seen = new Set<string>();
	for (const [id, score] of ordered) {
		if (Number.isNaN(score)) {
			throw new EngineError('OP_INVALID', `metrics: document "${id}": expected a score, got NaN`);
		}

		if (seen.has(id)) {
			throw new EngineError('OP_INVALID', `metrics: expected document "${id}" once, got it twice`);
		}

		seen.add(id);
	}

	if (ties === 'trec')
		return ordered.sort((a, b) => byNumber(b[1], a[1]) || compareIds(b[0], a[0]));
	return ordered.sort((a, b) => byNumber(b[1], a[1]));
}

/** Order of two ids by their UTF-8 bytes, which is that of strcmp and so of trec_eval. */
export function compareIds(a: string, b: string): number {
	const length = Math.min(a.length, b.length);
	for (let index = 0; index < length; index += 1) {
		const difference = byteWeight(a.charCodeAt(index)) - byteWeight(b.charCodeAt(index));
		if (difference !== 0) return difference;
	}

	return a.length - b.length;
}

// Surrogates stand for code points above all others, so in UTF-8 they come last.
function byteWeight(unit: number): number {
	return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

// Not a difference, because infinity minus infinity is not a number.
function byNumber(a: number, b: number): number {
	if (a === b) return 0;
	return a < b ? -1 : 1;
}

function checkCutoffs(cutoffs: readonly number[]): void {
	for (const cutoff of cutoffs) {
		if (!Number.isSafeInteger(cutoff) || cutoff < 1) {
			throw new EngineError('OPTION_RANGE', `k: expected whole numbers above 0, got ${cutoff}`);
		}
	}
}

// Outside of `expected` every document is a group of its own, and the sums below become the plain ones.
function tieGroups(
	ordered: readonly (readonly [string, number])[],
	grades: Grades,
	ties: Ties,
): TieGroup[] {
	const groups: TieGroup[] = [];
	let group: TieGroup | undefined;
	let groupScore = 0;
	ordered.forEach(([id, score], start) => {
		if (!group || ties !== 'expected' || score !== groupScore) {
			group = {start, size: 0, relevant: 0, gain: 0};
			groups.push(group);
			groupScore = score;
		}

		const grade = Math.max(0, grades.get(id) ?? 0);
		group.size += 1;
		group.relevant += grade > 0 ? 1 : 0;
		group.gain += grade;
	});
	return groups;
}

function idealGains(grades: Grades): number[] {
	return [...grades.values()].filter(grade => grade > 0).sort((a, b) => b - a);
}

function addCutoff(metrics: Metrics, sums: Sums, ideal: readonly number[], cutoff: number): void {
	let best = 0;
	const length = Math.min(cutoff, ideal.length);
	for (let rank = 1; rank <= length; rank += 1) best += ideal[rank - 1]! / Math.log2(rank + 1);

	metrics[`ndcg@${cutoff}`] = sums.gain / best;
	metrics[`mrr@${cutoff}`] = sums.reciprocalRank;
	metrics[`recall@${cutoff}`] = sums.found / ideal.length;
	metrics[`precision@${cutoff}`] = sums.found / cutoff;
	metrics[`map@${cutoff}`] = sums.precisions / ideal.length;
	metrics[`hit@${cutoff}`] = 1 - sums.missProbability;
}

function sumsUpTo(groups: readonly TieGroup[], cutoff: number): Sums {
	const sums = {gain: 0, found: 0, precisions: 0, missProbability: 1, reciprocalRank: 0};
	for (const group of groups) {
		if (group.start >= cutoff) break;
		if (group.relevant > 0) addGroup(sums, group, cutoff);
	}

	return sums;
}

// Means over the equally likely orders of a group of m documents, r of them relevant. Groups before it
// are seen whole, so what they hold is certain, except that the first relevant document may be in this
// one only if none was in them. At place j of the group:
//   relevant with probability r / m; the r - 1 others then lie evenly over the other m - 1 places;
//   none of the places before it is relevant with probability (m-r)/m · (m-r-1)/(m-1) · …
function addGroup(sums: Sums, {start, size, relevant, gain}: TieGroup, cutoff: number): void {
	const share = relevant / size;
	const foundBefore = sums.found;
	for (let place = 0; place < size && start + place < cutoff; place += 1) {
		const rank = start + place + 1;
		const others = size > 1 ? (place * (relevant - 1)) / (size - 1) : 0;
		sums.gain += gain / size / Math.log2(rank + 1);
		sums.found += share;
		sums.precisions += (share * (foundBefore + 1 + others)) / rank;

		const firstHere = Math.min(1, relevant / (size - place));
		sums.reciprocalRank += (sums.missProbability * firstHere) / rank;
		sums.missProbability *= 1 - firstHere;
	}
}
