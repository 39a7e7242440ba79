// evaluateLoss on the matrices of the tests.

import type {DeviceOptions} from '../../dist/device.js';
import {evaluateLoss, type PlainColumn} from '../../dist/loss/evaluate.js';
import type {Loss} from '../../dist/loss/loss.js';
import {startOf} from '../../dist/loss/parameters.js';
import {type Matrix, matrixOf} from './matrix.js';
import type {LossCase} from './plain-loss.js';

export type EvaluatedLoss = {
	value: Matrix;
	/** By the columns, then by the parameters. */
	gradients: Matrix[];
	reports: Record<string, number>;
};

export async function evaluated(
	loss: Loss,
	given: LossCase,
	threads = 2,
	where: DeviceOptions = {},
): Promise<EvaluatedLoss> {
	const {columns, offsets = [], tokens = [], teacher, guide, ...others} = given;
	const result = await evaluateLoss(
		loss,
		{
			columns: columns.map((column, n) => ({
				...plainColumn(column),
				...(offsets[n] && {offsets: offsets[n]}),
				...(tokens[n] && {tokens: tokens[n]}),
			})),
			...(teacher && {teacher: plainColumn(teacher)}),
			...(guide && {guide: guide.map(plainColumn)}),
			...others,
		},
		{threads, ...where},
	);
	const byColumns = result.gradients.map((gradient, n) =>
		matrixOf(columns[n]!.rows, columns[n]!.columns, at => gradient[at]!),
	);
	const byParameters = (loss.parameters ?? []).map(parameter => {
		const {rows, columns: width} = startOf(parameter, columns[0]!.columns, 0);
		const gradient = [result.parameterGradients[parameter.name]!].flatMap(each =>
			typeof each === 'number' ? [each] : Array.from(each),
		);
		return matrixOf(rows, width, at => gradient[at]!);
	});
	return {
		value: matrixOf(1, 1, () => result.value),
		gradients: [...byColumns, ...byParameters],
		reports: result.reports,
	};
}

function plainColumn({rows, columns: width, values}: Matrix): PlainColumn {
	return {data: Float32Array.from(values), rows, width};
}
