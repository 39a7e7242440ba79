// Early stopping: how long a run waits for its metric to rise, and when it waits no longer.

import {EngineError} from '../errors.js';
import type {TrainSettings} from './options.js';

/** Since when the metric has not risen by more than --min-delta. */
export type Waiting = {
	/** The value and the step of the last rise. */
	value: number;
	step: number;
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

type Rule = Pick<TrainSettings, 'patience' | 'minDelta' | 'evalSteps'>;

/** What is known after another evaluation; the first one always counts as a rise. */
export function waitingAfter(
	before: Waiting | null,
	{value, step}: {value: number; step: number},
	{minDelta = 0}: Rule,
): Waiting {
	if (!before || value > before.value + minDelta) return {value, step, waited: 0};
	return {...before, waited: before.waited + 1};
}

/** Whether the run waits no longer. */
export function isExhausted(
	waiting: Waiting,
	{patience = Number.POSITIVE_INFINITY}: Rule,
): boolean {
	return waiting.waited >= patience;
}

/** Patience counts evaluations, so there must be some, and a smallest rise is one of patience. */
export function expectPatience(rule: Rule, isEvaluated: boolean): void {
	const refuse = (message: string): never => {
		throw new EngineError('OPTION_CONFLICT', message);
	};
	if (rule.patience === undefined) {
		if (rule.minDelta !== undefined) refuse('min-delta: expected --patience beside it, got none');
		return;
	}
	if (!isEvaluated) refuse('patience: expected --eval to say what is better, got none');
	if (rule.evalSteps === undefined) refuse('patience: expected --eval-steps beside it, got none');
}
