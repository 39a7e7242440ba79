// Scores of pairs that are to be what a teacher, or the data, score.

import {expectPairs, expectRowScores, rowScores, type Similarity, similarities} from './inputs.js';
import {defineLoss, type Loss} from './loss.js';
import {numberOption, settled, wordOption} from './options.js';

export type MseOptions = {
	/** What a score is. Default dot, which can be as large as any teacher's. */
	similarity?: Similarity;
	/** What it is multiplied with. Default 1. */
	scale?: number;
};

const schema = {
	similarity: wordOption<Similarity>('dot', similarities),
	scale: numberOption(1, {from: 0, open: true}),
};

const needs = {negatives: 'none', scores: {of: 'row'}, across: 'nothing'} as const;

/**
Mean over rows of (scale s − score)², where s is the dot product or the cosine of the two texts: MSELoss of torch on
scores.

Columns: query, positive. Scores: one for each row.

@example
await train(model, {data: 'scored-pairs.jsonl', loss: mse()});
*/
export function mse(options: MseOptions = {}): Loss {
	const settings = settled('mse', schema, options);
	const {similarity, scale} = settings;
	return defineLoss('mse', {options: settings, needs}, (ops, inputs) => {
		const [left, right] = expectPairs('mse', inputs.columns);
		const target = ops.constant(expectRowScores('mse', inputs, left.rows), left.rows, 1);
		const scores = ops.scale(rowScores(ops, similarity, left, right), scale);
		return ops.mean(ops.square(ops.subtract(scores, target)));
	});
}
