// The training loop: data to batches to steps, with checkpoints, evaluations and a log.

import {join} from 'node:path';
import {EngineError} from '../errors.js';
import type {UpdateSettings} from '../native.js';
import {dropCheckpoints, type Retention, restoreWeights, writeCheckpoint} from './checkpoint.js';
import type {Actions} from './control.js';
import type {StepRows} from './epochs.js';
import {evaluateAsked, evaluateNow, isEvaluationDue} from './evaluate-run.js';
import type {Scores} from './evaluations.js';
import {failureOfStep, notFinite} from './failures.js';
import {withHardest} from './hardest.js';
import {normClip} from './optimizers.js';
import {nameCheckpoint} from './output-names.js';
import type {Stopped} from './patience.js';
import {type Prepared, prepareStep} from './prepare.js';
import type {Run} from './run.js';
import {runStep} from './step.js';
import {metricsOf} from './step-metrics.js';

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

/** A checkpoint that was written. */
export type Saved = {step: number; folder: string};

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
		await run.control?.between(actionsOf(run), signal);
		await takeStep(run, prepared);
		signal?.throwIfAborted();
	}
	await run.control?.between(actionsOf(run), signal);
}

/** What a run does when it is asked; refused where it has nothing to do it with. */
function actionsOf(run: Run): Actions {
	const {state, sources, folder} = run;
	return {
		evaluate: async () => {
			if (sources.length > 0) return evaluateAsked(run);
			throw new EngineError('OPTION_MISSING', 'evaluateNow: expected a run with --eval, got none');
		},
		save: folder && state.step === 0 ? undefined : async () => saveAsked(run),
	};
}

async function saveAsked(run: Run): Promise<number> {
	if (!run.folder) {
		throw new EngineError('OPTION_MISSING', 'saveNow: expected a run with --output, got none');
	}
	await saveNow(run);
	return run.state.step;
}

/** Puts the best weights in place of the last; returns the evaluation of what is now the model. */
export async function settleOnBest(run: Run): Promise<Scores> {
	const {model, settings, folder, state} = run;
	if (folder) await dropCheckpoints(folder.path, retentionOf(run));
	const {best, evaluated} = state;
	if (!settings.saveBest || !folder || !best || best.step === state.step) {
		return evaluated?.scores ?? {};
	}
	await restoreWeights(model, join(folder.path, 'checkpoints', `step-${best.step}`));
	return best.scores;
}

/** The batch of a step; made while the step before it computes. */
async function prepare(
	run: Run,
	upcoming: IteratorResult<StepRows, void>,
): Promise<Prepared | undefined> {
	if (upcoming.done) return undefined;
	const {stepSettings, signal} = run;
	return prepareStep(run, upcoming.value, {loss: stepSettings.loss, signal});
}

async function takeStep(run: Run, prepared: Prepared): Promise<void> {
	const {state, settings, signal} = run;
	const {course, texts, batch, facts, loss, passes} = prepared;
	const begun = performance.now();
	const update = updateOf(run, course.step);
	const isLogged = course.step % settings.loggingSteps === 0 || course.step === run.course.steps;
	const isWanted = run.isReported && course.pass === run.course.passes - 1;
	const watched = {norms: isLogged ? run.parts : undefined, hardest: isWanted};
	const result = await runStep({...run.stepSettings, loss}, batch, update, {
		...{signal, facts, watched, passes},
	}).catch((error: unknown) => {
		throw failureOfStep(run, prepared, error);
	});
	if (!Number.isFinite(result.loss) || !Number.isFinite(result.gradientNorm)) {
		throw await notFinite(run, prepared, result);
	}
	for (const found of result.suspects) run.suspects?.add(course.step, texts, found);
	if (result.hardest) {
		state.hardest = withHardest(state.hardest, {step: course.step, texts, batch}, result.hardest);
	}
	const seconds = (performance.now() - begun) / 1000;
	state.step = course.step;
	state.lastLoss = result.loss;
	state.totals.rows += course.rows.length;
	state.totals.tokens += batch.tokens;
	state.totals.seconds += seconds;
	const metrics = metricsOf(prepared, {result, seconds, rate: update.rate});
	run.onStep?.(metrics);
	if (isLogged) await run.log.append(metrics);
	await afterStep(run, course);
}

export function updateOf(
	{settings, schedule, rateFactors, averages}: Run,
	step: number,
): UpdateSettings {
	const {beta1, beta2, epsilon, weightDecay: decay, clipValue, learningRate} = settings;
	return {
		rate: learningRate * schedule(step - 1),
		...{beta1, beta2, epsilon, decay, step},
		clip: normClip(settings),
		...(clipValue !== undefined && {clipValue}),
		averageShare: averages.shareAt(step),
		factors: rateFactors,
	};
}

/** Evaluates and saves when it is time for it; at the end there is always a checkpoint. */
async function afterStep(run: Run, {step, endsEpoch, pass}: StepRows): Promise<void> {
	const {saveSteps} = run.settings;
	run.pass = pass;
	const isBest = isEvaluationDue(run) && (await evaluateNow(run));
	const isDue = saveSteps === undefined ? endsEpoch : step % saveSteps === 0;
	const isLast = step === run.course.steps || run.state.stopped;
	if (isBest || isDue || isLast) await saveNow(run);
}

/** Writes a checkpoint of the run as it is after its last step. */
export async function saveNow(run: Run): Promise<void> {
	const {folder, model, stepSettings, state} = run;
	if (!folder || run.savedStep === state.step) return;
	await run.suspects?.write();
	const kept = {output: folder.path, state, ...retentionOf(run)};
	await run.averages.asModel(() => writeCheckpoint(model, stepSettings.parameters, kept));
	run.savedStep = state.step;
	const {step} = state;
	const isLast = step === run.course.steps;
	// The last evaluation comes after the last checkpoint.
	if (!(isLast && run.deciding && state.evaluated?.step !== step)) await nameNow(run);
	run.onSave?.({step, folder: join(folder.path, 'checkpoints', `step-${step}`)});
}

/** Gives the newest checkpoint its further name, if it has one. */
export async function nameNow({folder, settings, state, deciding, pass, savedStep}: Run) {
	if (!folder || savedStep !== state.step) return;
	const {step, totals, evaluated} = state;
	const metric = deciding && evaluated?.scores[deciding.name]?.[deciding.metric];
	const numbers = {step, epoch: pass, rows: totals.rows, metric};
	await nameCheckpoint(folder.path, settings.checkpointName, numbers);
}

/** The newest checkpoints stay, and the best ones where they are wanted. */
export function retentionOf({settings, state}: Run): Retention {
	const {keep, saveBest, keepBest} = settings;
	const isBestWanted = saveBest || keepBest !== undefined;
	return {keep, spare: isBestWanted ? state.bests.map(({step}) => step) : []};
}
