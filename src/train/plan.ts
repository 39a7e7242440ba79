// plan: what a run would take, of memory, time and disk, before it is begun. Memory is counted from
// shapes; the time is that of some real steps at a rate of 0, spread over the sizes that steps have.

import {readdir, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {EngineError} from '../errors.js';
import type {EmbeddingModel} from '../model/embedding-model.js';
import {giveTurn} from '../pace.js';
import {type ExpectedMemory, expectedMemory, memoryLimit} from './memory.js';
import type {TrainSettings} from './options.js';
import {type Prepared, prepareStep} from './prepare.js';
import {closeRun, prepareRun, type Run} from './run.js';
import {runStep} from './step.js';
import {alone, askedOf, type TrainOptions} from './train.js';
import {parameterMemory} from './trained.js';
import {updateOf} from './trainer.js';

export type TrainingPlan = {
	/** Bytes by part, and their sum. */
	memory: ExpectedMemory;
	/** Bytes that the process may take, and whether the run fits. */
	memoryLimit: number;
	fits: boolean;
	steps: number;
	rows: number;
	tokens: number;
	truncatedQueries: number;
	truncatedDocuments: number;
	/** Of the training, without loading and evaluation; null where the run does not fit. */
	seconds: number | null;
	tokensPerSecond: number | null;
	/** Bytes that the output takes at most: the model, checkpoints and one that is being written. */
	disk: number;
	/** Steps that were looked at, and how often one of them was computed for its time. */
	surveyedSteps: number;
	measuredSteps: number;
};

/** Steps that are tokenized at most. */
const surveyed = 512;
/** Sizes of steps that are computed, seconds that are given to them, and after which no more are. */
const sizes = 6;
const wanted = 5;
const patience = 120;

/** Documented where it is public: index.ts. */
export async function planTraining(
	model: EmbeddingModel,
	options: TrainOptions,
): Promise<TrainingPlan> {
	const {output: _, overwrite: __, resume: ___, ...others} = options;
	const {settings, request} = askedOf(model, others);
	const kept = {...settings, ...withoutOutput};
	return alone(model, async () => {
		const run = await prepareRun(model, {...kept, memoryLimit: 2 ** 40}, request, undefined);
		try {
			return await planOf(run, settings);
		} finally {
			await closeRun(run);
		}
	});
}

/** What needs a folder to write to, which a plan has not. */
const withoutOutput = {
	saveBest: false,
	keepBest: undefined,
	suspects: false,
	report: false,
	tensorboard: false,
} as const;

type Surveyed = {step: number; tokens: number; work: number};

async function planOf(run: Run, settings: TrainSettings): Promise<TrainingPlan> {
	const {model, course, expected, stepSettings} = run;
	const survey = await surveyOf(run);
	const largest = await preparedAt(run, survey.largest.step);
	const {signal} = run;
	const asked = {settings, loss: stepSettings.loss, course, signal};
	const memory = await expectedMemory(run, asked, {prepared: largest, node: expected.node});
	const limit = memoryLimit(settings, model.computing);
	const fits = memory.peak <= limit;
	const timed = fits ? await timesOf(run, survey.all, largest) : undefined;
	const seconds = timed ? secondsOf(timed, survey.work) : null;
	const {steps} = course;
	return {
		memory,
		memoryLimit: limit,
		fits,
		steps,
		...survey.totals,
		seconds,
		tokensPerSecond: seconds === null ? null : survey.totals.tokens / seconds,
		disk: await diskOf(model, settings, steps),
		surveyedSteps: survey.all.length,
		measuredSteps: timed?.times.length ?? 0,
	};
}

/** The size of steps of the whole course, and what they add up to. */
async function surveyOf(run: Run) {
	const {course, signal} = run;
	const stride = Math.max(1, Math.ceil(course.steps / surveyed));
	const all: Surveyed[] = [];
	const sums = {rows: 0, tokens: 0, truncatedQueries: 0, truncatedDocuments: 0};
	let work = 0;
	for await (const step of course.from(1)) {
		await giveTurn(signal);
		if ((step.step - 1) % stride !== 0) continue;
		const {batch, passes} = await prepareStep(run, step, {loss: run.stepSettings.loss, signal});
		const one = {step: step.step, tokens: batch.tokens, work: workOf(run, batch)};
		all.push(one);
		work += one.work;
		sums.rows += step.rows.length;
		sums.tokens += batch.tokens;
		sums.truncatedQueries += batch.truncatedQueries / passes;
		sums.truncatedDocuments += batch.truncatedDocuments / passes;
	}
	const scale = course.steps / all.length;
	const scaled = Object.entries(sums).map(([name, sum]) => [name, Math.round(sum * scale)]);
	return {
		all,
		work: work * scale,
		largest: all.reduce((most, one) => (one.tokens > most.tokens ? one : most)),
		totals: Object.fromEntries(scaled) as typeof sums,
	};
}

/** Multiplications of the passes of a step, as far as they tell large steps from small ones. */
function workOf({model}: Run, {chunks}: Prepared['batch']): number {
	const {width, blocks} = model.folder.spec;
	let work = 0;
	const linear = blocks.reduce(
		(sum, {mlp}) => sum + width * (4 * width + (mlp.gate === 'none' ? 2 : 3) * mlp.width),
		0,
	);
	for (const [n, {packed}] of chunks.entries()) {
		const passes = n === 0 ? 3 : 4;
		const {offsets} = packed;
		for (let text = 0; text + 1 < offsets.length; text++) {
			const tokens = offsets[text + 1]! - offsets[text]!;
			work += passes * tokens * (linear + 2 * tokens * width * blocks.length);
		}
	}
	return work;
}

async function preparedAt(run: Run, step: number): Promise<Prepared> {
	const {loss} = run.stepSettings;
	const {signal} = run;
	for await (const found of run.course.from(step)) return prepareStep(run, found, {loss, signal});
	throw new EngineError('INTERNAL', `course: expected step ${step}, got its end`);
}

type Timed = {seconds: number; work: number};

/** The largest step, which runs first and takes the memory, and others of small to large sizes. */
type Times = {first: Timed; times: readonly Timed[]};

async function timesOf(run: Run, all: readonly Surveyed[], largest: Prepared): Promise<Times> {
	const sorted = all.toSorted((a, b) => a.work - b.work);
	const count = Math.min(sizes, sorted.length);
	const chosen = Array.from(
		{length: count},
		(_, n) => sorted[Math.floor(((n + 0.5) * sorted.length) / count)]!,
	);
	const begun = performance.now();
	const first = {seconds: await secondsFor(run, largest), work: workOf(run, largest.batch)};
	const times: Timed[] = [];
	for (let n = 0; n < Math.max(sizes, run.course.steps); n++) {
		const seconds = (performance.now() - begun) / 1000;
		if (n > 0 && seconds > (n < sizes ? patience : wanted)) break;
		const {step, work} = chosen[count - 1 - (n % count)]!;
		times.push({seconds: await secondsFor(run, await preparedAt(run, step)), work});
	}
	return {first, times};
}

/** Runs a step as the run would, at a rate of 0. */
async function secondsFor(run: Run, prepared: Prepared): Promise<number> {
	const {course, batch, facts, loss, passes} = prepared;
	const update = {...updateOf(run, course.step), rate: 0, averageShare: 0};
	const isLogged = course.step % run.settings.loggingSteps === 0;
	const begun = performance.now();
	await runStep({...run.stepSettings, loss}, batch, update, {
		...{signal: run.signal, facts, passes},
		watched: {norms: isLogged ? run.parts : undefined},
	});
	return (performance.now() - begun) / 1000;
}

/**
All steps at the rate of those measured, of several without a sixth of the fastest and of the slowest,
and what memory costs that is touched for the first time.
*/
function secondsOf({first, times}: Times, work: number): number {
	const sorted = times.toSorted((a, b) => a.seconds / a.work - b.seconds / b.work);
	const odd = times.length < 3 ? 0 : Math.ceil(times.length / sizes);
	const common = sorted.slice(odd, times.length - odd);
	const sum = (each: (time: Timed) => number) =>
		common.reduce((total, time) => total + each(time), 0);
	const rate = sum(time => time.seconds) / sum(time => time.work);
	return rate * work + Math.max(0, first.seconds - rate * first.work);
}

/** The model folder, checkpoints that are kept, one that is being written, and a line for each logged step. */
async function diskOf(
	model: EmbeddingModel,
	settings: TrainSettings,
	steps: number,
): Promise<number> {
	const {keep, saveBest, keepBest = 0, loggingSteps} = settings;
	const newest = keep === 'all' ? Math.ceil(steps / (settings.saveSteps ?? steps)) : keep;
	const weights = model.core
		.parameters()
		.reduce((sum, {rows, columns}) => sum + 4 * rows * columns, 0);
	const folder = weights + (await besideWeights(model.folder.path));
	const {state} = parameterMemory(model, {...settings, adversarial: undefined}, steps);
	const checkpoints = newest + Math.max(keepBest, saveBest ? 1 : 0) + 1;
	return folder + checkpoints * (folder + state) + 1024 * Math.ceil(steps / loggingSteps);
}

async function besideWeights(path: string): Promise<number> {
	const entries = await readdir(path, {recursive: true, withFileTypes: true});
	const files = entries.filter(
		entry => entry.isFile() && /\.(json|txt|model|md)$/.test(entry.name),
	);
	const sizes = await Promise.all(
		files.map(async ({parentPath, name}) => (await stat(join(parentPath, name))).size),
	);
	return sizes.reduce((sum, size) => sum + size, 0);
}
