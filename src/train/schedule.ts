// Learning rates over the steps of a run, as transformers and NeMo define them.

import {EngineError} from '../errors.js';
import {kebabCase} from '../option-names.js';

/** What a shape is made of: lengths in updates, `least` as a share of the base rate. */
type Phases = {
	steps: number;
	warmup: number;
	least: number;
	power: number;
	cycles: number;
	decay: number;
	constant: number;
	timescale: number;
	width: number;
};

type Shape = {
	/** The options that mean something to it. */
	knows: readonly (keyof ShapeOptions)[];
	/** The factor after warm-up at update k, from the phases. */
	factor: (update: number, phases: Phases) => number;
	/** The factor while it rises, then nothing. Default: k / warm-up. */
	rise?: (update: number, phases: Phases) => number | undefined;
};

const halfCosine = (share: number) => 0.5 * (1 + Math.cos(Math.PI * share));

/** The share of the updates after warm-up that are done. */
const shareOf = (update: number, {warmup, steps}: Phases) =>
	Math.min(1, (update - warmup) / Math.max(1, steps - warmup));

const above = (least: number, factor: number) => least + (1 - least) * factor;

const shapes = {
	constant: {knows: [], factor: () => 1},
	linear: {knows: [], factor: (update, phases) => 1 - shareOf(update, phases)},
	cosine: {
		knows: ['minLearningRate', 'restarts'],
		factor(update, phases) {
			const share = shareOf(update, phases);
			const inCycle = share < 1 ? (phases.cycles * share) % 1 : 1;
			return above(phases.least, halfCosine(inCycle));
		},
	},
	polynomial: {
		knows: ['minLearningRate', 'power'],
		factor: (update, phases) => above(phases.least, (1 - shareOf(update, phases)) ** phases.power),
	},
	'inverse-sqrt': {
		knows: ['timescale'],
		factor: (update, {warmup, timescale}) =>
			1 / Math.sqrt((update + timescale - warmup) / timescale),
	},
	noam: {
		knows: ['minLearningRate'],
		rise: (update, {warmup, width}) =>
			update <= warmup && warmup > 0
				? Math.max(1, update) * warmup ** -1.5 * width ** -0.5
				: undefined,
		factor: (update, {width, least}) => Math.max(least, (Math.max(1, update) * width) ** -0.5),
	},
	wsd: {
		knows: ['minLearningRate', 'decaySteps'],
		rise: (update, {warmup, least}) =>
			update < warmup ? above(least, update / warmup) : undefined,
		factor(update, {steps, decay, least}) {
			const into = update - (steps - decay);
			return into < 0 ? 1 : above(least, halfCosine(Math.min(1, into / decay)));
		},
	},
	'cosine-annealing': {
		knows: ['minLearningRate', 'constantSteps'],
		rise(update, {warmup, constant}) {
			if (update > warmup || warmup === 0) return undefined;
			return constant === 0 ? (update + 1) / (warmup + 1) : update / warmup;
		},
		factor(update, {steps, warmup, constant, least}) {
			const share = (update - warmup) / (steps - warmup - constant);
			return share <= 1 ? above(least, halfCosine(share)) : least;
		},
	},
} as const satisfies Record<string, Shape>;

export type ScheduleName = keyof typeof shapes;
export const schedules = Object.keys(shapes) as [ScheduleName, ...ScheduleName[]];

/** Options of some schedules; given for another they are refused. */
export type ShapeOptions = {
	/** What the rate does not fall below. Default 0. */
	minLearningRate?: number | undefined;
	/** How often a cosine begins anew. Default 0. */
	restarts?: number | undefined;
	/** Of a polynomial. Default 1. */
	power?: number | undefined;
	/** Updates of the fall at the end. Default a tenth of the run, rounded up. */
	decaySteps?: number | undefined;
	/** Updates at the smallest rate, at the end. Default 0. */
	constantSteps?: number | undefined;
	/** Updates after which an inverse square root is at 0.7. Default the warm-up, or 10000. */
	timescale?: number | undefined;
};

