// The training loop: data to batches to steps, with checkpoints, evaluations and a log.

import {join} from 'node:path';
import type {RowTexts} from '../data/rows.js';
import {EngineError} from '../errors.js';
import type {UpdateSettings} from '../native.js';
import {packBatch, type TrainingBatch} from './batch.js';
import {restoreWeights, writeCheckpoint} from './checkpoint.js';
import type {StepRows} from './epochs.js';
import {evaluateAll, type Scores} from './evaluations.js';
import {knownOf} from './known.js';
import type {StepMetrics} from './metrics-log.js';
import {factsOf} from './needs.js';
import {isExhausted, type Stopped, waitingAfter} from './patience.js';
import type {Run} from './run.js';
import {type RowFacts, runStep, type StepResult} from './step.js';

/** What a run did. */
export type TrainResult = {
	steps: number;
	epochs: number;
	rows: number;
	/** Of the last step. */
	loss: number;
	/** Without loading and evaluation. */
	seconds: number;
	rowsPerSecond: number;
	tokensPerSecond: number;
	peakMemoryBytes: number;
	/** The step of the checkpoint that was gone on from. */
	resumedFrom: number | null;
	output: string | null;
	evaluation: {before: Scores; after: Scores};
	/** Where and why the run ended before its time, when it did. */
	stopped?: Stopped;
};

type Prepared = {
	course: StepRows;
	texts: readonly RowTexts[];
	batch: TrainingBatch;
	facts: RowFacts;
};

/** Runs all steps that are left, and leaves the trained weights in the model. */
export async function trainSteps(run: Run): Promise<void> {
	const {course, state, signal} = run;
	// A run that was stopped while it evaluated begins with that.
	if (isEvaluationDue(run)) await evaluateNow(run);
	if (state.stopped) return;
	const upcoming = course.from(state.step + 1);
	let next = prepare(run, await upcoming.next());
	for (let prepared = await next; prepared && !state.stopped; prepared = await next) {
		next = prepare(run, await upcoming.next());
		next.catch(() => undefined); // looked at when its turn comes; until then it is nobody's
		await takeStep(run, prepared);
		signal?.throwIfAborted();
	}
}

/** Puts the best weights in place of the last; returns the evaluation of what is now the model. */
export async function settleOnBest({model, settings, folder, state}: Run): Promise<Scores> {
	const {best, evaluated} = state;
	if (!settings.saveBest || !folder || !best || best.step === state.step) {
		return evaluated?.scores ?? {};
	}
	await restoreWeights(model, join(folder.path, 'checkpoints', `step-${best.step}`));
	return best.scores;
}

/** The texts of a step as packed tokens; made while the step before it computes. */
async function prepare(
	{rows, model, rules, stepSettings, teacher, guide, judgements, signal}: Run,
	upcoming: IteratorResult<StepRows, void>,
): Promise<Prepared | undefined> {
	if (upcoming.done) return undefined;
	const course = upcoming.value;
	const texts = await rows.read(course.rows, course.pass, {signal});
	const places = texts.map(({teacherRow}, n) => teacherRow ?? rows.record(course.rows[n]!));
	const facts = {
		...factsOf(texts, stepSettings.loss.needs),
		epoch: course.pass,
		teacher: await teacher?.read(places, signal),
		guide: await guide?.read(texts, signal),
		...(stepSettings.loss.needs?.known && {known: await knownOf(texts, {judgements, signal})}),
	};
	return {course, texts, batch: await packBatch(model, texts, rules, signal), facts};
}

async function takeStep(run: Run, {course, texts, batch, facts}: Prepared): Promise<void> {
	const {state, settings, signal} = run;
	const begun = performance.now();
	const update = updateOf(run, course.step);
	const result = await runStep(run.stepSettings, batch, update, {signal, facts});
	if (!Number.isFinite(result.loss) || !Number.isFinite(result.gradientNorm)) {
		throw await notFinite(run, course, result);
	}
	if (result.suspects) run.suspects?.add(course.step, texts, result.suspects);
	const seconds = (performance.now() - begun) / 1000;
	state.step = course.step;
	state.lastLoss = result.loss;
	state.totals.rows += batch.rows;
	state.totals.tokens += batch.tokens;
	state.totals.seconds += seconds;
	const metrics = metricsOf(course, batch, {result, seconds, rate: update.rate});
	run.onStep?.(metrics);
	if (course.step % settings.loggingSteps === 0 || course.step === run.course.steps) {
		await run.log.append(metrics);
	}
	await afterStep(run, course);
}

function updateOf({settings, schedule, rateFactors}: Run, step: number): UpdateSettings {
	const {optimizer, beta1, beta2, epsilon, weightDecay, clip, learningRate} = settings;
	const rate = learningRate * schedule(step - 1);
	const moments = {optimizer, beta1, beta2, epsilon};
	return {rate, ...moments, decay: weightDecay, clip, step, factors: rateFactors};
}

