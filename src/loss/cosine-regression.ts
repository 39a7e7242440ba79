// Cosines that are to be what the data score.

import {expectPairs, expectRowScores, rowScores} from './inputs.js';
import {defineLoss, type Loss} from './loss.js';
import {numberOption, settled} from './options.js';

export type CosineRegressionOptions = {
	/** What scores of the data are divided by: 5 for scores from 0 to 5. Default 1. */
	scoreScale?: number;
};

const schema = {scoreScale: numberOption(1, {from: 0, open: true})};

/**
Mean over rows of (cos − score / scoreScale)², CosineSimilarityLoss of sentence-transformers.

Columns: query, positive. Scores: one for each row, from −scoreScale to scoreScale.

@example
await train(model, {data: 'sts.jsonl', loss: cosineRegression({scoreScale: 5})});
*/
export function cosineRegression(options: CosineRegressionOptions = {}): Loss {
	const settings = settled('cosineregression', schema, options);
	const {scoreScale} = settings;
	const scores = {of: 'row', from: -scoreScale, to: scoreScale} as const;
	const needs = {negatives: 'none', scores, across: 'nothing'} as const;
	return defineLoss('cosineregression', {options: settings, needs}, (ops, inputs) => {
		const [left, right] = expectPairs('cosineregression', inputs.columns);
		const wanted = expectRowScores('cosineregression', inputs, left.rows);
		const target = ops.scale(ops.constant(wanted, left.rows, 1), 1 / scoreScale);
		return ops.mean(ops.square(ops.subtract(rowScores(ops, 'cosine', left, right), target)));
	});
}
