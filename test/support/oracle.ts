// What the ops mean: their contracts in the plainest TypeScript, in float64, or rounded after every
// operation to measure what float32 costs.

import {type Activation, activate, slope} from './activations.js';
import {type Matrix, matrixOf, zeros} from './matrix.js';
import {exact, type Round, single} from './tolerance.js';

export type NormKind = 'layer' | 'rms';

export function mapped(x: Matrix, value: (x: number, index: number) => number): Matrix {
	return matrixOf(x.rows, x.columns, index => value(x.values[index]!, index));
}

/** x W^T + bias, and what the activation makes of it. */
export function linearForward(
	{
		x,
		weight,
		bias,
		activation,
	}: {x: Matrix; weight: Matrix; bias?: Matrix | undefined; activation: Activation},
	round: Round = exact,
): {pre: Matrix; y: Matrix} {
	const pre = zeros(x.rows, weight.rows);
	for (let row = 0; row < x.rows; row += 1) {
		for (let column = 0; column < weight.rows; column += 1) {
			const dot = dotOfRows(x, row, weight, column, round);
			const at = row * weight.rows + column;
			pre.values[at] = bias ? round(dot + bias.values[column]!) : dot;
		}
	}
	return {pre, y: mapped(pre, value => activate(activation, value, round))};
}

export function dotOfRows(a: Matrix, row: number, b: Matrix, other: number, round: Round): number {
	const [left, right] = [a.values, b.values];
	const [begin, beside] = [row * a.columns, other * b.columns];
	let total = 0;
	// The two common roundings by themselves: a call for each of millions of terms takes most of the time.
	if (round === exact) {
		for (let k = 0; k < a.columns; k += 1) total += left[begin + k]! * right[beside + k]!;
	} else if (round === single) {
		for (let k = 0; k < a.columns; k += 1) {
			total = Math.fround(total + Math.fround(left[begin + k]! * right[beside + k]!));
		}
	} else {
		for (let k = 0; k < a.columns; k += 1) {
			total = round(total + round(left[begin + k]! * right[beside + k]!));
		}
	}
	return total;
}

/** sums + factor * x[row]. */
export function addScaledRow(
	sums: Float64Array,
	{columns, values}: Matrix,
	row: number,
	{factor, round}: {factor: number; round: Round},
): void {
	const begin = row * columns;
	if (round === exact) {
		for (let k = 0; k < columns; k += 1) sums[k]! += factor * values[begin + k]!;
	} else if (round === single) {
		for (let k = 0; k < columns; k += 1) {
			sums[k] = Math.fround(sums[k]! + Math.fround(factor * values[begin + k]!));
		}
	} else {
		for (let k = 0; k < columns; k += 1) {
			sums[k] = round(sums[k]! + round(factor * values[begin + k]!));
		}
	}
}

export type LinearGradient = {
	dy: Matrix;
	weight: Matrix;
	activation: Activation;
	pre?: Matrix | undefined;
	before?: Matrix | undefined;
};

/** before + (dy W) * activation'(pre). */
export function linearBackwardInput(
	{dy, weight, activation, pre, before}: LinearGradient,
	round: Round = exact,
): Matrix {
	const dx = zeros(dy.rows, weight.columns);
	for (let row = 0; row < dy.rows; row += 1) {
		for (let column = 0; column < weight.columns; column += 1) {
			const at = row * weight.columns + column;
			let total = before?.values[at] ?? 0;
			for (let n = 0; n < dy.columns; n += 1) {
				const factor = weight.values[n * weight.columns + column]!;
				total = round(total + round(dy.values[row * dy.columns + n]! * factor));
			}
			dx.values[at] = pre ? round(total * slope(activation, pre.values[at]!, round)) : total;
		}
	}
	return dx;
}

