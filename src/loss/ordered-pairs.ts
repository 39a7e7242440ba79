// How many pairs of pairs of texts stand in another order than a teacher's, and by how much.

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {refuse} from './inputs.js';
import {isAbove} from './where.js';

/** Texts of a batch: the pairs of their pairs are held as matrices, 67 MB each at this many. */
const mostRows = 91;

/**
With x and t the elements of two (N, N) matrices above their diagonals, in the order of rows: the mean
over m < n of max(0, y (x[n] − x[m]) + margin), where y is 1 if t[n] < t[m], else −1. 0 of less than
two elements. No gradient goes to t.
*/
export function orderedPairs(
	ops: LossOperations,
	found: Variable,
	wanted: Variable,
	margin: number,
): Variable {
	const {rows} = found;
	const count = (rows * (rows - 1)) / 2;
	if (count < 2) {
		return ops.scale(ops.sum(found), 0);
	}
	if (rows > mostRows) {
		const hint = 'use a smaller batch, or tripletWeight 0';
		refuse('distillvectors', `at most ${mostRows} texts in a batch`, `${rows}; ${hint}`);
	}
	const t = aboveDiagonal(ops, wanted);
	const falls = isAbove(ops, ops.subtract(t, ops.transpose(t)));
	const signs = ops.addScalar(ops.scale(falls, 2), -1);
	const x = aboveDiagonal(ops, found);
	const apart = ops.multiply(signs, ops.subtract(ops.transpose(x), x));
	const turned = ops.relu(ops.addScalar(apart, margin));
	const sum = ops.sum(ops.multiply(turned, later(ops, count)));
	return ops.scale(sum, 2 / (count * (count - 1)));
}

/** The elements above the diagonal, row after row, as a column. */
function aboveDiagonal(ops: LossOperations, x: Variable): Variable {
	const rows: number[] = [];
	const columns: number[] = [];
	for (let row = 0; row < x.rows; row++) {
		for (let column = row + 1; column < x.columns; column++) {
			rows.push(row);
			columns.push(column);
		}
	}
	return ops.pick(ops.gatherRows(x, rows), columns);
}

/** At (m, n): 1 where m < n, otherwise 0; made on the device, as it may be large. */
function later(ops: LossOperations, count: number): Variable {
	const places = Float32Array.from({length: count}, (_, n) => n);
	const column = ops.constant(places, count, 1);
	const steps = ops.subtract(ops.transpose(column), column);
	const missing = ops.relu(ops.addScalar(ops.scale(steps, -1), 1));
	return ops.relu(ops.addScalar(ops.scale(missing, -1), 1));
}
