// The evaluations of a run: what they are called and made of, and the metric that decides what is better.

import {stat} from 'node:fs/promises';
import {EngineError} from '../errors.js';
import {type CorpusOptions, queryFileKind} from '../evaluate/query-file.js';
import {readFailure} from '../files/failures.js';
import type {EmbeddingModel} from '../model/embedding-model.js';

/** An evaluation of one's own: numbers by name, of the model as it is at that step. */
export type Evaluator = (
	model: EmbeddingModel,
	options: {step: number; signal: AbortSignal | undefined},
) => Record<string, number> | Promise<Record<string, number>>;

export type EvaluationSource =
	| {name: string; kind: 'retrieval' | 'sts'; path: string}
	| ({name: string; kind: 'retrieval' | 'answers'; path: string} & QueryFile)
	| {name: string; kind: 'loss'; data: unknown}
	| {name: string; kind: 'custom'; measure: Evaluator};

/** Queries beside a corpus; of a task, their prompts are those of it. */
type QueryFile = {documents: CorpusOptions; task: string | undefined};

/** Whether the prompts of a source are those of its own task. */
export function hasTask(source: EvaluationSource): boolean {
	return 'task' in source && source.task !== undefined;
}

export type Scores = Record<string, Record<string, number>>;

/** What a run is evaluated by. */
export type EvaluationRequest = {
	/** `[name=]DIR|FILE`: a folder is a retrieval set, a file holds scored pairs. */
	evaluate: readonly string[];
	/** Held-out rows: `[name=]FILE` each, or data by name. */
	evalLoss: readonly string[] | Readonly<Record<string, unknown>>;
	evaluators: Readonly<Record<string, Evaluator>>;
	/** What files of queries among `evaluate` are to find. */
	documents?: CorpusOptions | undefined;
};

/** What run.json says of them. */
export function recordOf({evaluate, evalLoss, evaluators}: EvaluationRequest) {
	const heldOut = isList(evalLoss)
		? evalLoss
		: Object.entries(evalLoss).map(([name, data]) =>
				typeof data === 'string' ? `${name}=${data}` : name,
			);
	return {eval: evaluate, evalLoss: heldOut, evaluators: Object.keys(evaluators)};
}

/** All evaluations in their order, each name once. */
export async function evaluationSources({
	evaluate,
	evalLoss,
	evaluators,
	documents,
}: EvaluationRequest): Promise<EvaluationSource[]> {
	const sources: EvaluationSource[] = [];
	for (const entry of evaluate) {
		const [name, path] = named(entry);
		const found = await stat(path).catch((error: unknown) => {
			throw readFailure(path, error);
		});
		if (found.isDirectory()) sources.push({name, kind: 'retrieval', path});
		else sources.push(await fileSource(name, path, documents));
	}
	expectCorpusUsed(sources, documents);
	const heldOut = isList(evalLoss) ? evalLoss.map(named) : Object.entries(evalLoss);
	for (const [name, data] of heldOut) sources.push({name, kind: 'loss', data});
	for (const [name, measure] of Object.entries(evaluators)) {
		sources.push({name, kind: 'custom', measure});
	}
	const names = sources.map(({name}) => name);
	const twice = names.find((name, n) => names.indexOf(name) < n);
	if (twice === undefined) return sources;
	const message = `eval: expected each name once, got ${twice} twice`;
	throw new EngineError('OPTION_CONFLICT', message);
}

/** A file of queries or of scored pairs, by its first line. */
async function fileSource(
	name: string,
	path: string,
	documents: CorpusOptions | undefined,
): Promise<EvaluationSource> {
	const found = await queryFileKind(path).catch(() => undefined); // pairs may be CSV
	if (found === undefined) return {name, kind: 'sts', path};
	const {holds, task} = found;
	if (documents) {
		return {name, kind: holds === 'answers' ? 'answers' : 'retrieval', path, documents, task};
	}
	const message = `eval: expected --eval-corpus beside the queries of ${path}, got none`;
	throw new EngineError('OPTION_MISSING', message);
}

function expectCorpusUsed(
	sources: readonly EvaluationSource[],
	documents: CorpusOptions | undefined,
): void {
	if (!documents || sources.some(source => 'documents' in source)) return;
	const expected = 'expected a file of queries with pos_index or answers among --eval';
	throw new EngineError('OPTION_CONFLICT', `eval-corpus: ${expected}, got none`);
}

/** `name=path`, or a path that is its own name. */
function named(entry: string): [name: string, path: string] {
	const [, name = entry, path = entry] = /^([\w.-]+)=(.+)$/.exec(entry) ?? [];
	return [name, path];
}

function isList<T>(value: readonly T[] | object): value is readonly T[] {
	return Array.isArray(value);
}

/** The names of the metrics that an evaluation during training yields; those of a custom one are its own. */
const measures = {
	retrieval:
		/^((ndcg|mrr|recall|precision|map|hit)@(1|3|5|10|100)|map|mrr|answers@(1|5|10|20|100))$/,
	answers: /^answers@(1|5|10|20|100)$/,
	sts: /^(spearman|pearson)_(cosine|dot|manhattan|euclidean)$/,
	loss: /^(loss|accuracy)$/,
	custom: /./,
} as const;

const examples = {
	retrieval: 'ndcg@10 and the like',
	answers: 'answers@10 and the like',
	sts: 'spearman_cosine and the like',
	loss: 'loss or accuracy',
	custom: 'a metric that it returns',
} as const;

const standards = {
	...{retrieval: 'ndcg@10', answers: 'answers@10', sts: 'spearman_cosine', loss: 'loss'},
	custom: undefined,
};

/** The metric that decides: where it lies, and whether a greater one is better. */
export type Deciding = {name: string; metric: string; greater: boolean};

export type DecidingRule = {metric?: string | undefined; greaterIsBetter?: boolean | undefined};

/** What --metric names as `name/metric`, or the usual one of the first evaluation. */
export function decidingMetric(
	{metric, greaterIsBetter}: DecidingRule,
	sources: readonly EvaluationSource[],
): Deciding | undefined {
	const found = metric === undefined ? standardMetric(sources) : metricNamed(metric, sources);
	if (greaterIsBetter !== undefined && !found) {
		const message = 'greater-is-better: expected an evaluation whose metric decides, got none';
		throw new EngineError('OPTION_CONFLICT', message);
	}
	return found && {...found, greater: greaterIsBetter ?? !/loss$/i.test(found.metric)};
}

function standardMetric([first]: readonly EvaluationSource[]) {
	const metric = first && standards[first.kind];
	return first && metric ? {name: first.name, metric} : undefined;
}

function metricNamed(metric: string, sources: readonly EvaluationSource[]) {
	// A path may be a name, and a metric of one's own may have a slash too.
	const source = sources.find(({name}) => metric.startsWith(`${name}/`));
	if (!source) {
		const known = sources.map(({name}) => name).join(', ') || 'none, without --eval';
		throw new EngineError(
			'OPTION_RANGE',
			`metric: expected name/metric with a name of --eval (${known}), got ${metric}`,
		);
	}
	const {name, kind} = source;
	const measure = metric.slice(name.length + 1);
	if (measures[kind].test(measure)) return {name, metric: measure};
	throw new EngineError(
		'OPTION_RANGE',
		`metric: expected ${examples[kind]} of ${name}, got ${measure}`,
	);
}

/** Whether a value is better than another by more than `by`; one that is not a number is the worst. */
export function isBetter(value: number, than: number, {greater}: Deciding, by = 0): boolean {
	if (Number.isNaN(than)) return !Number.isNaN(value);
	return greater ? value > than + by : value < than - by;
}
