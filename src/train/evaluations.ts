// The evaluations of a run: what --eval names, and the metric that decides on the best checkpoint.

import {stat} from 'node:fs/promises';
import {EngineError} from '../errors.js';
import {evaluate} from '../evaluate/evaluate.js';
import {readFailure} from '../files/failures.js';
import type {EmbeddingModel} from '../model/embedding-model.js';

export type EvaluationSource = {name: string; kind: 'retrieval' | 'sts'; path: string};
export type Scores = Record<string, Record<string, number>>;

/** `[name=]DIR|FILE`: a folder is a retrieval set, a file holds scored pairs. */
export async function evaluationSources(given: readonly string[]): Promise<EvaluationSource[]> {
	const sources: EvaluationSource[] = [];
	for (const entry of given) {
		const [, name = entry, path = entry] = /^([\w.-]+)=(.+)$/.exec(entry) ?? [];
		const found = await stat(path).catch((error: unknown) => {
			throw readFailure(path, error);
		});
		if (sources.some(source => source.name === name)) {
			throw new EngineError('OPTION_CONFLICT', `eval: expected each name once, got ${name} twice`);
		}
		sources.push({name, kind: found.isDirectory() ? 'retrieval' : 'sts', path});
	}
	return sources;
}

export type Prompts = {queryPrompt?: string | undefined; documentPrompt?: string | undefined};

/** The metrics of the model as it is now, by the name of each set. */
export async function evaluateAll(
	model: EmbeddingModel,
	sources: readonly EvaluationSource[],
	{signal, ...prompts}: Prompts & {signal?: AbortSignal | undefined},
): Promise<Scores> {
	const scores: Scores = {};
	for (const {name, kind, path} of sources) {
		const {results} = await evaluate(model, {[kind]: path, ...prompts, signal});
		scores[name] = results[0]!.metrics;
	}
	return scores;
}

/** The names of the metrics that an evaluation during training yields. */
const measures = {
	retrieval: /^((ndcg|mrr|recall|precision|map|hit)@(1|3|5|10|100)|map|mrr)$/,
	sts: /^(spearman|pearson)_(cosine|dot|manhattan|euclidean)$/,
} as const;

/** Where the number lies that decides on the best checkpoint: `name/metric`. */
export function decidingMetric(
	metric: string | undefined,
	sources: readonly EvaluationSource[],
): {name: string; metric: string} | undefined {
	const [first] = sources;
	if (metric === undefined) {
		return (
			first && {name: first.name, metric: first.kind === 'sts' ? 'spearman_cosine' : 'ndcg@10'}
		);
	}
	const slash = metric.lastIndexOf('/');
	const name = metric.slice(0, slash);
	const measure = metric.slice(slash + 1);
	const source = sources.find(one => slash > 0 && one.name === name);
	if (source && measures[source.kind].test(measure)) return {name, metric: measure};
	if (source) {
		const expected =
			source.kind === 'sts' ? 'spearman_cosine and the like' : 'ndcg@10 and the like';
		throw new EngineError(
			'OPTION_RANGE',
			`metric: expected ${expected} of ${name}, got ${measure}`,
		);
	}
	const known = sources.map(source => source.name).join(', ') || 'none, without --eval';
	throw new EngineError(
		'OPTION_RANGE',
		`metric: expected name/metric with a name of --eval (${known}), got ${metric}`,
	);
}