/** before + dy^T x. */
export function linearBackwardWeight(
	{x, dy, before}: {x: Matrix; dy: Matrix; before: Matrix},
	round: Round = exact,
): Matrix {
	const dweight = mapped(before, value => value);
	for (let row = 0; row < x.rows; row += 1) {
		for (let n = 0; n < dy.columns; n += 1) {
			const sums = dweight.values.subarray(n * x.columns, (n + 1) * x.columns);
			addScaledRow(sums, x, row, {factor: dy.values[row * dy.columns + n]!, round});
		}
	}
	return dweight;
}

/** before + the sums of the columns of x. */
export function addColumns(x: Matrix, before: Matrix, round: Round = exact): Matrix {
	const total = mapped(before, value => value);
	for (let i = 0; i < x.values.length; i += 1) {
		total.values[i % x.columns] = round(total.values[i % x.columns]! + x.values[i]!);
	}
	return total;
}

export type Norm = {
	kind: NormKind;
	epsilon: number;
	offset?: number | undefined;
	weight: Matrix;
	bias?: Matrix | undefined;
};

export type Normed = {sum: Matrix; y: Matrix; mean: Matrix; rstd: Matrix};

/** The variance is rounded once, as the contract says. */
export function normForward(
	{
		x,
		residual,
		kind,
		epsilon,
		offset = 0,
		weight,
		bias,
	}: Norm & {x: Matrix; residual?: Matrix | undefined},
	round: Round = exact,
): Normed {
	const summed = mapped(x, (value, at) => (residual ? round(value + residual.values[at]!) : value));
	const mean = zeros(x.rows, 1);
	const rstd = zeros(x.rows, 1);
	const y = mapped(summed, (value, at) => {
		const [row, column] = [Math.floor(at / x.columns), at % x.columns];
		if (column === 0) [mean.values[row], rstd.values[row]] = momentsOf(row);
		const hat = round(round(value - mean.values[row]!) * rstd.values[row]!);
		const factor = round(weight.values[column]! + offset);
		return round(round(hat * factor) + (bias?.values[column] ?? 0));
	});
	return {sum: summed, y, mean, rstd};

	function momentsOf(row: number): [number, number] {
		const values = summed.values.subarray(row * x.columns, (row + 1) * x.columns);
		const centre = kind === 'layer' ? meanOf(values, round) : 0;
		const squares = meanOf(
			values.map(value => round(value * value)),
			round,
		);
		const variance = Math.max(round(squares - centre * centre), 0);
		return [centre, round(1 / round(Math.sqrt(round(variance + epsilon))))];
	}
}

function meanOf(values: Float64Array, round: Round): number {
	return round(values.reduce((total, value) => round(total + value), 0) / values.length);
}

export type NormGradient = {
	kind: NormKind;
	offset?: number | undefined;
	sum: Matrix;
	weight: Matrix;
	mean: Matrix;
	rstd: Matrix;
	dy: Matrix;
};

/** dx = rstd (g - mean(g) - hat mean(g hat)), g = dy (weight + offset); rms has no mean(g). */
export function normBackward(given: NormGradient, round: Round = exact): Matrix {
	const {kind, offset = 0, weight, rstd, dy} = given;
	const hat = hatOf(given, round);
	const g = mapped(dy, (value, at) =>
		round(value * round(weight.values[at % dy.columns]! + offset)),
	);
	const centre = rowMeans(g, round);
	const along = rowMeans(
		mapped(g, (value, at) => round(value * hat.values[at]!)),
		round,
	);
	return mapped(g, (value, at) => {
		const row = Math.floor(at / dy.columns);
		const centred = kind === 'layer' ? round(value - centre[row]!) : value;
		return round(rstd.values[row]! * round(centred - round(hat.values[at]! * along[row]!)));
	});
}

function rowMeans({rows, columns, values}: Matrix, round: Round): number[] {
	return Array.from({length: rows}, (_, row) =>
		meanOf(values.subarray(row * columns, (row + 1) * columns), round),
	);
}

