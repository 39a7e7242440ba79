// Cosines that are to rise in a line with the scores of the data.

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {expectPairs, expectRowScores, rowScores, type Similarity, similarities} from './inputs.js';
import {defineLoss, type Loss} from './loss.js';
import {settled, wordOption} from './options.js';

export type PearsonOptions = {
	/** What a score is. Default cosine. */
	similarity?: Similarity;
};

const schema = {similarity: wordOption<Similarity>('cosine', similarities)};

const needs = {negatives: 'none', scores: {of: 'row'}, across: 'rows'} as const;

/**
1 − r, where r is Pearson's correlation, over the batch, of the similarities of the pairs with their
scores. r is 0 where all scores or all similarities are equal. PearsonLoss of
open-retrievals.

Columns: query, positive. Scores: one for each row, in any unit.

@example
await train(model, {data: 'sts.jsonl', loss: pearson()});
*/
export function pearson(options: PearsonOptions = {}): Loss {
	const settings = settled('pearson', schema, options);
	return defineLoss('pearson', {options: settings, needs}, (ops, inputs) => {
		const [left, right] = expectPairs('pearson', inputs.columns);
		const scores = ops.constant(expectRowScores('pearson', inputs, left.rows), left.rows, 1);
		const found = direction(ops, rowScores(ops, settings.similarity, left, right));
		return ops.addScalar(ops.scale(ops.rowDots(found, direction(ops, scores)), -1), 1);
	});
}

/** Numbers (N, 1) less their mean, as a row of length 1. */
function direction(ops: LossOperations, x: Variable): Variable {
	return ops.normalizeRows(ops.transpose(ops.subtract(x, ops.mean(x))));
}
