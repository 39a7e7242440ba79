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
	if (slash > 0 && sources.some(source => source.name === name)) {
		return {name, metric: metric.slice(slash + 1)};
	}
	const known = sources.map(source => source.name).join(', ') || 'none, without --eval';
	throw new EngineError(
		'OPTION_RANGE',
		`metric: expected name/metric with a name of --eval (${known}), got ${metric}`,
	);
}
