// Everything that a run is made of, put together once and checked before the first step.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {type Dataset, openDataset} from '../data/dataset.js';
import {Rows} from '../data/rows.js';
import {sourcesOf} from '../data/sources.js';
import {EngineError} from '../errors.js';
import {readQrels, type Table} from '../evaluate/trec.js';
import type {HubOptions} from '../hub/settings.js';
import {isJudge, judgingRules, type MaskRule} from '../loss/false-negatives.js';
import type {Loss} from '../loss/loss.js';
import {masksOf} from '../loss/parts.js';
import type {EmbeddingModel} from '../model/embedding-model.js';
import type {DropoutRates} from '../model/spec.js';
import type {Tower} from '../model/towers.js';
import type {WeightAverages} from './averages.js';
import {automaticChunkTokens, type BatchRules} from './batch.js';
import {expectBest} from './best.js';
import {newestCheckpoint, type RunState, restoreCheckpoint} from './checkpoint.js';
import type {RunControl} from './control.js';
import {type Course, planCourse} from './epochs.js';
import {
	type Deciding,
	decidingMetric,
	type EvaluationRequest,
	type EvaluationSource,
	evaluationSources,
	hasTask,
} from './evaluations.js';
import {Guide} from './guide.js';
import {type HeldOut, openHeldOut} from './held-out.js';
import {expectSame, expectSameData, identityOf, type Recorded} from './identity.js';
import {openLog} from './logs.js';
import {LossParameters} from './loss-parameters.js';
import {type ExpectedMemory, expectFits} from './memory.js';
import type {EvaluationMetrics, RunLog, StepMetrics} from './metrics-log.js';
import {expectSets, expectWidth} from './needs.js';
import {type ModelParts, partsOf} from './norms.js';
import type {TrainSettings} from './options.js';
import {expectPatience} from './patience.js';
import {excludePrompts, PromptRules} from './prompts.js';
import {filtersIn, readingOf} from './reading.js';
import type {RunFolder} from './run-folder.js';
import {scheduleOf} from './schedule.js';
import type {StepSettings} from './step.js';
import {Suspects} from './suspects.js';
import {type TeacherVectors, teacherOf} from './teacher-vectors.js';
import {expectRowsFor, settleRows} from './token-rows.js';
import {prepareParameters} from './trained.js';

/** What a run is asked for, beside its settings. */
export type RunRequest = {
	data: unknown;
	/** Where data sets of the hub come from. */
	hub?: HubOptions | undefined;
	loss: Loss;
	/** The loss as it is recorded. */
	lossRecord: unknown;
	/** The command that asks for the run, as it is recorded. */
	command?: Readonly<Record<string, unknown>> | undefined;
	evaluations: EvaluationRequest;
	signal?: AbortSignal | undefined;
	onStep?: ((metrics: StepMetrics) => void) | undefined;
	onEvaluate?: ((metrics: EvaluationMetrics) => void) | undefined;
	onSave?: ((saved: {step: number; folder: string}) => void) | undefined;
	/** What a person should know: warnings, what was resumed. */
	onMessage?: ((message: string) => void) | undefined;
	/** What may be asked of the run while it goes. */
	control?: RunControl | undefined;
};

