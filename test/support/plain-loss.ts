// A loss on plain matrices, in float64 or as float32 rounds every step: the oracle of evaluateLoss.

import type {Variable} from '../../dist/autograd/tape.js';
import {type Column, columnOf, type Loss, type RowsKnown} from '../../dist/loss/loss.js';
import {startOf} from '../../dist/loss/parameters.js';
import {along, centralGradients, randomDirection, type Scalar, slopeAlong} from './differences.js';
import {type Matrix, matrixOf, normals} from './matrix.js';
import {matrixIn, plainOperations, plainVariable} from './plain-operations.js';
import type {Round} from './tolerance.js';

export type LossCase = {
	/** The query, the positive, then negatives. */
	columns: readonly Matrix[];
	/** The offsets of a column that has them. */
	offsets?: readonly (Int32Array | undefined)[];
	/** The offsets of the tokens of its texts, of a column that has them. */
	tokens?: readonly Int32Array[];
	labels?: Float32Array;
	scores?: Float32Array;
	teacher?: Matrix;
	known?: RowsKnown;
	guide?: readonly Matrix[];
	epoch?: number;
	sets?: readonly string[];
};

export type PlainResult = {value: number; reports: Map<string, number>};

/** The value of a loss where its parameters are `parameters`. */
export function plainLoss(
	loss: Loss,
	given: LossCase,
	parameters: readonly Matrix[] = startsOf(loss, given),
	round?: Round,
): PlainResult {
	const {columns, offsets = [], tokens = [], teacher, guide, ...others} = given;
	const reports = new Map<string, number | Variable>();
	const queries = tokens[0] ? tokens[0].length - 1 : columns[0]!.rows;
	const result = loss(plainOperations(round, reports), {
		columns: columns.map(
			(x, n): Column => columnOf(plainVariable(x), queries, offsets[n], tokens[n]),
		),
		parameters: Object.fromEntries(
			(loss.parameters ?? []).map(({name}, n) => [name, plainVariable(parameters[n]!)]),
		),
		...others,
		...(teacher && {teacher: plainVariable(teacher)}),
		...(guide && {guide: guide.map(plainVariable)}),
	});
	const said = [...reports].map(
		([name, report]) =>
			[name, typeof report === 'number' ? report : matrixIn(report).values[0]!] as const,
	);
	return {value: matrixIn(result).values[0]!, reports: new Map(said)};
}

/** The columns and then the parameters, each a matrix, and the loss as a function of them. */
export function scalarOf(loss: Loss, given: LossCase): {f: Scalar; inputs: Matrix[]} {
	const count = given.columns.length;
	return {
		inputs: [...given.columns, ...startsOf(loss, given)],
		f: inputs =>
			plainLoss(loss, {...given, columns: inputs.slice(0, count)}, inputs.slice(count)).value,
	};
}

export function plainGradients(loss: Loss, given: LossCase): Matrix[] {
	const {f, inputs} = scalarOf(loss, given);
	return centralGradients(f, inputs);
}

/** How far gradients are from the slope of the loss along a random direction. */
export function errorAlong(loss: Loss, given: LossCase, gradients: readonly Matrix[]): number {
	const {f, inputs} = scalarOf(loss, given);
	const direction = randomDirection(inputs, normals(inputs.length));
	return Math.abs(along(gradients, direction) - slopeAlong(f, inputs, direction));
}

function startsOf({parameters = []}: Loss, {columns}: LossCase): Matrix[] {
	return parameters.map(parameter => {
		const {rows, columns: width, values} = startOf(parameter, columns[0]!.columns, 0);
		return matrixOf(rows, width, at => values[at]!);
	});
}