/** before + the gradient of the weight. */
export function normBackwardWeight(
	given: NormGradient,
	before: Matrix,
	round: Round = exact,
): Matrix {
	const hat = hatOf(given, round);
	return addColumns(
		mapped(given.dy, (value, at) => round(value * hat.values[at]!)),
		before,
		round,
	);
}

function hatOf({sum: summed, mean, rstd}: NormGradient, round: Round): Matrix {
	return mapped(summed, (value, at) => {
		const row = Math.floor(at / summed.columns);
		return round(round(value - mean.values[row]!) * rstd.values[row]!);
	});
}

/** y / |x| by rows and |x|. */
export function normalizeForward(x: Matrix, round: Round = exact): {y: Matrix; norm: Matrix} {
	const norm = matrixOf(x.rows, 1, row =>
		Math.max(round(Math.sqrt(dotOfRows(x, row, x, row, round))), 1e-12),
	);
	const y = mapped(x, (value, at) => round(value / norm.values[Math.floor(at / x.columns)]!));
	return {y, norm};
}

export function normalizeBackward(
	{y, norm, dy}: {y: Matrix; norm: Matrix; dy: Matrix},
	round: Round = exact,
): Matrix {
	const along = matrixOf(y.rows, 1, row => dotOfRows(dy, row, y, row, round));
	return mapped(dy, (value, at) => {
		const row = Math.floor(at / y.columns);
		const across = round(value - round(y.values[at]! * along.values[row]!));
		return round(across / norm.values[row]!);
	});
}

export type AdamW = {
	/** Adam: the decay is a part of the gradient. */
	coupled?: boolean;
	rate: number;
	beta1: number;
	beta2: number;
	epsilon: number;
	decay: number;
	gradientScale: number;
	step: number;
};

export type Moments = {weight: Matrix; first: Matrix; second: Matrix};

/** One step; what it leaves of the weight and of both moments. */
export function adamW(
	{weight, first, second}: Moments,
	gradient: Matrix,
	{rate, beta1, beta2, epsilon, decay, gradientScale, step, coupled = false}: AdamW,
	round: Round = exact,
): Moments {
	const pull = coupled ? decay : 0;
	const scaled = mapped(gradient, (value, at) =>
		round(round(value * gradientScale) + round(pull * weight.values[at]!)),
	);
	const keep = coupled ? 1 : 1 - rate * decay;
	const blend = (beta: number, old: number, fresh: number) =>
		round(round(beta * old) + round(round(1 - beta) * fresh));
	const m = mapped(scaled, (g, at) => blend(beta1, first.values[at]!, g));
	const v = mapped(scaled, (g, at) => blend(beta2, second.values[at]!, round(g * g)));
	const w = mapped(weight, (value, at) => {
		const length = round(Math.sqrt(round(v.values[at]! / (1 - beta2 ** step))));
		const direction = round(round(m.values[at]! / (1 - beta1 ** step)) / round(length + epsilon));
		return round(round(value * round(keep)) - round(rate * direction));
	});
	return {weight: w, first: m, second: v};
}

export type Lion = Omit<AdamW, 'epsilon' | 'step' | 'coupled'>;

/** One step of Lion; what it leaves of the weight and of its moment. */
export function lion(
	{weight, first}: Omit<Moments, 'second'>,
	gradient: Matrix,
	{rate, beta1, beta2, decay, gradientScale}: Lion,
	round: Round = exact,
): Omit<Moments, 'second'> {
	const scaled = mapped(gradient, value => round(value * gradientScale));
	const blend = (beta: number, old: number, fresh: number) =>
		round(round(beta * old) + round(round(1 - beta) * fresh));
	const direction = mapped(scaled, (g, at) => Math.sign(blend(beta1, first.values[at]!, g)));
	return {
		weight: mapped(weight, (value, at) =>
			round(round(value * round(1 - rate * decay)) - round(rate * direction.values[at]!)),
		),
		first: mapped(scaled, (g, at) => blend(beta2, first.values[at]!, g)),
	};
}
