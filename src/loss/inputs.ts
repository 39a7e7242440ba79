// What losses take from their inputs: triplets, labels and scores, each checked once.

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {EngineError} from '../errors.js';
import {type Column, expectColumns, type LossInputs, ownersOf} from './loss.js';

export const similarities = ['cosine', 'dot'] as const;
export type Similarity = (typeof similarities)[number];

/** Rows of which dot products are the similarity. */
export function measured(ops: LossOperations, similarity: Similarity, x: Variable): Variable {
	return similarity === 'cosine' ? ops.normalizeRows(x) : x;
}

/** The similarity of each row of a with the same row of b, (N, 1). */
export function rowScores(
	ops: LossOperations,
	similarity: Similarity,
	a: Variable,
	b: Variable,
): Variable {
	return ops.rowDots(measured(ops, similarity, a), measured(ops, similarity, b));
}

export type Triplets = {
	query: Variable;
	positive: Variable;
	/** The negatives of all rows below one another, and the query that each belongs to. */
	negative: Variable | undefined;
	owner: Int32Array;
};

/** Query, positive and any number of negatives for each. */
export function tripletsOf(
	ops: LossOperations,
	loss: string,
	columns: readonly Column[],
): Triplets {
	const [query, positive, ...negatives] = expectColumns(loss, columns, 2, {more: true});
	const given = negatives.filter(({rows}) => rows > 0);
	const owner = joined(given.map(ownersOf));
	const negative = given.length > 1 ? ops.concatRows(given) : given[0];
	return {query, positive, negative, owner};
}

/** The same for a loss that cannot do without negatives. */
export function expectTriplets(
	ops: LossOperations,
	loss: string,
	columns: readonly Column[],
): Triplets & {negative: Variable} {
	const {negative, ...others} = tripletsOf(ops, loss, columns);
	if (!negative) {
		refuse(loss, 'hard negatives', 'none; mine some');
	}
	return {...others, negative};
}

/** The query and the positive of a loss that takes nothing else. */
export function expectPairs(loss: string, columns: readonly Column[]): readonly [Column, Column] {
	const [query, positive] = expectColumns(loss, columns, 2);
	return [query, positive];
}

/** One label for each row. */
export function expectLabels(loss: string, {labels}: LossInputs, rows: number): Float32Array {
	return expectCount(loss, 'labels, one for each row', labels, rows);
}

/** One score for each row; labels are as good. */
export function expectRowScores(
	loss: string,
	{scores, labels}: LossInputs,
	rows: number,
): Float32Array {
	return expectCount(loss, 'scores, one for each row', scores ?? labels, rows);
}

/** Two texts each, and for each pair 1 or 0. */
export type LabelledPairs = {left: Variable; right: Variable; belongs: Float32Array};

/** Zeros and ones; rows with negatives can do without. */
export const binaryNeed = {among: [0, 1], optional: 'withNegatives'} as const;

/**
Pairs that belong together or not, as their labels of 1 and 0 say. A query and its hard negative do
not; without labels, a query and its positive do.
*/
export function labelledPairs(
	ops: LossOperations,
	loss: string,
	inputs: LossInputs,
): LabelledPairs {
	const {query, positive, negative, owner} = tripletsOf(ops, loss, inputs.columns);
	if (!negative && !inputs.labels) {
		refuse(loss, 'labels of 0 or 1, or hard negatives', 'neither');
	}
	const given = inputs.labels
		? expectLabels(loss, inputs, query.rows)
		: new Float32Array(query.rows).fill(1);
	const wrong = given.find(label => label !== 0 && label !== 1);
	if (wrong !== undefined) {
		refuse(loss, 'labels of 0 or 1', `${wrong}`);
	}
	const all = new Float32Array(query.rows + owner.length);
	all.set(given);
	return {
		left: negative ? ops.concatRows([query, ops.gatherRows(query, owner)]) : query,
		right: negative ? ops.concatRows([positive, negative]) : positive,
		belongs: all,
	};
}

function expectCount(
	loss: string,
	what: string,
	numbers: Float32Array | undefined,
	count: number,
): Float32Array {
	if (numbers?.length !== count) {
		refuse(loss, `${count} ${what}`, numbers ? `${numbers.length}` : 'none');
	}
	return numbers;
}

/** Lists of numbers behind one another. */
export function joined(parts: readonly Int32Array[]): Int32Array {
	const whole = new Int32Array(parts.reduce((length, part) => length + part.length, 0));
	let at = 0;
	for (const part of parts) {
		whole.set(part, at);
		at += part.length;
	}
	return whole;
}

/** The offsets of parts whose rows lie below one another. */
export function behindOneAnother(parts: readonly Int32Array[]): Int32Array {
	let begin = 0;
	const moved = parts.map(part => {
		const whole = part.slice(1).map(offset => offset + begin);
		begin += part.at(-1)!;
		return whole;
	});
	return joined([Int32Array.of(0), ...moved]);
}

export function refuse(where: string, expected: string, got: string): never {
	throw new EngineError('LOSS_INVALID', `${where}: expected ${expected}, got ${got}`);
}
