// How far the score of a query's own positive is above that of negatives: what ranking losses are
// functions of. Matrices of all queries by all documents are held in memory.

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {expectTriplets, measured, refuse, type Similarity, tripletsOf} from './inputs.js';
import type {Column, LossNeeds} from './loss.js';
import {isAbove} from './where.js';

/**
Which documents a query's positive is compared with: its own hard negatives, all hard negatives of
the batch, or all documents of the batch but itself.
*/
export const opponents = ['own', 'hard', 'all'] as const;
export type Opponents = (typeof opponents)[number];

/** What ranking losses have in common. */
export type GapOptions = {
	/** What a score is. Default cosine. */
	similarity?: Similarity;
	/** Default own. */
	negatives?: Opponents;
};

type GapSettings = Required<GapOptions>;

/** s⁺ − s⁻ for each comparison; where there is a mask, those of zero do not count. */
export type Gaps = {gap: Variable; mask?: Variable; count: number};

/** What such a loss needs of the data. */
export function gapNeeds({negatives}: GapSettings): LossNeeds {
	if (negatives === 'all') {
		return {};
	}
	if (negatives === 'own') return {negatives: 'some', across: 'nothing'};
	return {negatives: 'some', across: 'texts', meets: ['ownHard', 'otherHard']};
}

export function gapsOf(
	ops: LossOperations,
	loss: string,
	columns: readonly Column[],
	{similarity, negatives}: GapSettings,
): Gaps {
	if (negatives === 'all') {
		return allGaps(ops, loss, columns, similarity);
	}
	const {query, positive, negative, owner} = expectTriplets(ops, loss, columns);
	const from = measured(ops, similarity, query);
	const near = ops.rowDots(from, measured(ops, similarity, positive));
	const others = measured(ops, similarity, negative);
	if (negatives === 'hard') {
		const gap = ops.subtract(near, ops.products(from, others));
		return {gap, count: gap.rows * gap.columns};
	}
	const far = ops.rowDots(ops.gatherRows(from, owner), others);
	return {gap: ops.subtract(ops.gatherRows(near, owner), far), count: owner.length};
}

/** The mean over all comparisons of a function of the gaps. */
export function meanOver(ops: LossOperations, {mask, count}: Gaps, values: Variable): Variable {
	return ops.scale(ops.sum(mask ? ops.multiply(values, mask) : values), 1 / count);
}

function allGaps(
	ops: LossOperations,
	loss: string,
	columns: readonly Column[],
	similarity: Similarity,
): Gaps {
	const {query, positive, negative} = tripletsOf(ops, loss, columns);
	const from = measured(ops, similarity, query);
	const to = measured(ops, similarity, positive);
	const documents = negative ? ops.concatRows([to, measured(ops, similarity, negative)]) : to;
	const gap = ops.subtract(ops.rowDots(from, to), ops.products(from, documents));
	const count = gap.rows * (gap.columns - 1);
	if (count === 0) {
		refuse(loss, 'a second row or a hard negative', 'a row alone');
	}
	return {gap, mask: offDiagonal(ops, gap), count};
}

/** 0 where row and column have the same number, otherwise 1. */
function offDiagonal(ops: LossOperations, {rows, columns}: Variable): Variable {
	const numbers = (length: number) => Float32Array.from({length}, (_, n) => n);
	const column = ops.constant(numbers(rows), rows, 1);
	const row = ops.constant(numbers(columns), 1, columns);
	return isAbove(ops, ops.abs(ops.subtract(column, row)));
}
