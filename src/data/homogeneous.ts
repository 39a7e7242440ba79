// Batches of one data set each, in the four manners of LLM-Embedder. Every batch is full; what is left
// of a set is too little for one and waits for another epoch.

import {EngineError} from '../errors.js';
import {giveTurn} from '../pace.js';
import type {PackRule} from './pack.js';
import {type EpochPlan, expectBatchSize, Plan} from './plan.js';
import {below, randomOf, shuffled} from './random.js';
import type {RowSet, Rows} from './rows.js';
import {mapped, Shuffle} from './shuffle.js';

/**
`epoch`: each set is shuffled and cut, and the batches of all sets are shuffled. `epoch-static`: the
same batches in every epoch, in another order. `epoch-random`: a set is chosen by how many rows it has
left, and all begin anew when none has a batch left. `random`: a set is chosen by its size, and the rows
of the batch are drawn from all of it.
*/
export const homogeneousManners = ['epoch', 'epoch-static', 'epoch-random', 'random'] as const;

export type HomogeneousManner = (typeof homogeneousManners)[number];

export interface HomogeneousRule extends PackRule {
	seed: number;
}

export function planHomogeneous(
	rows: Rows,
	manner: HomogeneousManner,
	rule: HomogeneousRule,
): Promise<EpochPlan> {
	expectBatchSize(rule.batchSize);
	if (manner === 'epoch') return planShuffled(rows, rule);
	if (manner === 'epoch-static') return planStatic(rows, rule);
	return manner === 'random' ? planDrawn(rows, rule) : planByRemaining(rows, rule);
}

/** The full batches of each set; a set without any is refused. */
async function plansOf(rows: Rows, rule: HomogeneousRule, round = 0): Promise<Plan[]> {
	const plans: Plan[] = [];
	for (const [set, {name, length, at}] of rows.sets.entries()) {
		const {seed, epoch} = rule;
		const key = {seed, epoch, stream: set + round * rows.sets.length};
		const order = mapped(new Shuffle(length, key), at);
		const plan = await Plan.of(rows, order, {...rule, lone: 'keep', dropLast: true});
		if (plan.length === 0) refuseSmall({name, length}, rule);
		plans.push(plan);
	}

	return plans;
}

function refuseSmall(
	{name, length}: Pick<RowSet, 'name' | 'length'>,
	{batchSize}: PackRule,
): never {
	const expected = `expected ${batchSize} rows without a text in common for a batch of its own`;
	const hint = 'lower --batch-size, use --allow-duplicates or leave the set out';
	throw new EngineError('TRAIN_BATCH', `${name}: ${expected}, got ${length} rows; ${hint}`);
}

async function planShuffled(rows: Rows, rule: HomogeneousRule): Promise<EpochPlan> {
	const plans = await plansOf(rows, rule);
	const labels = await shuffledLabels(plans, rule, rule.epoch);
	return byLabels(labels, rule.epoch, cutOf(plans), (set, first) => plans[set]!.from(first));
}

async function planStatic(rows: Rows, rule: HomogeneousRule): Promise<EpochPlan> {
	const {seed, epoch} = rule;
	const plans = await plansOf(rows, {...rule, epoch: 0});
	const labels = await shuffledLabels(plans, rule, epoch);
	return byLabels(labels, 0, cutOf(plans), (set, first) =>
		plans[set]!.reordered(first, randomOf(seed, epoch, set, 0x57a7)()),
	);
}

/** As many labels of each set as it has batches, in a random order. */
async function shuffledLabels(
	plans: readonly Plan[],
	{seed, signal}: HomogeneousRule,
	epoch: number,
): Promise<Uint16Array> {
	const straight = new Uint16Array(plans.reduce((sum, {length}) => sum + length, 0));
	let at = 0;
	for (const [set, {length}] of plans.entries()) {
		straight.fill(set, at, at + length);
		at += length;
	}

	const order = await shuffled(straight.length, randomOf(seed, 0x1abe1)(), epoch, signal);
	const labels = new Uint16Array(order.length);
	for (let n = 0; n < labels.length; n++) {
		if (n % 4096 === 0) await giveTurn(signal);
		labels[n] = straight[order[n]!]!;
	}

	return labels;
}

function cutOf(plans: readonly Plan[]): number {
	return plans.reduce((sum, {cut}) => sum + cut, 0);
}