export type Run = {
	model: EmbeddingModel;
	settings: TrainSettings;
	folder: RunFolder | undefined;
	dataset: Dataset;
	rows: Rows;
	/** A teacher's vectors, where the loss learns from them. */
	teacher: TeacherVectors | undefined;
	course: Course;
	rules: BatchRules;
	schedule: (update: number) => number;
	/** Of the rate of each parameter, where they differ. */
	rateFactors: readonly number[] | undefined;
	/** What the norms of a step are told by. */
	parts: ModelParts;
	averages: WeightAverages;
	sources: readonly EvaluationSource[];
	/** The rows of each source that is a validation loss, by its name. */
	heldOut: ReadonlyMap<string, HeldOut>;
	deciding: Deciding | undefined;
	guide: Guide | undefined;
	suspects: Suspects | undefined;
	/** Positives known beside those of the data, by query and document. */
	judgements: Table | undefined;
	stepSettings: StepSettings;
	/** Whether report.html is made, which wants the hardest negatives. */
	isReported: boolean;
	log: RunLog;
	state: RunState;
	/** The epoch of the last step, from 0. */
	pass: number;
	/** What the run was expected to take when it began. */
	expected: ExpectedMemory;
	/** The step of the newest checkpoint. */
	savedStep: number | null;
	resumedFrom: number | null;
	signal: AbortSignal | undefined;
	onStep: RunRequest['onStep'];
	onEvaluate: RunRequest['onEvaluate'];
	onSave: RunRequest['onSave'];
	control: RunControl | undefined;
};

/** Checks data, options and evaluations, and makes the model ready to train. */
export async function prepareRun(
	model: EmbeddingModel,
	settings: TrainSettings,
	request: RunRequest,
	folder: RunFolder | undefined,
): Promise<Run> {
	const {signal, loss, onMessage} = request;
	for (const warning of model.folder.saveWarnings) onMessage?.(warning);
	const sources = await evaluationSources(request.evaluations);
	expectRowsFor(loss, model, {sources, excludePrompt: settings.excludePrompt});
	const deciding = decidingMetric(settings, sources);
	const log = await openLog(settings, folder);
	expectBest(settings, {sources, deciding, hasOutput: folder !== undefined});
	expectPatience(settings, deciding !== undefined);
	if (settings.excludePrompt) excludePrompts(model);
	const prompts = await PromptRules.open(model, settings);
	if (!sources.every(hasTask)) for (const remark of prompts.remarks) onMessage?.(remark);
	if (loss.needs?.passes === 2 && isStill(model, settings)) {
		onMessage?.(
			`${loss.name}: the model has no dropout, so both passes are one; set --dropout 0.1`,
		);
	}
	const rules = rulesOf(model, settings, loss, prompts);
	if (settings.positives === 'all' && loss.needs?.positives !== 'several') {
		const expected =
			'expected all only with a loss that takes several, as infonce without dq and dd';
		throw new EngineError('OPTION_CONFLICT', `positives: ${expected}, got ${loss.name}`);
	}
	const judgements = await judgementsFor(loss, settings, signal);
	const {needs = {}} = loss;
	expectWidth(loss, model.width);
	const dataset = await openDataset(sourcesOf(request.data), {
		...readingOf(settings, loss, prompts),
		...filtersIn(settings),
		hub: request.hub,
		signal,
	});
	let teacher: TeacherVectors | undefined;
	let guide: Guide | undefined;
	let heldOut: Map<string, HeldOut> = new Map();
	try {
		expectSets(
			loss,
			dataset.files.map(({name}) => name),
		);
		teacher = await teacherOf(loss, settings, dataset, signal);
		const {threads} = model.computing;
		guide = await Guide.open(settings.guide, loss, {threads, signal});
		for (const warning of dataset.warnings) onMessage?.(warning);
		const {perSet} = filtersIn(settings);
		const rows = await Rows.select(dataset, {...settings, perSet}, {signal});
		for (const message of rows.messages) onMessage?.(message);
		const course = await planCourse(rows, settings, {...needs, signal});
		if (course.dropped > 0) {
			onMessage?.(`${course.dropped} rows left out: alone in their batch and without negatives`);
		}
		if (course.cut > 0) onMessage?.(`${course.cut} rows left out: their batches were not full`);
		if (course.few > 0) onMessage?.(`${course.few} rows fill no batch; they are one all the same`);
		const schedule = scheduleOf({
			...settings,
			steps: settings.scheduleSteps ?? course.steps,
			width: model.width,
		});
		settleRows(loss, model, onMessage);
		const {steps} = course;
		const source = {model, rows, rules, teacher, guide, judgements};
		const expected = await expectFits(source, {settings, loss, course, signal});
		const trained = await prepareParameters(model, settings, {steps, onMessage});
		const parameters = new LossParameters(model.computing.native, loss, {
			width: model.width,
			seed: settings.seed,
		});
		const {device, computing} = model;
		const stepSettings = {
			model,
			loss,
			parameters,
			dropout: dropoutOf(model, settings),
			documentDropout: dropoutOf(model.towerOf('document'), settings),
			recompute: settings.recompute === 'blocks',
			seed: settings.seed,
			suspects: settings.suspects,
			attack: trained.attack,
		};
		const {hub} = request;
		const shared = {model, rules, guide, judgements, settings, stepSettings, hub, signal};
		heldOut = await openHeldOut(sources, {...shared, teacherWidth: teacher?.width});
		return {
			model,
			settings,
			folder,
			dataset,
			rows,
			teacher,
			course,
			rules,
			schedule,
			rateFactors: trained.rateFactors,
			parts: partsOf(model.core),
			averages: trained.averages,
			sources,
			heldOut,
			deciding,
			guide,
			suspects: suspectsOf(loss, settings, folder),
			judgements,
			stepSettings,
			isReported: folder !== undefined && settings.report,
			log,
			state: {
				step: 0,
				identity: {
					...identityOf(model, settings, recordedOf(request), {dataset, heldOut}),
					...(prompts.table && {promptTable: prompts.table.contents}),
					...(teacher && {teacher: teacher.sha256}),
					...(guide && {guide: guide.fingerprint}),
				},
				device,
				kernels: computing.kernels,
				totals: {rows: 0, tokens: 0, seconds: 0},
				lastLoss: 0,
				evaluationBefore: {},
				evaluated: null,
				best: null,
				bests: [],
				hardest: [],
				waiting: null,
				stopped: false,
			},
			pass: 0,
			expected,
			savedStep: null,
			resumedFrom: null,
			signal,
			onStep: request.onStep,
			onEvaluate: request.onEvaluate,
			onSave: request.onSave,
			control: request.control,
		};
	} catch (error) {
		await teacher?.close();
		await guide?.dispose();
		for (const each of heldOut.values()) await each.close();
		await dataset.close();
		throw error;
	}
}

