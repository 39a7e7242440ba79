// Pairs that belong together are pulled together, others pushed apart up to a margin (Hadsell and
// others, 2006).

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {binaryNeed, labelledPairs, rowScores} from './inputs.js';
import {defineLoss, type Loss} from './loss.js';
import {numberOption, settled, wordOption} from './options.js';

const distances = ['cosine', 'euclidean'] as const;
const reductions = ['sum', 'mean'] as const;
type Distance = (typeof distances)[number];
type Reduction = (typeof reductions)[number];

export type ContrastiveOptions = {
	/** How far apart pairs that do not belong together are to be. Default 0.5. */
	margin?: number;
	/** 1 − cos, or the length of the difference. Default cosine. */
	distance?: Distance;
	/** Default sum, as in open-retrievals; sentence-transformers has half the mean. */
	reduction?: Reduction;
};

const schema = {
	margin: numberOption(0.5, {from: 0, open: true}),
	distance: wordOption<Distance>('cosine', distances),
	reduction: wordOption<Reduction>('sum', reductions),
};

const needs = {label: binaryNeed, across: 'nothing'} as const;

/**
Sum, or mean, over pairs of y d² + (1 − y) max(0, margin − d)², where d is the distance of the two
texts, and y the label of the row: 1 where they belong together, 0 where not. A query and its hard
negative are a pair of label 0; without labels a query and its positive are one of label 1.

Columns: query, positive, any negatives. Labels: 0 or 1; needed of rows without negatives.

@example
await train(model, {data: 'labelled-pairs.jsonl', loss: contrastive({margin: 0.4})});
*/
export function contrastive(options: ContrastiveOptions = {}): Loss {
	const settings = settled('contrastive', schema, options);
	const {margin, distance, reduction} = settings;
	return defineLoss('contrastive', {options: settings, needs}, (ops, inputs) => {
		const {left, right, belongs} = labelledPairs(ops, 'contrastive', inputs);
		const labels = ops.constant(belongs, belongs.length, 1);
		const apart = distanceOf(ops, distance, left, right);
		const near = ops.multiply(ops.square(apart), labels);
		const room = ops.relu(ops.addScalar(ops.scale(apart, -1), margin));
		const away = ops.addScalar(ops.scale(labels, -1), 1);
		const terms = ops.add(near, ops.multiply(ops.square(room), away));
		return reduction === 'sum' ? ops.sum(terms) : ops.mean(terms);
	});
}

function distanceOf(
	ops: LossOperations,
	distance: Distance,
	left: Variable,
	right: Variable,
): Variable {
	if (distance === 'cosine') {
		return ops.addScalar(ops.scale(rowScores(ops, 'cosine', left, right), -1), 1);
	}
	return ops.sqrt(ops.rowSums(ops.square(ops.subtract(left, right))));
}
