// train(): from options to a trained model, in a folder when one is asked for.

import {join} from 'node:path';
import type {z} from 'zod';
import {EngineError, kindOf} from '../errors.js';
import {infoNce} from '../loss/infonce.js';
import type {Loss} from '../loss/loss.js';
import {modelCard} from '../model/card.js';
import type {EmbeddingModel} from '../model/embedding-model.js';
import {foldersOf, writeModelFolder} from '../model/save.js';
import {parseOptions} from '../options.js';
import {averageText} from './averages.js';
import {restoreWeights} from './checkpoint.js';
import type {RunControl} from './control.js';
import {evaluateNow, isEvaluationLeft, stoppedOf} from './evaluate-run.js';
import {type Evaluator, recordOf, type Scores} from './evaluations.js';
import {titleOf} from './optimizers.js';
import {expectCompatible, type TrainSettings, trainSchema} from './options.js';
import {type RunRecord, writeReport} from './report/report.js';
import {closeRun, prepareRun, type Run, type RunRequest, resume, runRecord} from './run.js';
import {installModel, RunFolder} from './run-folder.js';
import {peakMemory} from './step-metrics.js';
import {nameNow, saveNow, settleOnBest, type TrainResult, trainSteps} from './trainer.js';

export type TrainOptions = Partial<z.input<typeof trainSchema>> & {
	/** A path, `name=path`, a folder, a list of these, or records as an array or (async) iterable. */
	data: unknown;
	/** Default `infoNce()`. */
	loss?: Loss | undefined;
	/** How the loss is recorded in run.json. */
	lossRecord?: unknown;
	/** Where data sets of the hub come from. Default: as its variables say. */
	hub?: RunRequest['hub'];
	/** The command that asks for the run, for run.json: what `inbatch replay` repeats. */
	command?: Readonly<Record<string, unknown>> | undefined;
	/** The folder of the run; without it nothing is written. */
	output?: string | undefined;
	overwrite?: boolean | undefined;
	/** Goes on from the newest checkpoint of `output`. */
	resume?: boolean | undefined;
	/** Evaluations before, during and after: `[name=]folder` or `[name=]file`. */
	eval?: string | readonly string[] | undefined;
	/** Held-out rows whose loss and in-batch accuracy are evaluated: `[name=]file`, or data by name. */
	evalLoss?: string | readonly string[] | Readonly<Record<string, unknown>> | undefined;
	/** Evaluations of your own, by name: `async model => ({metric: 0.5})`. */
	evaluators?: Readonly<Record<string, Evaluator>> | undefined;
	/** Ends the run after a checkpoint; the promise rejects with the signal's reason. */
	signal?: AbortSignal | undefined;
	onStep?: RunRequest['onStep'];
	onEvaluate?: RunRequest['onEvaluate'];
	/** Told of every checkpoint that was written. */
	onSave?: RunRequest['onSave'];
	onMessage?: RunRequest['onMessage'];
};

/** Documented where it is public: index.ts. */
export async function train(model: EmbeddingModel, options: TrainOptions): Promise<TrainResult> {
	return trainWith(model, options);
}

/** The same for a run that is asked for things while it goes. */
export async function trainWith(
	model: EmbeddingModel,
	options: TrainOptions,
	control?: RunControl,
): Promise<TrainResult> {
	const {settings, request, output, overwrite, goesOn} = askedOf(model, options, control);
	const folder =
		output === undefined ? undefined : await RunFolder.open(output, {overwrite, resume: goesOn});
	try {
		return await alone(model, () => runIn(folder, {model, settings, request, goesOn}));
	} catch (error) {
		await folder?.abandon();
		throw error;
	} finally {
		folder?.release();
	}
}

/** The settings of a run and what it is asked for, checked. */
export function askedOf(model: EmbeddingModel, options: TrainOptions, control?: RunControl) {
	const {
		data,
		loss = infoNce(),
		lossRecord,
		command,
		hub,
		output,
		overwrite = false,
		signal,
		...others
	} = options;
	const {
		resume: goesOn = false,
		eval: evaluate = [],
		evalLoss = [],
		evaluators = {},
		onStep,
		onEvaluate,
		onSave,
		onMessage,
		...rest
	} = others;
	expectGiven(options);
	model.expectFloats('train');
	const settings = parseOptions(trainSchema, rest, 'train');
	expectCompatible(settings, 'train');
	const evaluations = {
		evaluate: [evaluate].flat(),
		evalLoss: typeof evalLoss === 'string' ? [evalLoss] : evalLoss,
		evaluators,
		documents: corpusOf(settings),
	};
	const record = lossRecord ?? {name: loss.name || 'custom', ...loss.options};
	const watching = {signal, onStep, onEvaluate, onSave, onMessage, control};
	const request = {data, hub, loss, lossRecord: record, command, evaluations, ...watching};
	return {settings, request, output, overwrite, goesOn};
}

function corpusOf({evalCorpus: corpus, evalTemplate: template}: TrainSettings) {
	if (corpus !== undefined) return {corpus, template};
	if (template === undefined) return undefined;
	const message = 'eval-template: expected --eval-corpus beside it, got none';
	throw new EngineError('OPTION_CONFLICT', message);
}

function expectGiven({data, output, resume, loss = infoNce()}: TrainOptions): void {
	if (data === undefined) throw new EngineError('OPTION_MISSING', 'train: expected data, got none');
	if (resume && output === undefined) {
		throw new EngineError(
			'OPTION_MISSING',
			'resume: expected the output of the run to go on with, got none',
		);
	}
	if (typeof loss === 'function') return;
	throw new EngineError(
		'LOSS_INVALID',
		`train: expected the loss to be a function, got ${kindOf(loss)}; infoNce() makes one`,
	);
}

