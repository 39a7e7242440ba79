// Runs a function of matrices on a tape, as a loss runs.

import {type LossOperations, operationsOf} from '../../dist/autograd/operations.js';
import {Tape, type Variable} from '../../dist/autograd/tape.js';
import type {NativeDevice} from '../../dist/native.js';
import type {Matrix} from './matrix.js';
import {readMatrix, tensorOf} from './run-op.js';

export type Recorded = (ops: LossOperations, inputs: readonly Variable[]) => Variable;

/** The value of f, and the gradients of its sum times `weights` by the inputs. */
export async function runTaped(
	device: NativeDevice,
	f: Recorded,
	inputs: readonly Matrix[],
	weights: (result: Variable) => Matrix,
): Promise<{value: Matrix; gradients: Matrix[]}> {
	const tape = new Tape(device);
	try {
		const ops = operationsOf(tape);
		const variables = inputs.map(input => tape.variable(tape.own(tensorOf(device, input))));
		const result = f(ops, variables);
		const {rows, columns, values} = weights(result);
		const factor = ops.constant(Float32Array.from(values), rows, columns);
		tape.backward(ops.sum(ops.multiply(result, factor)));
		const value = await readMatrix(device, result.tensor);
		const gradients: Matrix[] = [];
		for (const variable of variables) {
			gradients.push(await readMatrix(device, variable.gradient ?? tape.zeros(variable)));
		}
		return {value, gradients};
	} finally {
		tape.dispose();
	}
}
