// Evaluates a model in training by everything that the run names, as it is at that moment.

import {EngineError} from '../errors.js';
import {comparePaired} from '../evaluate/compare.js';
import {compareCorrelations} from '../evaluate/compare-correlations.js';
import {openSets} from '../evaluate/evaluate.js';
import {evaluateSchema} from '../evaluate/options.js';
import {measure, type Outcome} from '../evaluate/outcome.js';
import type {SimilarityName} from '../evaluate/pair-scores.js';
import type {EmbeddingModel} from '../model/embedding-model.js';
import {parseOptions} from '../options.js';
import type {Deciding, EvaluationSource, Scores} from './evaluations.js';
import type {HeldOut} from './held-out.js';
import type {PromptRules} from './prompts.js';

export type EvaluationSettings = {
	sources: readonly EvaluationSource[];
	/** The rows of each source of the kind loss, by its name. */
	heldOut: ReadonlyMap<string, HeldOut>;
	deciding: Deciding | undefined;
	prompts: Pick<PromptRules, 'of'>;
	step: number;
	/** Passes over the training data so far. */
	pass: number;
	signal: AbortSignal | undefined;
};

/** What the deciding metric was computed from: values whose mean it is, or predictions that it compares with gold. */
export type Sample = {values: number[]; gold?: readonly number[]};

export type Evaluated = {scores: Scores; value?: number; sample?: Sample};

type Found = {metrics: Record<string, number>; sampleOf?: (metric: string) => Sample | undefined};

export async function evaluateAll(
	model: EmbeddingModel,
	settings: EvaluationSettings,
): Promise<Evaluated> {
	const {sources, deciding} = settings;
	const scores: Scores = {};
	let sample: Sample | undefined;
	for (const source of sources) {
		const {metrics, sampleOf} = await evaluateOne(model, source, settings);
		scores[source.name] = metrics;
		if (source.name === deciding?.name) sample = sampleOf?.(deciding.metric);
	}
	if (!deciding) return {scores};
	const value = decidingValue(scores, deciding);
	return {scores, value, ...(sample && {sample})};
}

async function evaluateOne(
	model: EmbeddingModel,
	source: EvaluationSource,
	{heldOut, prompts, step, pass, signal}: EvaluationSettings,
): Promise<Found> {
	if (source.kind === 'loss') {
		const {metrics, values} = await heldOut.get(source.name)!.measure(pass);
		return {metrics, sampleOf: metric => ({values: values[metric]!})};
	}
	if (source.kind === 'custom') {
		const metrics = await source.measure(model, {step, signal});
		return {metrics: checked(source.name, metrics)};
	}
	const [task, documents] = 'task' in source ? [source.task, source.documents] : [];
	const settings = parseOptions(evaluateSchema, prompts.of(task), 'train');
	const kind = source.kind === 'answers' ? 'retrieval' : source.kind;
	const asked = [{task: kind, source: source.path, documents}];
	const [set] = await openSets(asked, settings, signal);
	const outcome = await measure(model, set!, settings, {signal});
	return {metrics: outcome.result.metrics, sampleOf: metric => sampleOf(outcome, metric)};
}

/** What a function of one's own returns: finite numbers by name. */
function checked(name: string, metrics: unknown): Record<string, number> {
	const isGiven = typeof metrics === 'object' && metrics !== null;
	const entries = isGiven ? Object.entries(metrics) : [];
	const wrong = entries.find(([, value]) => typeof value !== 'number' || !Number.isFinite(value));
	if (entries.length > 0 && !wrong) return Object.fromEntries(entries) as Record<string, number>;
	const got = wrong ? `${wrong[0]}: ${wrong[1]}` : 'none';
	const message = `evaluators: expected finite numbers by name from ${name}, got ${got}`;
	throw new EngineError('EVALUATOR_INVALID', message);
}

function decidingValue(scores: Scores, {name, metric}: Deciding): number {
	const value = scores[name]?.[metric];
	if (value !== undefined) return value;
	const known = Object.keys(scores[name] ?? {}).join(', ');
	throw new EngineError(
		'EVALUATOR_INVALID',
		`metric: expected ${metric} from ${name}, got ${known}`,
	);
}

function sampleOf({details}: Outcome, metric: string): Sample | undefined {
	if (details.task === 'retrieval') {
		const values = Array.from(details.perQuery.values(), metrics => metrics[metric]);
		return {values: values.filter(value => value !== undefined)};
	}
	const name = metric.slice(metric.indexOf('_') + 1) as SimilarityName;
	return {values: Array.from(details.scores[name]), gold: details.gold};
}

/** The p-value of a paired test between two evaluations by the same metric. */
export async function pOf(
	metric: string,
	before: Sample,
	{after, seed, signal}: {after: Sample; seed: number; signal: AbortSignal | undefined},
): Promise<number> {
	const options = {seed, signal};
	if (!after.gold) return (await comparePaired(before.values, after.values, options)).p;
	const kind = metric.startsWith('pearson') ? 'pearson' : 'spearman';
	const series = {gold: after.gold, before: before.values, after: after.values};
	return (await compareCorrelations(kind, series, options)).p;
}
