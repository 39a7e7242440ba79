// Pearson and Spearman correlation of two series, and the ranks behind the latter.
//
// A correlation with a series that does not vary is undefined: it is NaN, never 0 or 1.

import {EngineError} from '../errors.js';

/** Numbers in order: an array or a typed array. */
export type Series = ArrayLike<number>;

/** Pearson's correlation of x and y; NaN where one of them does not vary. */
export function pearson(x: Series, y: Series): number {
	checkSeries(x, y);
	return countedPearson(Float64Array.from(x), Float64Array.from(y), onceEach(x.length));
}

/** Spearman's correlation: Pearson's of the ranks, equal values sharing their mean rank. */
export function spearman(x: Series, y: Series): number {
	checkSeries(x, y);
	return countedPearson(averageRanks(x), averageRanks(y), onceEach(x.length));
}

/** Ranks from 1, equal values sharing their mean rank. */
export function averageRanks(values: Series): Float64Array {
	const numbers = Float64Array.from(values);
	return countedRanks(numbers, risingOrder(numbers), onceEach(values.length));
}

/** The indices of the values, smallest value first. */
export function risingOrder(values: Float64Array): Uint32Array {
	const order = new Uint32Array(values.length).map((_, index) => index);
	return order.sort((a, b) => values[a]! - values[b]!);
}

/**
Average ranks in a sample that holds value n counts[n] times. The order of the values does not depend on
the sample, so a resample needs no sorting. Values that are not in the sample have no meaningful rank.
*/
export function countedRanks(
	values: Float64Array,
	order: Uint32Array,
	counts: Uint32Array,
): Float64Array {
	const ranks = new Float64Array(values.length);
	let before = 0;
	let begin = 0;
	while (begin < order.length) {
		const value = values[order[begin]!]!;
		let held = 0;
		let end = begin;
		for (; end < order.length && values[order[end]!] === value; end += 1) {
			held += counts[order[end]!]!;
		}

		for (; begin < end; begin += 1) ranks[order[begin]!] = before + (held + 1) / 2;
		before += held;
	}

	return ranks;
}

/**
Pearson's correlation of a sample that holds pair n counts[n] times. Both series are shifted by a value
of their own first: then one that does not vary has exactly no variance, whatever the rounding.
*/
export function countedPearson(x: Float64Array, y: Float64Array, counts: Uint32Array): number {
	const shiftX = shiftToMean(x, counts);
	const shiftY = shiftToMean(y, counts);
	let xx = 0;
	let yy = 0;
	let xy = 0;
	for (let pair = 0; pair < x.length; pair += 1) {
		const count = counts[pair]!;
		const dx = x[pair]! - shiftX.origin - shiftX.mean;
		const dy = y[pair]! - shiftY.origin - shiftY.mean;
		xx += count * dx * dx;
		yy += count * dy * dy;
		xy += count * dx * dy;
	}

	if (xx === 0 || yy === 0) return Number.NaN;
	return Math.max(-1, Math.min(1, xy / Math.sqrt(xx * yy)));
}

// A value of the sample, and the mean of the sample after it was taken off.
function shiftToMean(values: Float64Array, counts: Uint32Array): {origin: number; mean: number} {
	const origin = values[counts.findIndex(count => count > 0)] ?? 0;
	let sum = 0;
	let total = 0;
	for (let index = 0; index < values.length; index += 1) {
		sum += counts[index]! * (values[index]! - origin);
		total += counts[index]!;
	}

	return {origin, mean: sum / total};
}

function onceEach(length: number): Uint32Array {
	return new Uint32Array(length).fill(1);
}

function checkSeries(x: Series, y: Series): void {
	if (x.length !== y.length) {
		const lengths = `${x.length} and ${y.length}`;
		throw new EngineError('OP_INVALID', `correlation: expected equal lengths, got ${lengths}`);
	}

	if (x.length < 2) {
		throw new EngineError('OP_INVALID', `correlation: expected 2 pairs or more, got ${x.length}`);
	}

	for (let pair = 0; pair < x.length; pair += 1) {
		if (!Number.isFinite(x[pair]!) || !Number.isFinite(y[pair]!)) {
			const values = `${x[pair]} and ${y[pair]}`;
			throw new EngineError('OP_INVALID', `correlation: expected finite numbers, got ${values}`);
		}
	}
}
