// The one measure of closeness: an op may be twice as far from its oracle as the plain computation in
// float32 is, plus one unit in the last place of the size of what it computes with.

import {expect} from 'vitest';
import {largest, type Matrix} from './matrix.js';

/** Applied by an oracle to every intermediate result. */
export type Round = (value: number) => number;

export const exact: Round = value => value;
export const single: Round = Math.fround;

const singleUnit = 2 ** -23;
export const bf16Unit = 2 ** -8;

export type Closeness = {
	/** The size of the terms, where they cancel; the largest exact value if not given. */
	scale?: number;
	/** One unit in the last place of what is computed with; that of float32 if not given. */
	unit?: number;
};

/** An oracle that is evaluated once for each rounding, though several sets of kernels are held to it. */
export function once(oracle: (round: Round) => Matrix): (round: Round) => Matrix {
	const found = new Map<Round, Matrix>();
	return round => {
		const known = found.get(round) ?? oracle(round);
		found.set(round, known);
		return known;
	};
}

/** `oracle` is evaluated twice: in float64, which is the meaning, and in float32, which is the measure. */
export function expectClose(
	actual: Matrix,
	oracle: (round: Round) => Matrix,
	{scale, unit = singleUnit}: Closeness = {},
): void {
	const meaning = oracle(exact);
	expect([actual.rows, actual.columns]).toEqual([meaning.rows, meaning.columns]);
	const plain = worstError(oracle(single), meaning).error;
	const worst = worstError(actual, meaning);
	const limit = 2 * plain + unit * (scale ?? largest(meaning));
	expect(worst.error, `${worst.where}; the plain error is ${plain}`).toBeLessThanOrEqual(limit);
}

export function expectSameBits(actual: Matrix, expected: Matrix): void {
	expect([actual.rows, actual.columns]).toEqual([expected.rows, expected.columns]);
	const same = Buffer.from(actual.values.buffer).equals(Buffer.from(expected.values.buffer));
	const {error, where} = worstError(actual, expected);
	expect(same, `${where} differs by ${error}`).toBe(true);
}

/** The largest difference and its place; infinite where either is not a number. */
export function worstError(actual: Matrix, expected: Matrix): {error: number; where: string} {
	let error = 0;
	let at = 0;
	for (let i = 0; i < expected.values.length; i += 1) {
		const difference = Math.abs(actual.values[i]! - expected.values[i]!);
		const distance = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
		if (distance > error) [error, at] = [distance, i];
	}
	const columns = Math.max(1, expected.columns);
	const where = `row ${Math.floor(at / columns)}, column ${at % columns}`;
	return {error, where: `${where}: ${actual.values[at]} for ${expected.values[at]}`};
}

/** What the README of the golden files allows: a share of the tensor's largest gradient. */
const gradientShare = 1e-4;

/**
How far an element of a gradient of the engine may be from the derivative; a tensor whose gradient
vanishes is measured by a hundredth of the largest of all.
*/
export function gradientLimit(gradient: Matrix, all: Iterable<Matrix>): number {
	const most = Math.max(...[...all].map(largest));
	return gradientShare * Math.max(largest(gradient), most / 100);
}
