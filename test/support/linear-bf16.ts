// Operands of products with weights of 16 bits, and the ops that multiply them.

import type {NativeDevice} from '../../dist/native.js';
import {asBf16, blank, type Matrix, normals, randomMatrix} from './matrix.js';
import type {LinearGradient} from './oracle.js';
import {runOp} from './run-op.js';
import {exact, type Round} from './tolerance.js';

export const panel = 16;

export type Shape = {rows: number; inputs: number; outputs: number};

export function operands({rows, inputs, outputs}: Shape) {
	const random = normals(rows + 1000 * inputs + outputs);
	const short = (height: number, width: number) => asBf16(randomMatrix(height, width, random));
	return {
		x: short(rows, inputs),
		weight: short(outputs, inputs),
		bias: randomMatrix(1, outputs, random),
		dy: short(rows, outputs),
		pre: short(rows, inputs),
		dx: short(rows, inputs),
		dweight: randomMatrix(outputs, inputs, random),
		dbias: randomMatrix(1, outputs, random),
	};
}

export const blankBf16 = (rows: number, columns: number) => asBf16(blank(rows, columns));

/** Sums are rounded to 16 bits at the end. */
export const shortened = (oracle: (round: Round) => Matrix) => (round: Round) =>
	round === exact ? oracle(round) : asBf16(oracle(round));

export const asF32 = ({rows, columns, values}: Matrix): Matrix => ({rows, columns, values});

export async function pack(
	device: NativeDevice,
	weight: Matrix,
	transposed: boolean,
): Promise<Matrix> {
	const [rows, depth] = transposed ? [weight.columns, weight.rows] : [weight.rows, weight.columns];
	const packed = blankBf16(Math.ceil(rows / panel), depth * panel);
	return (await runOp(device, 'linearPack', {weight: asF32(weight), transposed}, {packed})).packed;
}

export async function forward(device: NativeDevice, x: Matrix, weight: Matrix, more = {}) {
	const packed = await pack(device, weight, false);
	const y = blankBf16(x.rows, weight.rows);
	return runOp(device, 'linearForward', {x, packed, ...more}, {y, pre: y});
}

export async function backwardInput(device: NativeDevice, given: LinearGradient) {
	const {dy, weight, activation, pre, before} = given;
	const packed = await pack(device, weight, true);
	const dx = before ?? blankBf16(dy.rows, weight.columns);
	const inputs = {dy, packed, activation, pre, accumulate: before !== undefined};
	return (await runOp(device, 'linearBackwardInput', inputs, {dx})).dx;
}