const inTraining = new WeakSet<EmbeddingModel>();

/** Runs the training of a model as the only one, and so that dispose() waits for it. */
export async function alone<T>(model: EmbeddingModel, work: () => Promise<T>): Promise<T> {
	if (inTraining.has(model)) {
		throw new EngineError(
			'OPTION_CONFLICT',
			'train: expected a model that is not in training, got one that is; wait for it or load another',
		);
	}
	inTraining.add(model);
	try {
		return await model.working(work);
	} finally {
		inTraining.delete(model);
	}
}

type Asked = {model: EmbeddingModel; settings: TrainSettings; request: RunRequest; goesOn: boolean};

async function runIn(folder: RunFolder | undefined, asked: Asked): Promise<TrainResult> {
	const {model, settings, request, goesOn} = asked;
	const run = await prepareRun(model, settings, request, folder);
	try {
		if (goesOn) await resume(run, request.onMessage);
		const isDone = run.state.step === run.course.steps || run.state.stopped;
		const isFinished = goesOn && isDone;
		const earlier = isFinished ? await folder?.readJson('run.json') : undefined;
		if (folder && earlier?.result) {
			await restoreWeights(model, join(folder.path, settings.modelPlace ?? ''));
			return {...(earlier.result as TrainResult), resumedFrom: run.resumedFrom};
		}
		await folder?.begin(run.resumedFrom, inputsOf(run));
		const evaluated = run.state.evaluated?.step ?? null;
		await run.log.start({
			step: run.resumedFrom,
			evaluated,
			isEvaluationLeft: isEvaluationLeft(run),
		});
		const options = {...settings, loss: request.lossRecord, ...recordOf(request.evaluations)};
		const record = {...runRecord(run, options), command: request.command};
		await folder?.writeJson('run.json', record);
		const after = await work(run).catch(async (error: unknown) => {
			await leave(run, record);
			throw error;
		});
		const result = resultOf(run, after);
		if (folder) await finish(run, folder, {...record, result});
		return result;
	} finally {
		await closeRun(run);
	}
}

/** What a run that ends before its time leaves: a report where it was stopped, no log where it has no checkpoint. */
async function leave(run: Run, record: RunRecord): Promise<void> {
	const {folder, savedStep, log, signal, state} = run;
	if (folder && savedStep === null) await log.discard();
	else if (signal?.aborted && state.step > 0) await report(run, record);
}

/** What a run reads and its output must not hold. */
function inputsOf({model, dataset, sources, heldOut}: Run): string[] {
	const files = [dataset, ...Array.from(heldOut.values(), each => each.dataset)].flatMap(
		({files}) => files,
	);
	const folders = sources.flatMap(source => [
		...('path' in source ? [source.path] : []),
		...('documents' in source ? [source.documents.corpus] : []),
	]);
	const models = foldersOf(model).flatMap(({path, configPath}) => [path, configPath]);
	return [...models, ...files.map(file => file.path), ...folders];
}

/** Evaluates before, trains, evaluates after; on an abort the state reached is kept. Returns the last scores. */
async function work(run: Run): Promise<Scores> {
	try {
		if (run.state.step === 0) {
			await evaluateNow(run);
			run.state.evaluationBefore = run.state.evaluated?.scores ?? {};
		}
		await trainSteps(run);
		await run.averages.settle();
		if (!run.state.stopped) await evaluateNow(run);
		await nameNow(run);
		return await settleOnBest(run);
	} catch (error) {
		if (run.signal?.aborted && run.state.step > 0) {
			await saveNow(run);
			await run.averages.settle();
		}
		throw error;
	}
}

async function finish(run: Run, folder: RunFolder, record: Record<string, unknown>): Promise<void> {
	const {model, state, dataset, settings} = run;
	const files = dataset.files.map(({name, rows}) => `${name} (${rows} records)`).join(', ');
	const training =
		`${state.step} steps of ${settings.batchSize * settings.accumulate} rows over ${files}, ` +
		`${titleOf(settings.optimizer)} at ${settings.learningRate}, seed ${settings.seed}.` +
		`${averageText(settings)} Everything else stands in run.json.`;
	const card = modelCard(foldersOf(model), model.width, {training});
	const place = join(folder.path, settings.modelPlace ?? '');
	await installModel(place, staged => writeModelFolder(model, staged, card));
	await folder.writeJson('run.json', record);
	await report(run, record);
}

async function report({folder, state, isReported}: Run, record: RunRecord): Promise<void> {
	if (!folder || !isReported) return;
	await writeReport(folder.path, {record, hardest: state.hardest, step: state.step});
}

function resultOf(run: Run, after: Scores): TrainResult {
	const {state, settings, folder, resumedFrom} = run;
	const {rows, tokens, seconds} = state.totals;
	const stopped = stoppedOf(run);
	const isWhole = settings.steps === undefined && !stopped;
	return {
		steps: state.step,
		epochs: isWhole ? (settings.epochs ?? 1) : rows / Math.max(1, run.rows.used),
		rows,
		loss: state.lastLoss,
		seconds,
		rowsPerSecond: rows / seconds,
		tokensPerSecond: tokens / seconds,
		peakMemoryBytes: peakMemory(),
		resumedFrom,
		output: folder?.path ?? null,
		evaluation: {before: state.evaluationBefore, after},
		...(stopped && {stopped}),
	};
}
