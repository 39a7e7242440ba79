// evaluate(): a model, or two of them side by side, on any number of sets.

import {access} from 'node:fs/promises';
import type {z} from 'zod';
import {EngineError} from '../errors.js';
import type {EmbeddingModel} from '../model/embedding-model.js';
import {isUnpooled} from '../model/token-head.js';
import {parseOptions} from '../options.js';
import {type EvaluateSettings, evaluateSchema} from './options.js';
import {compareOutcomes, measure, type SetResult} from './outcome.js';
import {runDepth, type Watching} from './retrieval.js';
import {type EvaluationSet, openSet, type SetSource} from './sets.js';
import {writeRun} from './trec-write.js';

export type EvaluateOptions = z.input<typeof evaluateSchema> &
	Watching & {
		/** Folders in the layout of BEIR: `path` or `name=path`. */
		retrieval?: string | readonly string[] | undefined;
		/** Files of scored pairs: `path` or `name=path`. */
		sts?: string | readonly string[] | undefined;
		/** A second model, to compare with. */
		compare?: EmbeddingModel | undefined;
	};

export type EvaluationReport = {model: string | null; results: SetResult[]};

/** Documented where it is public: index.ts. */
export async function evaluate(
	model: EmbeddingModel,
	{retrieval = [], sts = [], ...options}: EvaluateOptions = {},
): Promise<EvaluationReport> {
	const sources = [
		...[retrieval].flat().map(source => ({task: 'retrieval', source}) as const),
		...[sts].flat().map(source => ({task: 'sts', source}) as const),
	];
	const {compare, signal, onProgress, ...rest} = options;
	const settings = parseOptions(evaluateSchema, rest, 'evaluate');
	checkSources(sources, settings);
	const sets = await openSets(sources, settings, signal);
	const results = await evaluateSets({model, compare}, sets, settings, {signal, onProgress});
	return {model: model.folder.path, results};
}

/** Refuses no sets at all, and a run of several. */
export function checkSources(sources: readonly SetSource[], {run}: EvaluateSettings): void {
	const rankings = sources.filter(({task}) => task === 'retrieval').length;
	if (sources.length === 0) {
		const message = 'evaluate: expected a retrieval set or scored pairs, got neither';
		throw new EngineError('OPTION_MISSING', message);
	}
	if (run === undefined || rankings === 1) return;
	const message = `run: expected one retrieval set to write the run of, got ${rankings}`;
	throw new EngineError('OPTION_CONFLICT', message);
}

/** Reads all sets and checks what can be known before anything is computed. */
export async function openSets(
	sources: readonly SetSource[],
	{split, run, overwrite}: EvaluateSettings,
	signal?: AbortSignal,
): Promise<EvaluationSet[]> {
	if (run !== undefined && !overwrite && (await isThere(run))) {
		const message = `${run}: expected no output there, got one; use --overwrite or another name`;
		throw new EngineError('OUTPUT_EXISTS', message);
	}
	const sets: EvaluationSet[] = [];
	for (const source of sources) sets.push(await openSet(source, {split, signal}));
	return sets;
}

export type Models = {model: EmbeddingModel; compare?: EmbeddingModel | undefined};

type Finishing = Watching & {
	/** Sees all results before the run takes its place; when this fails there is no run. */
	onResults?: ((results: SetResult[]) => Promise<void>) | undefined;
};

/** One result per set, in the order of the sets; then the run that the settings ask for. */
export async function evaluateSets(
	{model, compare}: Models,
	sets: readonly EvaluationSet[],
	settings: EvaluateSettings,
	{onResults, ...watching}: Finishing = {},
): Promise<SetResult[]> {
	const {signal} = watching;
	const results: SetResult[] = [];
	let rankings: Parameters<typeof writeRun>[1] = [];
	for (const each of compare ? [model, compare] : [model]) expectMeasurable(each, sets);
	const watch = watchAll(sets, compare ? 2 : 1, watching);
	for (const set of sets) {
		const outcome = await measure(model, set, settings, watch(set));
		const {result, details} = outcome;
		if (details.task === 'retrieval') rankings = details.rankings;
		if (compare) {
			const before = await measure(compare, set, settings, watch(set));
			const differences = await compareOutcomes(before, outcome, {seed: settings.seed, signal});
			result.compare = {model: compare.folder.path, ...differences};
		}
		results.push(result);
	}
	const beforeCommit = async () => onResults?.(results);
	const {overwrite, run, ties, k} = settings;
	if (run === undefined) await beforeCommit();
	else {
		const depth = runDepth(k);
		await writeRun(run, rankings, {overwrite, signal, ties, depth, beforeCommit});
	}
	return results;
}

/** Refuses pairs for a model of token vectors: their similarities are of one vector a text. */
function expectMeasurable({folder}: EmbeddingModel, sets: readonly EvaluationSet[]): void {
	if (!isUnpooled(folder.spec.head) || sets.every(({task}) => task === 'retrieval')) return;
	const expected = 'expected a model of one vector a text for scored pairs';
	const hint = 'retrieval sets rank by MaxSim';
	const message = `${folder.path}: ${expected}, got one of token vectors; ${hint}`;
	throw new EngineError('MODEL_POOLING', message);
}

/** Progress over all sets together, each read by so many models. */
function watchAll(
	sets: readonly EvaluationSet[],
	models: number,
	{signal, onProgress}: Watching,
): (set: EvaluationSet) => Watching {
	const total = models * sets.reduce((sum, set) => sum + textsOf(set), 0);
	let next = 0;
	return set => {
		const before = next;
		next += textsOf(set);
		return {
			signal,
			onProgress: ({name, done}) => onProgress?.({name, done: before + done, total}),
		};
	};
}

function textsOf({task, set}: EvaluationSet): number {
	return task === 'sts' ? 2 * set.scores.length : set.queries.length + set.documentIds.length;
}

async function isThere(path: string): Promise<boolean> {
	return access(path).then(
		() => true,
		() => false,
	);
}
