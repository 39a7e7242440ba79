// evaluateLoss on the matrices of the tests.

import {evaluateLoss} from '../../dist/loss/evaluate.js';
import type {Loss} from '../../dist/loss/loss.js';
import {type Matrix, matrixOf} from './matrix.js';
import type {LossCase} from './plain-loss.js';

export type EvaluatedLoss = {
	value: Matrix;
	/** By the columns, then by the parameters. */
	gradients: Matrix[];
	reports: Record<string, number>;
};

export async function evaluated(loss: Loss, given: LossCase, threads = 2): Promise<EvaluatedLoss> {
	const {columns, offsets = [], labels, scores} = given;
	const result = await evaluateLoss(
		loss,
		{
			columns: columns.map(({rows, columns: width, values}, n) => ({
				data: Float32Array.from(values),
				rows,
				width,
				...(offsets[n] && {offsets: offsets[n]}),
			})),
			...(labels && {labels}),
			...(scores && {scores}),
		},
		{threads},
	);
	const byColumns = result.gradients.map((gradient, n) =>
		matrixOf(columns[n]!.rows, columns[n]!.columns, at => gradient[at]!),
	);
	const byParameters = (loss.parameters ?? []).map(({name}) =>
		matrixOf(1, 1, () => result.parameterGradients[name]!),
	);
	return {
		value: matrixOf(1, 1, () => result.value),
		gradients: [...byColumns, ...byParameters],
		reports: result.reports,
	};
}
