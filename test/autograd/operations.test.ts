// Every operation of a loss: its value against its meaning in float64, its gradient against central
// differences of that meaning.

import {describe, expect, test} from 'vitest';
import {operationsOf} from '../../dist/autograd/operations.js';
import {Tape} from '../../dist/autograd/tape.js';
import {
	along,
	centralGradients,
	expectGradients,
	gradientUnits,
	randomDirection,
	slopeAlong,
} from '../support/differences.js';
import {type Matrix, matrixOf, normals} from '../support/matrix.js';
import {largeCases, type OperationCase, smallCases} from '../support/operation-cases.js';
import {matrixIn, plainOperations, plainVariable} from '../support/plain-operations.js';
import {newDevice} from '../support/run-op.js';
import {runTaped} from '../support/taped.js';
import {expectClose, type Round} from '../support/tolerance.js';

const device = newDevice(2);

function plain({run}: OperationCase, inputs: readonly Matrix[], round?: Round): Matrix {
	return matrixIn(run(plainOperations(round), inputs.map(plainVariable)));
}

/** The same random weights for results of one shape. */
function weightsOf({rows, columns}: {rows: number; columns: number}): Matrix {
	const random = normals(rows * 1000 + columns);
	return matrixOf(rows, columns, random);
}

/** The sum of the result times its weights. */
const weighted = (one: OperationCase) => (inputs: readonly Matrix[]) => {
	const result = plain(one, inputs);
	const weights = weightsOf(result);
	return result.values.reduce((sum, value, at) => sum + value * weights.values[at]!, 0);
};

/** The terms of sums of numbers of size 1, whose rounding cannot be told from that of the sum. */
const termsOf = ({inputs}: OperationCase) =>
	Math.sqrt(Math.max(...inputs.map(({values}) => values.length)));

describe('small matrices', () => {
	test.each(smallCases)('$name of $what', async one => {
		const {value, gradients} = await runTaped(device, one.run, one.inputs, weightsOf);
		expectClose(value, round => plain(one, one.inputs, round), {scale: termsOf(one)});
		expectGradients(gradients, centralGradients(weighted(one), one.inputs), 1);
	});
});

describe('large matrices', () => {
	test.each(largeCases)('$name of $what', async one => {
		const {value, gradients} = await runTaped(device, one.run, one.inputs, weightsOf);
		expectClose(value, round => plain(one, one.inputs, round), {scale: termsOf(one)});
		const direction = randomDirection(one.inputs, normals(8));
		const size = Math.hypot(...gradients.map(({values}) => Math.hypot(...values)));
		const error = along(gradients, direction) - slopeAlong(weighted(one), one.inputs, direction);
		expect(Math.abs(error)).toBeLessThanOrEqual(gradientUnits * 2 ** -23 * size);
	});
});

test('every operation is among the cases', () => {
	// Those of whole rules have oracles of their own, in test/ops.
	const rules = ['contrast', 'maxSim', 'orderedPairs'];
	const apart = [...rules, 'constant', 'detach', 'report', 'read'];
	const names = new Set([...smallCases.map(({name}) => name), ...apart]);
	const tape = new Tape(device);
	expect([...names].sort()).toEqual(Object.keys(operationsOf(tape)).sort());
	tape.dispose();
});
