// Early stopping: how long a run waits for its metric to become better, and when it waits no longer.

import {EngineError} from '../errors.js';
import {pOf, type Sample} from './evaluate-all.js';
import {type Deciding, isBetter} from './evaluations.js';
import type {TrainSettings} from './options.js';

/** Since when the metric has not become better by more than --min-delta. */
export type Waiting = {
	/** The value and the step of the last rise, and with --patience-significant what it was made of. */
	value: number;
	step: number;
	sample?: readonly number[];
	/** Evaluations since then. */
	waited: number;
};

/** Why a run ended before its last step. */
export type Stopped = {
	step: number;
	metric: string;
	best: number;
	bestStep: number;
	waited: number;
};

type Rule = Pick<
	TrainSettings,
	'patience' | 'minDelta' | 'evalSteps' | 'patienceSignificant' | 'seed'
>;

type Seen = {value: number; step: number; sample?: Sample};

/** Above this a difference may be chance. */
const significance = 0.05;

/**
What is known after another evaluation; the first one always counts as a rise. With `p`: of the paired
test between what would be a rise and the last one.
*/
export async function waitingAfter(
	before: Waiting | null,
	{value, step, sample}: Seen,
	{rule, deciding, signal}: {rule: Rule; deciding: Deciding; signal: AbortSignal | undefined},
): Promise<{waiting: Waiting; p?: number}> {
	const {minDelta = 0, patienceSignificant, seed} = rule;
	const kept = patienceSignificant && sample ? {sample: sample.values} : {};
	const rise = {value, step, ...kept, waited: 0};
	if (!before) return {waiting: rise};
	const still = {...before, waited: before.waited + 1};
	if (!isBetter(value, before.value, deciding, minDelta)) return {waiting: still};
	if (!patienceSignificant || !sample || !before.sample) return {waiting: rise};
	const earlier = {values: [...before.sample]};
	const p = await pOf(deciding.metric, earlier, {after: sample, seed, signal});
	return {waiting: p < significance ? rise : still, p};
}

/** Whether the run waits no longer. */
export function isExhausted(
	waiting: Waiting,
	{patience = Number.POSITIVE_INFINITY}: Rule,
): boolean {
	return waiting.waited >= patience;
}

/** Patience counts evaluations, so there must be some, and a smallest rise is one of patience. */
export function expectPatience(rule: Omit<Rule, 'seed'>, isEvaluated: boolean): void {
	const refuse = (message: string): never => {
		throw new EngineError('OPTION_CONFLICT', message);
	};
	if (rule.patience === undefined) {
		const alone = {'min-delta': rule.minDelta, 'patience-significant': rule.patienceSignificant};
		const given = Object.entries(alone).find(([, value]) => value)?.[0];
		if (given) refuse(`${given}: expected --patience beside it, got none`);
		return;
	}
	if (!isEvaluated) refuse('patience: expected --eval to say what is better, got none');
	if (rule.evalSteps === undefined) refuse('patience: expected --eval-steps beside it, got none');
}
