// The order of pairs: one that is scored higher is to be nearer (CoSENT, Su 2022).

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {expectPairs, expectRowScores, rowScores} from './inputs.js';
import {defineLoss, type Loss} from './loss.js';
import {numberOption, settled} from './options.js';

export type CosentOptions = {
	/** What cosines are multiplied with. Default 20. */
	scale?: number;
};

const schema = {scale: numberOption(20, {from: 0, open: true})};

const needs = {negatives: 'none', scores: {of: 'row'}, across: 'rows'} as const;

/**
log(1 + Σ exp(scale (cos i − cos j))) over all rows i and j of which i is scored lower than j. Only
the order of the scores counts. CoSENTLoss of sentence-transformers; open-retrievals has scale 1.

Columns: query, positive. Scores: one for each row, in any unit. Memory grows with rows².

@example
await train(model, {data: 'scored-pairs.jsonl', loss: cosent()});
*/
export function cosent(options: CosentOptions = {}): Loss {
	const settings = settled('cosent', schema, options);
	return defineLoss('cosent', {options: settings, needs}, (ops, inputs) => {
		const [left, right] = expectPairs('cosent', inputs.columns);
		const scores = expectRowScores('cosent', inputs, left.rows);
		const cosines = rowScores(ops, 'cosine', left, right);
		return orderLoss(ops, ops.scale(cosines, settings.scale), scores);
	});
}

/** log(1 + Σ exp(x i − x j)) over all i and j of which i is scored lower than j; x is (N, 1). */
export function orderLoss(ops: LossOperations, x: Variable, scores: Float32Array): Variable {
	const lower = new Float32Array(scores.length ** 2);
	for (const [row, score] of scores.entries()) {
		const place = row * scores.length;
		for (const [column, other] of scores.entries()) {
			lower[place + column] = score < other ? 0 : -Infinity;
		}
	}
	const mask = ops.constant(lower, scores.length, scores.length);
	const excess = ops.add(ops.subtract(x, ops.transpose(x)), mask);
	const byRow = ops.logSumExpRows(excess);
	return ops.softplus(ops.logSumExpRows(ops.transpose(byRow)));
}