/** Gives up what a run holds open. */
export async function closeRun(run: Run): Promise<void> {
	run.stepSettings.parameters.dispose();
	await run.guide?.dispose();
	for (const each of run.heldOut.values()) await each.close();
	await run.teacher?.close();
	await run.dataset.close();
}

async function judgementsFor(
	loss: Loss,
	{knownPositives}: TrainSettings,
	signal: AbortSignal | undefined,
): Promise<Table | undefined> {
	if (knownPositives === undefined) return undefined;
	const isAsked = loss.options === undefined || masksOf(loss).includes('known');
	if (loss.needs?.known && isAsked) return readQrels(knownPositives, {signal});
	const expected = 'expected a loss with the mask known, got one without';
	throw new EngineError('OPTION_CONFLICT', `known-positives: ${expected}`);
}

function suspectsOf(
	loss: Loss,
	{suspects}: TrainSettings,
	folder: RunFolder | undefined,
): Suspects | undefined {
	if (!suspects) return undefined;
	const judges = masksOf(loss).some(mask => isJudge(mask as MaskRule));
	if (folder && judges) return new Suspects(join(folder.path, 'suspects.jsonl'));
	const missing = folder ? `the mask ${judgingRules.join(' or ')}` : '--output to write them to';
	throw new EngineError('OPTION_CONFLICT', `suspects: expected ${missing}, got none`);
}

function dropoutOf({folder}: Pick<Tower, 'folder'>, {dropout}: TrainSettings): DropoutRates {
	return dropout === undefined ? folder.dropout : {hidden: dropout, attention: dropout};
}

function isStill(model: EmbeddingModel, settings: TrainSettings): boolean {
	const {hidden, attention} = dropoutOf(model, settings);
	return hidden === 0 && attention === 0;
}

