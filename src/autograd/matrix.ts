// Rows and products of matrices, each with its gradient beside it. Native side: ops/linear.h,
// pool.h and matrix.h.

import type {Tensor} from '../native.js';
import {expectShape, expectWidth} from './shapes.js';
import type {Tape, Variable} from './tape.js';

/** Rows of a packed operand, which linearPack fixes. */
const panel = 16;

export function normalizeRows(tape: Tape, x: Variable): Variable {
	const norm = tape.empty(x.rows, 1);
	const y = tape.compute('normalizeForward', x, {x: x.tensor, norm});
	return tape.record(y, [x, dy => tape.compute('normalizeBackward', x, {y, norm, dy}, 'dx')]);
}

export function rowDots(tape: Tape, a: Variable, b: Variable): Variable {
	expectShape('rowDots', 'b', b, a);
	const y = tape.compute('rowDots', {rows: a.rows, columns: 1}, {a: a.tensor, b: b.tensor});
	const times = (other: Variable) => (dy: Tensor) =>
		tape.compute('combineForward', other, {function: 'multiply', a: dy, b: other.tensor});
	return tape.record(y, [a, times(b)], [b, times(a)]);
}

/** a bᵀ. */
export function products(tape: Tape, a: Variable, b: Variable): Variable {
	expectWidth('products', 'b', b, a.columns);
	const shape = {rows: a.rows, columns: b.rows};
	const y = tape.compute('linearForward', shape, {x: a.tensor, packed: packed(tape, b, false)});
	return tape.record(
		y,
		[a, dy => tape.compute('linearBackwardInput', a, {dy, packed: packed(tape, b, true)}, 'dx')],
		[
			b,
			dy => {
				const db = tape.zeros(b);
				tape.device.run('linearBackwardWeight', {x: a.tensor, dy, dweight: db});
				return db;
			},
		],
	);
}

export function transpose(tape: Tape, x: Variable): Variable {
	const turned = (matrix: Tensor) =>
		tape.compute('transpose', {rows: matrix.columns, columns: matrix.rows}, {x: matrix});
	return tape.record(turned(x.tensor), [x, turned]);
}

export function logSumExpRows(tape: Tape, x: Variable): Variable {
	const y = tape.compute('logSumExpForward', {rows: x.rows, columns: 1}, {x: x.tensor});
	return tape.record(y, [
		x,
		dy => tape.compute('logSumExpBackward', x, {x: x.tensor, y, dy}, 'dx'),
	]);
}

function packed(tape: Tape, weight: Variable, transposed: boolean): Tensor {
	const [count, depth] = transposed ? [weight.columns, weight.rows] : [weight.rows, weight.columns];
	const shape = {rows: Math.ceil(count / panel), columns: depth * panel};
	return tape.compute('linearPack', shape, {transposed, weight: weight.tensor}, 'packed');
}
