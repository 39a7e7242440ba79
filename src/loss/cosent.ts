// The order of pairs: one that is scored higher is to be nearer (CoSENT, Su 2022).

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {EngineError} from '../errors.js';
import {expectPairs, expectRowScores, rowScores} from './inputs.js';
import {defineLoss, type Loss} from './loss.js';
import {numberOption, settled} from './options.js';
import {isAbove} from './where.js';

export type CosentOptions = {
	/** What cosines are multiplied with. Default 20. */
	scale?: number;
	/** What they are divided by, in place of a scale. */
	temperature?: number;
};

const schema = {
	scale: numberOption(20, {from: 0, open: true}),
	temperature: numberOption(0.05, {from: 0, open: true}),
};

const needs = {negatives: 'none', scores: {of: 'row'}, across: 'rows'} as const;

/**
log(1 + Σ exp(scale (cos i − cos j))) over all rows i and j of which i is scored lower than j. Only
the order of the scores counts. CoSENTLoss of sentence-transformers; open-retrievals has scale 1.

Columns: query, positive. Scores: one for each row, in any unit. Memory grows with rows².

@example
await train(model, {data: 'scored-pairs.jsonl', loss: cosent()});
*/
export function cosent(options: CosentOptions = {}): Loss {
	const settings = scaleOption('cosent', options);
	return defineLoss('cosent', {options: settings, needs}, (ops, inputs) => {
		const [left, right] = expectPairs('cosent', inputs.columns);
		const scores = expectRowScores('cosent', inputs, left.rows);
		const cosines = rowScores(ops, 'cosine', left, right);
		return orderLoss(ops, ops.scale(cosines, settings.scale), scores);
	});
}

/** What is 0 in every sum of exponentials, and finite. */
const nothing = 1e30;

/** log(1 + Σ exp(x i − x j)) over all i and j of which i is scored lower than j; x is (N, 1). */
export function orderLoss(ops: LossOperations, x: Variable, scores: Float32Array): Variable {
	const given = ops.constant(scores, scores.length, 1);
	const isLower = isAbove(ops, ops.subtract(ops.transpose(given), given));
	const mask = ops.scale(ops.addScalar(isLower, -1), nothing);
	const excess = ops.add(ops.subtract(x, ops.transpose(x)), mask);
	const byRow = ops.logSumExpRows(excess);
	return ops.softplus(ops.logSumExpRows(ops.transpose(byRow)));
}

/** The scale that options name, as such or as a temperature, which divides. */
export function scaleOption(loss: string, options: CosentOptions): {scale: number} {
	const {scale, temperature} = settled(loss, schema, options);
	if (options.temperature === undefined) {
		return {scale};
	}
	if (options.scale !== undefined) {
		throw new EngineError('OPTION_CONFLICT', `${loss}: expected scale or temperature, got both`);
	}
	return {scale: 1 / temperature};
}