function rulesOf(
	model: EmbeddingModel,
	settings: TrainSettings,
	{name, needs: {views = 1, tokens: unpooled = false} = {}}: Loss,
	prompts: PromptRules,
): BatchRules {
	if (views === 2 && isStill(model, settings)) {
		const expected = 'expected dropout above 0, which tells the two views of a text apart';
		throw new EngineError('OPTION_CONFLICT', `${name}: ${expected}, got 0; set --dropout 0.1`);
	}
	const [query, document] = [model.towerOf('query').folder, model.towerOf('document').folder];
	const {queryMaxLength = query.maxLength, chunkTokens} = settings;
	const {documentMaxLength = document.maxLength} = settings;
	for (const [name, length, folder] of [
		['query-max-length', queryMaxLength, query],
		['document-max-length', documentMaxLength, document],
	] as const) {
		if (length <= folder.longest) continue;
		throw new EngineError(
			'OPTION_RANGE',
			`${name}: expected at most ${folder.longest}, the positions of the model, got ${length}`,
		);
	}
	return {
		queryMaxLength,
		documentMaxLength: views === 2 ? queryMaxLength : documentMaxLength,
		views,
		prompts,
		chunkTokens: chunkTokens === 'auto' ? automaticChunkTokens(model) : chunkTokens,
		unpooled,
	};
}

function recordedOf({lossRecord, evaluations}: RunRequest): Recorded {
	return {lossRecord, ...evaluations};
}

/** Goes on from the newest whole checkpoint of the folder, if there is one. */
export async function resume(run: Run, onMessage?: (message: string) => void): Promise<void> {
	const {folder, state, model, stepSettings} = run;
	if (!folder) return;
	const found = await newestCheckpoint(folder.path, message => onMessage?.(message));
	if (!found) {
		onMessage?.('no checkpoint to go on from; the run starts anew');
		return;
	}
	expectSameData(found.state.identity.data, run.dataset);
	expectSame(found.state.identity, state.identity);
	for (const place of ['device', 'kernels'] as const) {
		if (found.state[place] === state[place]) continue;
		onMessage?.(
			`the checkpoint was computed with ${place} ${found.state[place]}, this run uses ${state[place]}: ` +
				'it will not end in the same bits',
		);
	}
	await restoreCheckpoint(model, stepSettings.parameters, found);
	await run.averages.resume();
	await run.suspects?.resume(found.state.step);
	run.state = {...found.state, device: state.device, kernels: state.kernels};
	run.savedStep = found.state.step;
	run.resumedFrom = found.state.step;
	onMessage?.(`goes on from step ${found.state.step} of ${run.course.steps}`);
}

/** What run.json says from the beginning on. */
export function runRecord(run: Run, options: object): Record<string, unknown> {
	const {model, dataset, course, rules} = run;
	const {device, computing, folder} = model;
	// By now a run that goes on has other weights than it began with.
	const fingerprint = run.state.identity['model'];
	return {
		options: {...optionsOf(model), ...options, output: run.folder?.path ?? null},
		data: dataset.files,
		model: {path: folder.path, fingerprint, family: model.family},
		versions: {inbatch: packageVersion(), node: process.versions.node},
		device,
		kernels: computing.kernels,
		dtype: computing.dtype,
		threads: computing.threads,
		seed: run.settings.seed,
		steps: course.steps,
		chunkTokens: rules.chunkTokens,
		resumedFrom: run.resumedFrom,
	};
}

/** What was asked of the model, or what its folder says. */
function optionsOf({folder, maxLength}: EmbeddingModel) {
	const {path, truncationSide, newParts} = folder;
	const {pooling, normalize} = folder.spec.head;
	return {model: path, ...newParts, pooling, normalize, maxLength, truncationSide};
}

function packageVersion(): string {
	const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
	return (JSON.parse(text) as {version: string}).version;
}