export type ScheduleOptions = ShapeOptions & {
	schedule: ScheduleName;
	/** All updates of the run. */
	steps: number;
	/** Updates of warm-up; without it, a share of all. */
	warmupSteps?: number | undefined;
	warmupRatio?: number | undefined;
	/** The base rate, of which `minLearningRate` is a share. */
	learningRate: number;
	/** Of the embeddings: noam is scaled by it. */
	width: number;
};

/**
The factor of the base rate at update k, counted from 0: rising by k / warm-up, then by its shape.
With warm-up the first factor is 0, but for noam, wsd, which rises from its smallest rate, and, without a
constant end, cosine-annealing.

A warm-up given in steps that leaves no step for the rate itself is refused, and so is any phase
that does not fit; a share is rounded up, but leaves at least one step.
*/
export function scheduleOf(options: ScheduleOptions): (update: number) => number {
	const shape: Shape = shapes[options.schedule];
	expectKnown(options);
	const phases = phasesOf(options);
	const {warmup} = phases;
	const rise = shape.rise ?? (update => (update < warmup ? update / warmup : undefined));
	return update => rise(update, phases) ?? shape.factor(update, phases);
}

/** Refuses an option that the schedule does not know. */
export function expectKnown(options: ShapeOptions & {schedule: ScheduleName}): void {
	for (const name of shapeOptions) {
		const knowing = schedules.filter(each => (shapes[each] as Shape).knows.includes(name));
		if (options[name] === undefined || knowing.includes(options.schedule)) continue;
		throw new EngineError(
			'OPTION_CONFLICT',
			`${kebabCase(name)}: expected --schedule ${knowing.join(' or ')} beside it, got ${options.schedule}`,
		);
	}
}

const shapeOptions = [
	'minLearningRate',
	'restarts',
	'power',
	'decaySteps',
	'constantSteps',
	'timescale',
] as const satisfies (keyof ShapeOptions)[];

function phasesOf(options: ScheduleOptions): Phases {
	const {schedule, steps, learningRate, width, minLearningRate = 0} = options;
	if (minLearningRate > learningRate) {
		refuse(`a smallest rate of at most the largest, ${learningRate}`, `${minLearningRate}`);
	}
	const warmup = warmupOf(options);
	const {power = 1, restarts = 0, constantSteps: constant = 0} = options;
	const {timescale = warmup || 10_000, decaySteps: decay = Math.ceil(0.1 * steps)} = options;
	if (schedule === 'wsd') expectRoom({steps, warmup, decay}, '--decay-steps');
	if (constant > 0) {
		expectRoom({steps, warmup, 'a constant end': constant, 'a fall': 1}, '--constant-steps');
	}
	const least = minLearningRate / learningRate;
	return {
		...{steps, warmup, width, least, power, cycles: restarts + 1},
		...{decay, constant, timescale},
	};
}

/** Refuses phases that are together longer than the run. */
function expectRoom(
	{steps, ...phases}: {steps: number; [phase: string]: number},
	option: string,
): void {
	const sum = Object.values(phases).reduce((a, b) => a + b);
	if (sum <= steps) return;
	const parts = Object.entries(phases).map(([name, length]) => `${name} of ${length}`);
	refuse(
		`phases that fit into the ${steps} steps of the run`,
		`${parts.join(', ')}, ${sum} together; lower ${option} or --warmup-steps, or train longer`,
	);
}

function warmupOf({steps, warmupSteps, warmupRatio = 0.1}: ScheduleOptions): number {
	if (warmupSteps === undefined) return Math.min(Math.ceil(warmupRatio * steps), steps - 1);
	if (warmupSteps < steps) return warmupSteps;
	return refuse(
		`warm-up to end within the ${steps} steps of the run`,
		`${warmupSteps} steps of it; lower --warmup-steps or train longer`,
	);
}

function refuse(expected: string, got: string): never {
	throw new EngineError('TRAIN_SCHEDULE', `schedule: expected ${expected}, got ${got}`);
}
