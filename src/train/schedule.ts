// Learning rates over the steps of a run, as transformers defines them.

import {EngineError} from '../errors.js';

export const schedules = ['constant', 'linear', 'cosine'] as const;
export type ScheduleName = (typeof schedules)[number];

export type ScheduleOptions = {
	schedule: ScheduleName;
	/** All updates of the run. */
	steps: number;
	/** Updates of warm-up; without it, a share of all. */
	warmupSteps?: number | undefined;
	warmupRatio?: number | undefined;
};

/**
The factor of the base rate at update k, counted from 0: rising by k / warm-up, then constant, or falling
to 0 at the end by a line or half a cosine. With warm-up the first factor is 0.

A warm-up given in steps that leaves no step for the rate itself is refused; a share is rounded up, but
leaves at least one step.
*/
export function scheduleOf(options: ScheduleOptions): (update: number) => number {
	const {schedule, steps} = options;
	const warmup = warmupOf(options);
	return update => {
		if (update < warmup) return update / warmup;
		if (schedule === 'constant') return 1;
		const share = Math.min(1, (update - warmup) / Math.max(1, steps - warmup));
		return schedule === 'linear' ? 1 - share : 0.5 * (1 + Math.cos(Math.PI * share));
	};
}

function warmupOf({steps, warmupSteps, warmupRatio = 0.1}: ScheduleOptions): number {
	if (warmupSteps === undefined) return Math.min(Math.ceil(warmupRatio * steps), steps - 1);
	if (warmupSteps < steps) return warmupSteps;
	throw new EngineError(
		'TRAIN_SCHEDULE',
		`schedule: expected warm-up to end within the ${steps} steps of the run, got ${warmupSteps} steps of it; ` +
			'lower --warmup-steps or train longer',
	);
}
