// The fused softmax of a batch, as a loss calls it, against its meaning in float64.

import {describe, expect, test} from 'vitest';
import type {ContrastOptions} from '../../dist/autograd/contrast.js';
import {type LossOperations, operationsOf} from '../../dist/autograd/operations.js';
import {Tape, type Variable} from '../../dist/autograd/tape.js';
import {centralGradients, expectGradients} from '../support/differences.js';
import {grid, type Matrix, matrixOf, normals, randomMatrix} from '../support/matrix.js';
import {matrixIn, plainOperations, plainVariable} from '../support/plain-operations.js';
import {newDevice} from '../support/run-op.js';
import {runTaped} from '../support/taped.js';
import {expectClose, type Round} from '../support/tolerance.js';

const device = newDevice(2);
const random = normals(41);
const rows = 5;
// A further positive of row 0, then hard negatives: three of row 3, one of row 4, one of no row.
const owner = Int32Array.of(0, 1, 2, 3, 4, 0, 3, 3, 3, 4, 99);
const temperature = matrixOf(1, 1, () => 0.25);

type Switches = Pick<ContrastOptions, 'own' | 'others' | 'ownHard' | 'otherHard' | 'cosine'>;

/** The parts of a softmax side by side, each where it is asked for. */
function parts(switches: Switches, used: readonly ('lse' | 'mean')[]) {
	return (ops: LossOperations, [left, right, divisor]: readonly Variable[]): Variable => {
		const options = {...switches, owner, positives: 6, temperature: divisor!};
		const softmax = ops.contrast(left!, right!, options);
		return ops.concatColumns(used.map(name => softmax[name]));
	};
}

const weights = (result: {rows: number; columns: number}): Matrix =>
	matrixOf(result.rows, result.columns, normals(result.columns));

async function expectRight(f: ReturnType<typeof parts>, inputs: readonly Matrix[]): Promise<void> {
	const {value, gradients} = await runTaped(device, f, inputs, weights);
	const plain = (given: readonly Matrix[], round?: Round) =>
		matrixIn(f(plainOperations(round), given.map(plainVariable)));
	expectClose(value, round => plain(inputs, round), {scale: 20});
	const sum = (given: readonly Matrix[]) => {
		const result = plain(given);
		const factor = weights(result);
		return result.values.reduce((total, x, at) => total + x * factor.values[at]!, 0);
	};
	expectGradients(gradients, centralGradients(sum, inputs), 1);
}

const inputs = [randomMatrix(rows, 7, random), randomMatrix(owner.length, 7, random), temperature];

test.each(
	grid({
		own: [true],
		others: [true, false],
		ownHard: [true, false],
		otherHard: [true, false],
		cosine: [true, false],
		used: [['lse', 'mean'], ['lse'], ['mean']] as const,
	}),
)('is as it means: %j', async ({used, ...switches}) => {
	await expectRight(parts(switches, used), inputs);
});

test('knows rows that are columns too', async () => {
	const switches = {own: false, others: true, ownHard: false, otherHard: false, cosine: true};
	const identity = Int32Array.from({length: rows}, (_, row) => row);
	const among = (ops: LossOperations, [x, divisor]: readonly Variable[]) =>
		ops.contrast(x!, x!, {...switches, owner: identity, positives: rows, temperature: divisor!})
			.lse;
	await expectRight(among, [inputs[0]!, temperature]);
});

test('a row that meets nothing has minus infinity, mean 0, count 0 and no gradient', async () => {
	const tape = new Tape(device);
	const ops = operationsOf(tape);
	const x = ops.constant([1, 2], 1, 2);
	const leaf = tape.variable(x.tensor);
	const softmax = ops.contrast(leaf, leaf, {
		own: false,
		others: true,
		ownHard: true,
		otherHard: true,
		owner: Int32Array.of(0),
		positives: 1,
		temperature: ops.constant([1], 1, 1),
		cosine: true,
	});
	const all = [softmax.lse, softmax.mean, softmax.count].map(part => tape.read(part));
	expect((await Promise.all(all)).map(([value]) => value)).toEqual([-Infinity, 0, 0]);
	tape.backward(ops.logAddExp(softmax.lse, ops.constant([3], 1, 1)));
	expect([...(await tape.read(tape.constant(leaf.gradient!)))]).toEqual([0, 0]);
	tape.dispose();
});

describe('wrong operands are refused at the call', () => {
	const ops = operationsOf(new Tape(device));
	const matrix = (height: number, width: number) =>
		ops.constant(new Float32Array(height * width), height, width);
	const options = {
		owner: Int32Array.of(0, 1),
		positives: 2,
		own: true,
		others: true,
		ownHard: true,
		otherHard: true,
		temperature: matrix(1, 1),
		cosine: true,
	};

	test.each([
		['columns of another width', matrix(2, 3), {}, 'expected columns of 2 columns, got 3'],
		['a temperature for each row', matrix(2, 2), {temperature: matrix(2, 1)}, 'of 1 x 1'],
		['owners for other columns', matrix(3, 2), {}, 'owner of 3 numbers, got 2'],
		['too many positives', matrix(2, 2), {positives: 3}, 'positives from 0 to 2, got 3'],
	])('%s', (_, columns, wrong, message) => {
		const call = () => ops.contrast(matrix(2, 2), columns, {...options, ...wrong});
		expect(call).toThrow(message);
	});
});
