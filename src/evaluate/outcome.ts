// What one model reaches on one set, and how two models differ there.

import type {EmbeddingModel} from '../model/embedding-model.js';
import {compareMetrics} from './compare.js';
import {compareCorrelations} from './compare-correlations.js';
import type {Metrics} from './metrics.js';
import type {EvaluateSettings} from './options.js';
import {type PairScores, similarityNames} from './pair-scores.js';
import type {Comparison, ResamplingOptions} from './resampling.js';
import {evaluateRetrieval, type RetrievalOutcome, type Watching} from './retrieval.js';
import type {EvaluationSet, Task} from './sets.js';
import {evaluatePairs} from './sts.js';

export type ModelComparison = {
	/** The folder of the second model. */
	model: string;
	metrics: Metrics;
	/** The model minus the second one. */
	difference: Metrics;
	/** Paired bootstrap interval of the difference, 95 %. */
	interval: Record<string, [low: number, high: number]>;
	/** Two-sided p-value of a paired test. */
	p: Metrics;
};

export type SetResult = {
	name: string;
	task: Task;
	metrics: Metrics;
	/** Retrieval: the queries that the metrics are means over, and what was left out. */
	queries?: number;
	documents?: number | null;
	queriesWithoutRelevant?: number;
	queriesWithoutJudgements?: number;
	queriesWithoutRanking?: number;
	truncatedQueries?: number;
	truncatedDocuments?: number;
	/** STS. */
	pairs?: number;
	truncated?: number;
	/** Encoding, searching and measuring with the model; without the second one. */
	seconds: number;
	compare?: ModelComparison;
};

/** A result with what it was computed from. */
export type Outcome = {
	result: SetResult;
	details:
		| ({task: 'retrieval'} & Pick<RetrievalOutcome, 'perQuery' | 'rankings'>)
		| {task: 'sts'; gold: readonly number[]; scores: PairScores};
};

export async function measure(
	model: EmbeddingModel,
	{task, name, set}: EvaluationSet,
	settings: EvaluateSettings,
	watching: Watching,
): Promise<Outcome> {
	const begun = performance.now();
	const seconds = () => (performance.now() - begun) / 1000;
	if (task === 'sts') {
		const {metrics, scores, truncated} = await evaluatePairs(model, set, settings, watching);
		const pairs = set.scores.length;
		return {
			result: {name, task, metrics, pairs, truncated, seconds: seconds()},
			details: {task, gold: set.scores, scores},
		};
	}
	const outcome = await evaluateRetrieval(model, set, settings, watching);
	const {metrics, perQuery, rankings, queries, queriesWithoutRelevant} = outcome;
	return {
		result: {
			name,
			task,
			metrics,
			queries,
			documents: set.documentIds.length,
			queriesWithoutRelevant,
			queriesWithoutJudgements: set.queriesWithoutJudgements,
			truncatedQueries: outcome.truncatedQueries,
			truncatedDocuments: outcome.truncatedDocuments,
			seconds: seconds(),
		},
		details: {task, perQuery, rankings},
	};
}

/** What another model reached on the set, and the paired comparison with it. */
export async function compareOutcomes(
	before: Outcome,
	after: Outcome,
	options: ResamplingOptions,
): Promise<Omit<ModelComparison, 'model'>> {
	const comparisons = Object.entries(await compareDetails(before.details, after.details, options));
	const pick = <T>(part: (comparison: Comparison) => T) =>
		Object.fromEntries(comparisons.map(([name, comparison]) => [name, part(comparison)]));
	return {
		metrics: before.result.metrics,
		difference: pick(({difference}) => difference),
		interval: pick(({interval}) => interval),
		p: pick(({p}) => p),
	};
}

async function compareDetails(
	before: Outcome['details'],
	after: Outcome['details'],
	options: ResamplingOptions,
): Promise<Record<string, Comparison>> {
	if (before.task === 'retrieval' && after.task === 'retrieval') {
		return compareMetrics(before.perQuery, after.perQuery, options);
	}
	if (before.task !== 'sts' || after.task !== 'sts') return {};
	const comparisons: Record<string, Comparison> = {};
	for (const name of similarityNames) {
		const series = {gold: after.gold, before: before.scores[name], after: after.scores[name]};
		for (const kind of ['spearman', 'pearson'] as const) {
			comparisons[`${kind}_${name}`] = await compareCorrelations(kind, series, options);
		}
	}
	return comparisons;
}
