// Each pair on its own: how likely its two texts belong together.

import {expectPairs, expectRowScores, rowScores, type Similarity, similarities} from './inputs.js';
import {defineLoss, type Loss} from './loss.js';
import {numberOption, settled, wordOption} from './options.js';

export type BceOptions = {
	/** What a score is. Default cosine. */
	similarity?: Similarity;
	/** What it is multiplied with. Default 20. */
	scale?: number;
	/** How much more a pair that belongs together weighs than one that does not. Default 1. */
	positiveWeight?: number;
};

const schema = {
	similarity: wordOption<Similarity>('cosine', similarities),
	scale: numberOption(20, {from: 0, open: true}),
	positiveWeight: numberOption(1, {from: 0, open: true}),
};

const scores = {of: 'row', from: 0, to: 1} as const;
const needs = {negatives: 'none', scores, across: 'nothing'} as const;

/**
Mean over rows of −(w y log σ(x) + (1 − y) log(1 − σ(x))), where x is the scaled score of the two
texts, y the probability from 0 to 1 that the data give, and w positiveWeight:
binary_cross_entropy_with_logits of torch.

Columns: query, positive. Scores, or labels: one for each row, from 0 to 1.

@example
await train(model, {data: 'labelled-pairs.jsonl', loss: bce({positiveWeight: 3})});
*/
export function bce(options: BceOptions = {}): Loss {
	const settings = settled('bce', schema, options);
	const {similarity, scale, positiveWeight} = settings;
	return defineLoss('bce', {options: settings, needs}, (ops, inputs) => {
		const [left, right] = expectPairs('bce', inputs.columns);
		const likely = ops.constant(expectRowScores('bce', inputs, left.rows), left.rows, 1);
		const unlikely = ops.addScalar(ops.scale(likely, -1), 1);
		const x = ops.scale(rowScores(ops, similarity, left, right), scale);
		const missed = ops.multiply(likely, ops.softplus(ops.scale(x, -1)));
		const wrong = ops.multiply(unlikely, ops.softplus(x));
		return ops.mean(ops.add(ops.scale(missed, positiveWeight), wrong));
	});
}
