// The batches of a run in order, epoch after epoch, from any step on.

import {planEpoch} from '../data/mixing.js';
import type {EpochPlan} from '../data/plan.js';
import type {Rows} from '../data/rows.js';
import type {LossNeeds} from '../loss/loss.js';
import type {TrainSettings} from './options.js';

export type StepRows = {
	/** From 1. */
	step: number;
	/** Epochs done when this step is done, as a fraction. */
	epoch: number;
	/** Whether this is the last step of its epoch. */
	endsEpoch: boolean;
	rows: Uint32Array;
	/** How many of them, one after another, each pool has that a loss is to see apart. */
	pools: readonly number[];
	/** Number of the epoch, from 0. */
	pass: number;
	/** Which random choices of texts hold: as a rule those of the epoch. */
	draw: number;
};

export type Course = {
	steps: number;
	/** Rows left out in the whole run: alone in their batch and without negatives. */
	dropped: number;
	/** Rows left out in the whole run because their batch was not full. */
	cut: number;
	/** Rows that are too few to fill a batch, and one all the same; else 0. */
	few: number;
	/** Passes over the data, the last of which may be a part. */
	passes: number;
	/** The pass that a step belongs to, from 0. */
	passOf(step: number): number;
	/** The steps from `from` (counted from 1) to the end. */
	from(from: number): AsyncGenerator<StepRows, void, undefined>;
};

/**
Plans the run by what its loss sees of other rows. Every epoch is planned once to count it, and again when its
turn comes.
*/
export async function planCourse(
	rows: Rows,
	settings: TrainSettings,
	{across = 'texts', signal}: Pick<LossNeeds, 'across'> & {signal?: AbortSignal | undefined} = {},
): Promise<Course> {
	const {epochs = 1, maxSteps = Number.POSITIVE_INFINITY} = settings;
	const {dropLast, ...rest} = optionsOf(settings, across, signal);
	const usable = rows.length - rows.short;
	const few = dropLast && usable < rest.batchSize ? usable : 0;
	const options = {...rest, dropLast: dropLast && few === 0};
	const plans = new Map<number, EpochPlan>();
	// Only the newest plan is kept: it is the only one that a run of one epoch needs.
	const plan = async (epoch: number) => {
		const known = plans.get(epoch) ?? (await planEpoch(rows, {...options, epoch}));
		plans.clear();
		plans.set(epoch, known);
		return known;
	};
	const pools = poolsOf(settings);
	/** Steps of each epoch. */
	const sizes: number[] = [];
	let total = 0;
	let [dropped, cut] = [0, 0];
	const isEnough = () => {
		if (settings.steps !== undefined) return total >= settings.steps;
		return sizes.length >= epochs || total >= maxSteps;
	};
	while (!isEnough()) {
		const planned = await plan(sizes.length);
		const left = settings.steps === undefined ? epochs - sizes.length : 1;
		const size = Math.ceil(batchesOf(planned, left) / pools);
		sizes.push(size);
		total += size;
		dropped += planned.dropped;
		cut += planned.cut;
	}
	const steps = settings.steps ?? Math.min(total, maxSteps);

	async function* from(first: number): AsyncGenerator<StepRows, void, undefined> {
		let done = 0;
		for (const [pass, size] of sizes.entries()) {
			if (done + size >= first) {
				const planned = await plan(pass);
				const left = settings.steps === undefined ? epochs - pass : 1;
				let n = Math.max(0, first - 1 - done);
				const upcoming = planned.from(n * pools);
				for await (const batches of grouped(
					upcoming,
					pools,
					batchesOf(planned, left) - n * pools,
				)) {
					const end = n * pools + batches.length;
					yield {
						...stepOf(batches),
						step: done + n + 1,
						epoch: pass + end / planned.length,
						endsEpoch: n + 1 === size,
						pass,
						draw: planned.draw,
					};
					n++;
					if (n === size || done + n === steps) break;
				}
			}
			done += size;
		}
	}

	const ends = sizes.map((_, n) => sizes.slice(0, n + 1).reduce((a, b) => a + b));
	const passOf = (step: number) => ends.filter(end => end < step).length;
	return {steps, dropped, cut, few, passes: sizes.length, passOf, from};
}

function optionsOf(
	settings: TrainSettings,
	across: LossNeeds['across'],
	signal: AbortSignal | undefined,
) {
	const {seed, order, dropLast, allowDuplicates} = settings;
	const batchSize = (settings.batchSize * settings.accumulate) / poolsOf(settings);
	const {mixing, weight, mixingTemperature, homogeneous} = settings;
	const duplicates = allowDuplicates || across !== 'texts' ? 'allow' : 'refuse';
	const lone = across === 'nothing' ? 'keep' : 'drop';
	const mix = {mixing, weight, mixingTemperature, homogeneous};
	return {batchSize, seed, order, dropLast, duplicates, lone, signal, ...mix} as const;
}

/** How many batches a step has that the loss sees apart. */
function poolsOf({accumulate, accumulation}: TrainSettings): number {
	return accumulation === 'separate' ? accumulate : 1;
}

/** Batches of an epoch that are taken, where so many epochs are left. */
function batchesOf({length}: EpochPlan, left: number): number {
	return Math.max(1, Math.ceil(length * Math.min(1, left)));
}

/** The first `count` batches by so many, the last ones perhaps fewer. */
async function* grouped(
	batches: AsyncIterable<Uint32Array>,
	size: number,
	count: number,
): AsyncGenerator<Uint32Array[], void, undefined> {
	let group: Uint32Array[] = [];
	let left = count;
	for await (const batch of batches) {
		group.push(batch);
		left--;
		if (group.length < size && left > 0) continue;
		yield group;
		if (left === 0) return;
		group = [];
	}
}

function stepOf(batches: readonly Uint32Array[]): Pick<StepRows, 'rows' | 'pools'> {
	const rows = new Uint32Array(batches.reduce((sum, {length}) => sum + length, 0));
	let at = 0;
	for (const batch of batches) {
		rows.set(batch, at);
		at += batch.length;
	}
	return {rows, pools: batches.map(({length}) => length)};
}
