// All pairs of a batch that belong together are to score above all that do not (the multi-label circle
// loss, Su 2020).

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {binaryNeed, labelledPairs, rowScores, type Similarity, similarities} from './inputs.js';
import {defineLoss, type Loss} from './loss.js';
import {numberOption, settled, wordOption} from './options.js';

export type CircleOptions = {
	/** What a score is. Default cosine. */
	similarity?: Similarity;
	/** What it is multiplied with. Default 20. */
	scale?: number;
	/** What is taken from scores: those of pairs that belong together are to be above. Default 0. */
	threshold?: number;
};

const schema = {
	similarity: wordOption<Similarity>('cosine', similarities),
	scale: numberOption(20, {from: 0, open: true}),
	threshold: numberOption(0, {from: -1e6}),
};

const needs = {label: binaryNeed, across: 'rows'} as const;

/**
log(1 + Σ eˢ over pairs of label 0) + log(1 + Σ e⁻ˢ over pairs of label 1), over the whole batch,
where s = scale (score − threshold). A query and its hard negative are a pair of label 0; without
labels a query and its positive are one of label 1.

Columns: query, positive, any negatives. Labels: 0 or 1; needed of rows without negatives.

@example
await train(model, {data: 'labelled-pairs.jsonl', loss: circle({threshold: 0.5})});
*/
export function circle(options: CircleOptions = {}): Loss {
	const settings = settled('circle', schema, options);
	const {similarity, scale, threshold} = settings;
	return defineLoss('circle', {options: settings, needs}, (ops, inputs) => {
		const {left, right, belongs} = labelledPairs(ops, 'circle', inputs);
		const x = ops.addScalar(rowScores(ops, similarity, left, right), -threshold);
		const above = sumWhere(ops, ops.scale(x, scale), belongs, 0);
		const below = sumWhere(ops, ops.scale(x, -scale), belongs, 1);
		return ops.add(above, below);
	});
}

/** log(1 + Σ eˣ) over the pairs of a label. */
function sumWhere(
	ops: LossOperations,
	x: Variable,
	belongs: Float32Array,
	label: number,
): Variable {
	const mask = belongs.map(each => (each === label ? 0 : -Infinity));
	const among = ops.add(x, ops.constant(mask, mask.length, 1));
	return ops.softplus(ops.logSumExpRows(ops.transpose(among)));
}