function metricsOf(
	{step, epoch}: StepRows,
	batch: TrainingBatch,
	{result, seconds, rate}: {result: StepResult; seconds: number; rate: number},
): StepMetrics {
	return {
		step,
		epoch,
		loss: result.loss,
		learningRate: rate,
		gradientNorm: result.gradientNorm,
		temperature: result.temperature,
		rows: batch.rows,
		candidates: result.candidates,
		tokens: batch.tokens,
		truncatedQueries: batch.truncatedQueries,
		truncatedDocuments: batch.truncatedDocuments,
		rowsPerSecond: batch.rows / seconds,
		tokensPerSecond: batch.tokens / seconds,
		positiveCosine: result.positiveCosine,
		negativeCosine: result.negativeCosine,
		...reportsOf('masked', result.reports),
		...reportsOf('queue', result.reports),
	};
}

/** The reports of a group under its name; nothing where there are none. */
function reportsOf(group: 'masked' | 'queue', reports: StepResult['reports']) {
	const own = Object.entries(reports).filter(([name]) => name.startsWith(`${group}.`));
	if (own.length === 0) return {};
	return {[group]: Object.fromEntries(own.map(([name, n]) => [name.slice(group.length + 1), n]))};
}

/** Names the step and the first rows of the batch whose loss is not finite. */
async function notFinite(
	{rows}: Run,
	{step, rows: numbers}: StepRows,
	{loss}: StepResult,
): Promise<EngineError> {
	const quoted = await rows.locate(Array.from(numbers.slice(0, 5)));
	const more = numbers.length > quoted.length ? ` and ${numbers.length - quoted.length} more` : '';
	return new EngineError(
		'LOSS_NOT_FINITE',
		`step ${step}: expected a finite loss and gradient, got loss ${loss} from the rows ${quoted.join(', ')}${more}; ` +
			'lower --learning-rate or look at these rows; the last checkpoint stays as it is',
	);
}

/** Evaluates and saves when it is time for it; at the end there is always a checkpoint. */
async function afterStep(run: Run, {step, endsEpoch}: StepRows): Promise<void> {
	const {saveSteps} = run.settings;
	const isBest = isEvaluationDue(run) && (await evaluateNow(run));
	const isDue = saveSteps === undefined ? endsEpoch : step % saveSteps === 0;
	const isLast = step === run.course.steps || run.state.stopped;
	if (isBest || isDue || isLast) await saveNow(run);
}

/** Whether the step that is reached is to be evaluated and is not yet. The last one waits for the end of the run. */
function isEvaluationDue({state, settings: {evalSteps}, course}: Run): boolean {
	if (evalSteps === undefined || state.step === 0 || state.step === course.steps) return false;
	return state.step % evalSteps === 0 && state.evaluated?.step !== state.step;
}

/** Evaluates the model as it is; says whether it is the best since the first step. */
export async function evaluateNow(run: Run): Promise<boolean> {
	const {model, sources, settings, state, deciding, signal} = run;
	if (sources.length === 0) return false;
	const {queryPrompt, documentPrompt} = settings;
	const scores = await evaluateAll(model, sources, {queryPrompt, documentPrompt, signal});
	const value = deciding && scores[deciding.name]?.[deciding.metric];
	const evaluation = {step: state.step, evaluation: scores, ...patienceAfter(run, value)};
	state.evaluated = {step: state.step, scores};
	run.onEvaluate?.(evaluation);
	await run.log.append(evaluation);
	if (value === undefined || !settings.saveBest || state.step === 0) return false;
	if (state.best && state.best.value >= value) return false;
	state.best = {value, step: state.step, scores};
	return true;
}

/** Counts an evaluation for --patience; what the log says of it. */
function patienceAfter(
	{state, settings, course}: Run,
	value: number | undefined,
): {waited?: number; stopped?: boolean} {
	if (settings.patience === undefined || value === undefined || state.step === 0) return {};
	state.waiting = waitingAfter(state.waiting, {value, step: state.step}, settings);
	state.stopped = state.step < course.steps && isExhausted(state.waiting, settings);
	return {waited: state.waiting.waited, ...(state.stopped && {stopped: true})};
}

/** Where and why a run ended before its last step, when it did. */
export function stoppedOf({state, deciding}: Run): Stopped | undefined {
	if (!state.stopped || !state.waiting || !deciding) return undefined;
	const {value: best, step: bestStep, waited} = state.waiting;
	const metric = `${deciding.name}/${deciding.metric}`;
	return {step: state.step, metric, best, bestStep, waited};
}

/** Writes a checkpoint of the run as it is after its last step. */
export async function saveNow(run: Run): Promise<void> {
	const {folder, model, stepSettings, state, settings} = run;
	if (!folder || run.savedStep === state.step) return;
	await run.suspects?.write();
	await writeCheckpoint(model, stepSettings.parameters, {
		output: folder.path,
		state,
		keep: settings.keep,
		spare: settings.saveBest ? state.best?.step : undefined,
	});
	run.savedStep = state.step;
}
