// The functions of elements that losses are made of, and their slopes: exactly in float64, or as
// float32 rounds every step.

import {exact, type Round} from './tolerance.js';

type Scalar = (x: number, round: Round) => number;
type Pair = (a: number, b: number, round: Round) => number;

const sigmoid: Scalar = (x, round) => {
	const power = round(Math.exp(-Math.abs(x)));
	return round((x >= 0 ? 1 : power) / round(1 + power));
};

/** The parameter of scale, shift and clamp in these tests; float32 holds it. */
export const parameter = -0.75;

/** Each function and its slope. */
export const maps: Readonly<Record<string, {value: Scalar; slope: Scalar}>> = {
	scale: {value: (x, round) => round(parameter * x), slope: () => parameter},
	shift: {value: (x, round) => round(x + parameter), slope: () => 1},
	clamp: {value: x => Math.max(x, parameter), slope: x => (x >= parameter ? 1 : 0)},
	relu: {value: x => Math.max(x, 0), slope: x => (x > 0 ? 1 : 0)},
	exp: {value: (x, round) => round(Math.exp(x)), slope: (x, round) => round(Math.exp(x))},
	log: {value: (x, round) => round(Math.log(x)), slope: (x, round) => round(1 / x)},
	sqrt: {
		value: (x, round) => round(Math.sqrt(x)),
		slope: (x, round) => (x > 0 ? round(0.5 / round(Math.sqrt(x))) : 0),
	},
	square: {value: (x, round) => round(x * x), slope: x => 2 * x},
	abs: {value: Math.abs, slope: Math.sign},
	tanh: {
		value: (x, round) => round(Math.tanh(x)),
		slope: (x, round) => round(1 - round(round(Math.tanh(x)) ** 2)),
	},
	sigmoid: {
		value: sigmoid,
		slope: (x, round) => round(sigmoid(x, round) * sigmoid(-x, round)),
	},
	softplus: {
		value: (x, round) => round(Math.max(x, 0) + round(Math.log1p(round(Math.exp(-Math.abs(x)))))),
		slope: sigmoid,
	},
};

const share: Pair = (a, b, round) => (a === -Infinity ? 0 : sigmoid(round(a - b), round));

/** Each function of two operands and its slopes by either. */
export const pairs: Readonly<Record<string, {value: Pair; bySlopes: readonly [Pair, Pair]}>> = {
	add: {value: (a, b, round) => round(a + b), bySlopes: [() => 1, () => 1]},
	subtract: {value: (a, b, round) => round(a - b), bySlopes: [() => 1, () => -1]},
	multiply: {value: (a, b, round) => round(a * b), bySlopes: [(_, b) => b, a => a]},
	divide: {
		value: (a, b, round) => round(a / b),
		bySlopes: [(_, b, round) => round(1 / b), (a, b, round) => round(-a / round(b * b))],
	},
	logAddExp: {
		value: (a, b, round) => logSumExp([a, b], round),
		bySlopes: [share, (a, b, round) => share(b, a, round)],
	},
};

export function logSumExp(values: ArrayLike<number>, round: Round = exact): number {
	const all = Array.from(values);
	const most = all.reduce((a, b) => Math.max(a, b), -Infinity);
	if (most === -Infinity) return most;
	const powers = all.map(x => round(Math.exp(round(x - most))));
	const total = powers.reduce((sum, power) => round(sum + power), 0);
	return round(most + round(Math.log(total)));
}
