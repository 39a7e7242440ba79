// An evaluation in the course of a run: what it says, and what it decides.

import {withRanked} from './best.js';
import {type Evaluated, evaluateAll} from './evaluate-all.js';
import type {Scores} from './evaluations.js';
import {isExhausted, type Stopped, waitingAfter} from './patience.js';
import type {Run} from './run.js';

/** Whether the step that is reached is to be evaluated and is not yet. The last one waits for the end of the run. */
export function isEvaluationDue({state, settings: {evalSteps}, course}: Run): boolean {
	if (evalSteps === undefined || state.step === 0 || state.step === course.steps) return false;
	return state.step % evalSteps === 0 && state.evaluated?.step !== state.step;
}

/** Whether an evaluation of the step that is reached is still to come, be it the last. */
export function isEvaluationLeft(run: Run): boolean {
	const {state, course} = run;
	const isLast = state.step === course.steps && state.evaluated?.step !== state.step;
	return isLast || isEvaluationDue(run);
}

/** Evaluates the model as it is; says whether it is among the best since the first step. */
export async function evaluateNow(run: Run): Promise<boolean> {
	const {sources, state, settings} = run;
	if (sources.length === 0) return false;
	const found = await evaluated(run);
	const waiting = await patienceAfter(run, found);
	state.evaluated = {step: state.step, scores: found.scores};
	await tell(run, {step: state.step, evaluation: found.scores, ...waiting});
	if (found.value === undefined || state.step === 0) return false;
	return noteBest(run, found.value) && (settings.saveBest || settings.keepBest !== undefined);
}

/** Evaluates because somebody asks to; what the run decides is not touched by it. */
export async function evaluateAsked(run: Run): Promise<Scores> {
	const {scores} = await evaluated(run);
	await tell(run, {step: run.state.step, evaluation: scores, requested: true});
	return scores;
}

async function evaluated(run: Run): Promise<Evaluated> {
	const {model, sources, heldOut, rules, state, deciding, course, averages, signal} = run;
	const asked = {
		sources,
		heldOut,
		deciding,
		prompts: rules.prompts,
		step: state.step,
		pass: course.passOf(Math.max(1, state.step)),
		signal,
	};
	return averages.asModel(() => evaluateAll(model, asked));
}

type Told = Parameters<NonNullable<Run['onEvaluate']>>[0];

async function tell(run: Run, evaluation: Told): Promise<void> {
	run.onEvaluate?.(evaluation);
	await run.log.append(evaluation);
}

/** Takes the value in among the best; says whether it is one of them. */
function noteBest({state, settings, deciding}: Run, value: number): boolean {
	const {step} = state;
	const {keepBest: most = 1} = settings;
	state.bests = withRanked(state.bests, {step, value}, {most, deciding: deciding!});
	if (state.bests[0]?.step === step) state.best = {value, step, scores: state.evaluated!.scores};
	return state.bests.some(best => best.step === step);
}

/** Counts an evaluation for --patience; what the log says of it. */
async function patienceAfter(
	{state, settings, course, deciding, signal}: Run,
	{value, sample}: Evaluated,
): Promise<{waited?: number; stopped?: boolean; p?: number}> {
	if (settings.patience === undefined || value === undefined || state.step === 0) return {};
	const {waiting, p} = await waitingAfter(
		state.waiting,
		{value, step: state.step, ...(sample && {sample})},
		{rule: settings, deciding: deciding!, signal},
	);
	state.waiting = waiting;
	state.stopped = state.step < course.steps && isExhausted(waiting, settings);
	return {
		waited: waiting.waited,
		...(state.stopped && {stopped: true}),
		...(p !== undefined && {p}),
	};
}

/** Where and why a run ended before its last step, when it did. */
export function stoppedOf({state, deciding}: Run): Stopped | undefined {
	if (!state.stopped || !state.waiting || !deciding) return undefined;
	const {value: best, step: bestStep, waited} = state.waiting;
	const metric = `${deciding.name}/${deciding.metric}`;
	return {step: state.step, metric, best, bestStep, waited};
}
