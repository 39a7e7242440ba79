// Gradients by central differences in float64, and how close a float32 gradient must come.

import {expect} from 'vitest';
import {largest, type Matrix, matrixOf, type Random} from './matrix.js';
import {mapped} from './oracle.js';
import {worstError} from './tolerance.js';

export type Scalar = (inputs: readonly Matrix[]) => number;

/** Error about 1e-9 of the third derivative; the rounding of float64 adds as much. */
const step = 1e-5;

/** The gradient of f by each input, element by element. */
export function centralGradients(f: Scalar, inputs: readonly Matrix[]): Matrix[] {
	return inputs.map((input, n) =>
		mapped(input, (_, index) =>
			slopeAlong(
				f,
				inputs,
				inputs.map((each, m) => mapped(each, (_, at) => (m === n && at === index ? 1 : 0))),
			),
		),
	);
}

/** The slope of f at the inputs along a direction. */
export function slopeAlong(
	f: Scalar,
	inputs: readonly Matrix[],
	direction: readonly Matrix[],
): number {
	const moved = (by: number) =>
		f(inputs.map((x, n) => mapped(x, (value, at) => value + by * direction[n]!.values[at]!)));
	return (moved(step) - moved(-step)) / (2 * step);
}

/** A direction of length 1 through all inputs. */
export function randomDirection(inputs: readonly Matrix[], random: Random): Matrix[] {
	const raw = inputs.map(({rows, columns}) => matrixOf(rows, columns, random));
	const length = Math.hypot(...raw.map(({values}) => Math.hypot(...values)));
	return raw.map(x => mapped(x, value => value / length));
}

export function along(gradients: readonly Matrix[], direction: readonly Matrix[]): number {
	return gradients.reduce(
		(sum, {values}, n) =>
			values.reduce((total, value, at) => total + value * direction[n]!.values[at]!, sum),
		0,
	);
}

/**
What rounding may do to a gradient: a backward pass is a chain of some ten roundings, and the terms
that cancel in it are as large as what the loss divides by makes them.
*/
export const gradientUnits = 64;

const unit = 2 ** -23;

/** Every element within 64 units of the largest, or of `scale` where terms cancel. */
export function expectGradients(
	actual: readonly Matrix[],
	expected: readonly Matrix[],
	scale = 0,
): void {
	expect(actual.length).toBe(expected.length);
	const size = Math.max(scale, ...expected.map(largest));
	for (const [n, gradient] of expected.entries()) {
		const {error, where} = worstError(actual[n]!, gradient);
		expect(error, `gradient ${n}, ${where}`).toBeLessThanOrEqual(gradientUnits * unit * size);
	}
}
