// What gates and the ops on the heads of a row mean: rotary positions and norms of single heads.
// See oracle.ts.

import {type Activation, activate, slope} from './activations.js';
import {type Matrix, matrixOf, zeros} from './matrix.js';
import {
	addColumns,
	mapped,
	type Norm,
	type Normed,
	type NormGradient,
	normBackward,
	normBackwardWeight,
	normForward,
} from './oracle.js';
import {exact, type Round} from './tolerance.js';

export type Gate = {activation: Activation; gate: 'first' | 'second'};

/** Where the half that is bent and the half that multiplies begin. */
function halvesOf({gate}: Gate, width: number): [bent: number, factor: number] {
	return gate === 'first' ? [0, width] : [width, 0];
}

export function gateForward(gate: Gate, pre: Matrix, round: Round = exact): Matrix {
	const columns = pre.columns / 2;
	const [bent, factor] = halvesOf(gate, columns);
	return matrixOf(pre.rows, columns, at => {
		const row = Math.floor(at / columns) * pre.columns + (at % columns);
		const value = activate(gate.activation, pre.values[row + bent]!, round);
		return round(value * pre.values[row + factor]!);
	});
}

export function gateBackward(gate: Gate, pre: Matrix, dy: Matrix, round: Round = exact): Matrix {
	const [bent, factor] = halvesOf(gate, dy.columns);
	const dpre = zeros(pre.rows, pre.columns);
	for (const [at, value] of dy.values.entries()) {
		const row = Math.floor(at / dy.columns) * pre.columns + (at % dy.columns);
		const x = pre.values[row + bent]!;
		const share = round(value * pre.values[row + factor]!);
		dpre.values[row + bent] = round(share * slope(gate.activation, x, round));
		dpre.values[row + factor] = round(value * activate(gate.activation, x, round));
	}
	return dpre;
}

export type Turn = {
	heads: number;
	width: number;
	inverse: boolean;
	magnitude: number;
	offsets: Int32Array;
	cos: Matrix;
	sin: Matrix;
};

/** The angles of pair j at place p are p times its frequency; float32 holds what the op is given. */
export function anglesOf(places: number, pairs: number): {cos: Matrix; sin: Matrix} {
	const angle = (at: number) => Math.floor(at / pairs) * 100 ** -((at % pairs) / pairs);
	return {
		cos: matrixOf(places, pairs, at => Math.fround(Math.cos(angle(at)))),
		sin: matrixOf(places, pairs, at => Math.fround(Math.sin(angle(at)))),
	};
}

export function rotary(turn: Turn, x: Matrix, round: Round = exact): Matrix {
	const {heads, width, offsets, cos} = turn;
	const y = mapped(x, value => value);
	for (let text = 0; text + 1 < offsets.length; text += 1) {
		for (let row = offsets[text]!; row < offsets[text + 1]!; row += 1) {
			for (let pair = 0; pair < heads * cos.columns; pair += 1) {
				const [head, j] = [Math.floor(pair / cos.columns), pair % cos.columns];
				const left = row * x.columns + head * width + j;
				const angle = (row - offsets[text]!) * cos.columns + j;
				turnPair(turn, {x, y, left, angle}, round);
			}
		}
	}
	return y;
}

type Pair = {x: Matrix; y: Matrix; left: number; angle: number};

function turnPair(turn: Turn, {x, y, left, angle}: Pair, round: Round): void {
	const right = left + turn.cos.columns;
	const along = round(turn.magnitude * turn.cos.values[angle]!);
	const across = round(turn.magnitude * turn.sin.values[angle]!) * (turn.inverse ? -1 : 1);
	const [a, b] = [x.values[left]!, x.values[right]!];
	y.values[left] = round(round(a * along) - round(b * across));
	y.values[right] = round(round(b * along) + round(a * across));
}

export type Heads = {heads: number; first: number};

/** Each head of each row as a row of its own. */
export function splitHeads(x: Matrix, {heads, first}: Heads, width: number): Matrix {
	return matrixOf(x.rows * heads, width, at => {
		const [item, column] = [Math.floor(at / width), at % width];
		const begin = Math.floor(item / heads) * x.columns + first;
		return x.values[begin + (item % heads) * width + column]!;
	});
}

/** `x` with its heads replaced by those of `split`. */
export function joinHeads(x: Matrix, {heads, first}: Heads, split: Matrix): Matrix {
	return mapped(x, (value, at) => {
		const [row, column] = [Math.floor(at / x.columns), (at % x.columns) - first];
		const isInside = column >= 0 && column < heads * split.columns;
		return isInside ? split.values[row * heads * split.columns + column]! : value;
	});
}

/** The norms of the heads; `y` is `before` outside of them. */
export function headNormForward(
	norm: Norm & Heads,
	{x, before}: {x: Matrix; before: Matrix},
	round: Round = exact,
): Omit<Normed, 'sum'> {
	const normed = normForward({...norm, x: splitHeads(x, norm, norm.weight.columns)}, round);
	const perHead = ({values}: Matrix) => ({rows: x.rows, columns: norm.heads, values});
	return {
		y: joinHeads(before, norm, normed.y),
		mean: perHead(normed.mean),
		rstd: perHead(normed.rstd),
	};
}

export type HeadNormGradient = Omit<NormGradient, 'sum'> & Heads & {x: Matrix};

/** What the gradients are added to; dx is `dx` outside of the heads. */
export type Before = {dx: Matrix; dweight: Matrix; dbias: Matrix};

export function headNormBackward(
	given: HeadNormGradient,
	before: Before,
	round: Round = exact,
): Before {
	const width = given.weight.columns;
	const [x, dy] = [splitHeads(given.x, given, width), splitHeads(given.dy, given, width)];
	const flat = {...given, sum: x, dy};
	return {
		dx: joinHeads(before.dx, given, normBackward(flat, round)),
		dweight: normBackwardWeight(flat, before.dweight, round),
		dbias: addColumns(dy, before.dbias, round),
	};
}
