// The order of pairs by angles in complex space, where cosines are flat (AnglE, Li and Li 2023).

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {orderLoss, scaleOption} from './cosent.js';
import {expectPairs, expectRowScores, refuse} from './inputs.js';
import {defineLoss, type Loss} from './loss.js';

export type AngleOptions = {
	/** What angles are multiplied with. Default 20. */
	scale?: number;
	/** What they are divided by, in place of a scale. */
	temperature?: number;
};

const needs = {negatives: 'none', scores: {of: 'row'}, across: 'rows'} as const;

/**
CoSENT over angles in place of cosines: each vector is read as complex numbers, its first half the
real parts, and |Σ (re + im)| of the quotient of the two unit vectors is compared. AnglELoss of
sentence-transformers.

Columns: query, positive, of an even width. Scores: one for each row, in any unit. Memory grows with
rows².

@example
await train(model, {data: 'scored-pairs.jsonl', loss: angle()});
*/
export function angle(options: AngleOptions = {}): Loss {
	const settings = scaleOption('angle', options);
	return defineLoss('angle', {options: settings, needs}, (ops, inputs) => {
		const [left, right] = expectPairs('angle', inputs.columns);
		if (left.columns % 2 !== 0) {
			refuse('angle', 'embeddings of an even width', `${left.columns}`);
		}
		const scores = expectRowScores('angle', inputs, left.rows);
		return orderLoss(ops, ops.scale(angles(ops, left, right), settings.scale), scores);
	});
}

/** With x = a + ib and y = c + id: |Σ ((ac + bd) + (bc − ad))| / (|x| |y|), (N, 1). */
function angles(ops: LossOperations, left: Variable, right: Variable): Variable {
	const [x, y] = [ops.normalizeRows(left), ops.normalizeRows(right)];
	const half = x.columns / 2;
	const [a, b] = [ops.columns(x, 0, half), ops.columns(x, half, half)];
	const [c, d] = [ops.columns(y, 0, half), ops.columns(y, half, half)];
	const imaginary = ops.subtract(ops.rowDots(b, c), ops.rowDots(a, d));
	return ops.abs(ops.add(ops.rowDots(x, y), imaginary));
}
