// How several data sets become the rows of one epoch, and the plan of its batches: a function of
// (data, options, seed, epoch).

import {EngineError} from '../errors.js';
import {nearest} from '../option-names.js';
import {Blend} from './blend.js';
import {type HomogeneousManner, planHomogeneous} from './homogeneous.js';
import {type EpochPlan, expectBatches, Plan, type PlanRule} from './plan.js';
import type {RowSet, Rows} from './rows.js';
import {mapped, type Sequence, Shuffle, Straight} from './shuffle.js';

export const mixings = [
	...(['proportional', 'weighted', 'temperature', 'round-robin', 'homogeneous'] as const),
];

export type MixingName = (typeof mixings)[number];

export interface MixingOptions {
	/** Default proportional: all rows of all sets, each once in an epoch. */
	mixing?: MixingName | undefined;
	/** With weighted, the weight of every set by its name. */
	weight?: readonly string[] | Readonly<Record<string, number>> | undefined;
	/** With temperature T, a set of n rows weighs n^(1/T). */
	mixingTemperature?: number | undefined;
	/** With homogeneous: how batches of one set are made. Default epoch. */
	homogeneous?: HomogeneousManner | undefined;
}

export interface PlanOptions
	extends MixingOptions,
		Pick<PlanRule, 'lone' | 'dropLast' | 'signal' | 'window'> {
	epoch: number;
	batchSize: number;
	seed?: number | undefined;
	/** The order of the file, or a random one. */
	order?: 'shuffle' | 'file' | undefined;
	/**
	`refuse`: a row that would repeat a text of its batch waits for a later one; in the order of the
	file, where rows cannot wait, it is an error.
	*/
	duplicates?: 'refuse' | 'allow' | undefined;
}

/** Plans the batches of one epoch. */
export async function planEpoch(rows: Rows, options: PlanOptions): Promise<EpochPlan> {
	const {epoch, batchSize, seed = 0, order = 'shuffle', duplicates = 'refuse'} = options;
	const {mixing = 'proportional', homogeneous = 'epoch', lone, dropLast, signal, window} = options;
	const kept = order === 'file' ? 'refuse' : 'wait';
	const repeats = duplicates === 'allow' ? 'allow' : kept;
	const rule = {epoch, batchSize, repeats, lone, dropLast, signal, window} as const;
	if (mixing === 'homogeneous') return planHomogeneous(rows, homogeneous, {...rule, seed});
	const plan = await Plan.of(rows, await sequenceOf(rows, {...options, seed, order}), rule);
	expectBatches(plan, rows.used, batchSize);
	return plan;
}

async function sequenceOf(
	rows: Rows,
	{epoch, seed, order, signal, ...mix}: PlanOptions & {seed: number; order: 'shuffle' | 'file'},
): Promise<Sequence> {
	const shares = sharesOf(rows.sets, mix);
	if (shares === undefined) {
		const numbers =
			order === 'file' ? new Straight(rows.used) : new Shuffle(rows.used, {seed, epoch});
		return mapped(numbers, index => rows.at(index));
	}

	const orderOf = (stream: number, pass: number) => {
		const {length} = rows.sets[stream]!;
		return order === 'file'
			? new Straight(length)
			: new Shuffle(length, {seed, epoch: pass, stream});
	};
	return Blend.of(rows.sets, {shares, length: rows.used, epoch, orderOf, signal});
}

/** The share of each set in the rows; nothing where every row stands once. */
function sharesOf(
	sets: readonly RowSet[],
	{mixing, weight, mixingTemperature = 1}: MixingOptions,
): number[] | undefined {
	if (mixing === 'round-robin') return normal(sets, () => 1);
	if (mixing === 'temperature')
		return normal(sets, ({length}) => length ** (1 / mixingTemperature));
	if (mixing !== 'weighted') return;
	const weights = weightsFor(sets, weight ?? []);
	return normal(sets, (_, set) => weights[set]!);
}

/** Weights that are 1 together; a set without a row has none. */
function normal(
	sets: readonly RowSet[],
	weightOf: (set: RowSet, number: number) => number,
): number[] {
	const weights = sets.map((set, number) => (set.length > 0 ? weightOf(set, number) : 0));
	const sum = weights.reduce((total, weight) => total + weight, 0);
	return weights.map(weight => weight / sum);
}

/** The weights in the order of the sets; each set has one. */
function weightsFor(
	sets: readonly RowSet[],
	given: readonly string[] | Readonly<Record<string, number>>,
): number[] {
	const weights = weightsOf(given);
	const names = sets.map(({name}) => name);
	for (const name of weights.keys()) {
		if (names.includes(name)) continue;
		const expected = `expected the name of a data set, such as ${nearest(name, names)}`;
		throw new EngineError('OPTION_RANGE', `weight: ${expected}, got ${JSON.stringify(name)}`);
	}

	const missing = names.filter(name => !weights.has(name));
	if (missing.length === 0) return names.map(name => weights.get(name)!);
	const got = `${weights.size}, none for ${missing.join(', ')}`;
	const message = `weight: expected a weight for each of the ${names.length} data sets, got ${got}`;
	throw new EngineError('OPTION_MISSING', message);
}

/** Weights by the names of sets; each is a number above 0. */
export function weightsOf(
	given: readonly string[] | Readonly<Record<string, number>>,
): Map<string, number> {
	const entries = Array.isArray(given)
		? (given as readonly string[]).map(text => {
				const [, name = text, value = ''] = /^(.+)=([^=]*)$/s.exec(text) ?? [];
				return [name, value.trim() === '' ? Number.NaN : Number(value), text] as const;
			})
		: Object.entries(given as Readonly<Record<string, number>>).map(
				([name, value]) => [name, value, `${name}=${value}`] as const,
			);
	const weights = new Map(entries.map(([name, weight]) => [name, weight]));
	for (const [, weight, text] of entries) {
		if (weight > 0 && Number.isFinite(weight)) continue;
		const message = `weight: expected name=W with W above 0, got ${JSON.stringify(text)}`;
		throw new EngineError('OPTION_RANGE', message);
	}

	if (weights.size === entries.length) return weights;
	throw new EngineError('OPTION_CONFLICT', 'weight: expected each name once, got one twice');
}