/** A plan by the set of each batch; the batches of a set come in the order of its own. */
function byLabels(
	labels: Uint16Array,
	draw: number,
	cut: number,
	batchesOf: (set: number, first: number) => AsyncGenerator<Uint32Array, void, undefined>,
): EpochPlan {
	async function* from(first: number): AsyncGenerator<Uint32Array, void, undefined> {
		const streams = new Map<number, AsyncGenerator<Uint32Array, void, undefined>>();
		for (const set of labels.subarray(first)) {
			let stream = streams.get(set);
			if (stream === undefined) {
				stream = batchesOf(set, labels.subarray(0, first).filter(each => each === set).length);
				streams.set(set, stream);
			}

			const {value} = await stream.next();
			yield value!;
		}
	}

	return {length: labels.length, dropped: 0, cut, draw, from};
}

/** Batches by what each set has left, round after round until there are as many as the rows make. */
async function planByRemaining(rows: Rows, rule: HomogeneousRule): Promise<EpochPlan> {
	const {batchSize, seed, epoch, signal} = rule;
	const steps = Math.floor(rows.used / batchSize);
	const random = randomOf(seed, epoch, 0x2e3a);
	const rounds: {plans: Plan[]; labels: Uint16Array}[] = [];
	for (let left = steps; left > 0; ) {
		const plans = await plansOf(rows, rule, rounds.length);
		const counts = plans.map(({length}) => length);
		const remaining = rows.sets.map(({length}) => length);
		const labels = new Uint16Array(Math.min(left, sum(counts)));
		for (let n = 0; n < labels.length; n++) {
			await giveTurn(signal);
			const set = pick(remaining, below(random, sum(remaining)));
			labels[n] = set;
			counts[set]!--;
			remaining[set] = counts[set] === 0 ? 0 : remaining[set]! - batchSize;
		}

		rounds.push({plans, labels});
		left -= labels.length;
	}

	const parts = rounds.map(({plans, labels}) =>
		byLabels(labels, epoch, cutOf(plans), (set, first) => plans[set]!.from(first)),
	);
	return {length: steps, dropped: 0, cut: 0, draw: epoch, from: first => throughAll(parts, first)};
}

async function* throughAll(
	parts: readonly EpochPlan[],
	first: number,
): AsyncGenerator<Uint32Array, void, undefined> {
	let begin = 0;
	for (const part of parts) {
		if (first < begin + part.length) yield* part.from(Math.max(0, first - begin));
		begin += part.length;
	}
}

/** Batches that know nothing of each other: each is a function of (seed, epoch, its number). */
async function planDrawn(rows: Rows, rule: HomogeneousRule): Promise<EpochPlan> {
	const {batchSize, epoch} = rule;
	const small = rows.sets.find(({length}) => length < batchSize);
	if (small !== undefined) refuseSmall(small, rule);
	for (const set of rows.sets) {
		const batch = await draw(rows, set, {rule, number: -1});
		if (batch.length < batchSize) refuseSmall(set, rule);
	}

	const sizes = rows.sets.map(({length}) => length);
	const length = Math.floor(rows.used / batchSize);
	async function* from(first: number): AsyncGenerator<Uint32Array, void, undefined> {
		for (let number = first; number < length; number++) {
			const random = randomOf(rule.seed, epoch, number, 0x5e7);
			const set = rows.sets[pick(sizes, below(random, sum(sizes)))]!;
			yield await draw(rows, set, {rule, number});
		}
	}

	return {length, dropped: 0, cut: 0, draw: epoch, from};
}

/** How many rows are looked at for each of a batch before it stays smaller. */
const mostTries = 64;

/** Rows of a set at random, each once, and those that would repeat a text are left. */
async function draw(
	rows: Rows,
	{length, at}: RowSet,
	{rule, number}: {rule: HomogeneousRule; number: number},
): Promise<Uint32Array> {
	const {seed, epoch, batchSize, repeats, signal} = rule;
	const random = randomOf(seed, epoch, number + 1, 0xd2a3);
	const taken = new Set<number>();
	const texts = new Set<number>();
	for (let left = mostTries * batchSize; left > 0 && taken.size < batchSize; left--) {
		await giveTurn(signal);
		const row = at(below(random, length));
		const hashes = repeats === 'allow' ? [] : rows.hashes(row, epoch);
		if (taken.has(row) || hashes.some(hash => texts.has(hash))) continue;
		taken.add(row);
		for (const hash of hashes) texts.add(hash);
	}

	return Uint32Array.from(taken);
}

/** The place that a number falls to, where each has as many as its size. */
function pick(sizes: readonly number[], number: number): number {
	let left = number;
	return sizes.findIndex(size => {
		left -= size;
		return left < 0;
	});
}

function sum(numbers: readonly number[]): number {
	return numbers.reduce((total, number) => total + number, 0);
}
