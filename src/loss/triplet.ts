// A query is to be nearer to its positive than to each negative, by a margin.

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {EngineError} from '../errors.js';
import {gapNeeds, gapsOf, meanOver} from './gaps.js';
import {expectTriplets} from './inputs.js';
import {type Column, defineLoss, type Loss} from './loss.js';
import {numberOption, settled, wordOption} from './options.js';

const forms = ['cosine', 'euclidean', 'logSigmoid'] as const;
type Form = (typeof forms)[number];

export type TripletOptions = {
	/** What nearness is, and how it is measured. Default cosine. */
	form?: Form;
	/** Default 0.2 for cosine, 0.5 for euclidean, 0 for logSigmoid. */
	margin?: number;
	/** What cosines are divided by in the form logSigmoid. Default 0.05. */
	temperature?: number;
};

const margins: Readonly<Record<Form, number>> = {cosine: 0.2, euclidean: 0.5, logSigmoid: 0};

/**
A mean over comparisons of a query, its positive and a negative:

- cosine: max(0, cos(q, n) − cos(q, p) + margin) with the query's own negatives, which is
  TripletLoss of sentence-transformers with cosine distances;
- euclidean: max(0, |q − p| − |q − n| + margin) with the query's own negatives;
- logSigmoid: −log(σ((cos(q, p) − cos(q, n)) / temperature) + margin) with all negatives of the
  batch, as in open-retrievals; with a margin it may be below 0.

Columns: query, positive, negatives, any number of them in each row.

@example
await train(model, {data: 'triplets.jsonl', loss: triplet({margin: 0.3})});
*/
export function triplet(options: TripletOptions = {}): Loss {
	const {form = 'cosine'} = options;
	const schema = {
		form: wordOption<Form>('cosine', forms),
		margin: numberOption(margins[form] ?? 0, {from: 0}),
		temperature: numberOption(0.05, {from: 0, open: true}),
	};
	const settings = settled('triplet', schema, options);
	expectTemperatureUsed(options);
	const {margin, temperature} = settings;
	const negatives = form === 'logSigmoid' ? 'hard' : 'own';
	const needs = gapNeeds({similarity: 'cosine', negatives});
	return defineLoss('triplet', {options: settings, needs}, (ops, {columns}) => {
		if (form === 'euclidean') {
			return euclidean(ops, columns, margin);
		}
		const gaps = gapsOf(ops, 'triplet', columns, {similarity: 'cosine', negatives});
		const value =
			form === 'cosine'
				? ops.relu(ops.addScalar(ops.scale(gaps.gap, -1), margin))
				: logSigmoid(ops, ops.scale(gaps.gap, 1 / temperature), margin);
		return meanOver(ops, gaps, value);
	});
}

/** −log(σ(x) + margin); without a margin in a form that does not underflow. */
function logSigmoid(ops: LossOperations, x: Variable, margin: number): Variable {
	if (margin === 0) {
		return ops.softplus(ops.scale(x, -1));
	}
	return ops.scale(ops.log(ops.addScalar(ops.sigmoid(x), margin)), -1);
}

function euclidean(ops: LossOperations, columns: readonly Column[], margin: number): Variable {
	const {query, positive, negative, owner} = expectTriplets(ops, 'triplet', columns);
	const distance = (a: Variable, b: Variable) =>
		ops.sqrt(ops.rowSums(ops.square(ops.subtract(a, b))));
	const near = ops.gatherRows(distance(query, positive), owner);
	const far = distance(ops.gatherRows(query, owner), negative);
	return ops.mean(ops.relu(ops.addScalar(ops.subtract(near, far), margin)));
}

function expectTemperatureUsed({form, temperature}: TripletOptions): void {
	if (temperature !== undefined && form !== 'logSigmoid') {
		throw new EngineError(
			'OPTION_CONFLICT',
			`triplet: expected temperature with the form logSigmoid, got it with ${form ?? 'cosine'}`,
		);
	}
}
