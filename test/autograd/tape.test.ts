// The tape: gradients that meet in one matrix, shapes that do not fit, and memory that comes back.

import {describe, expect, test} from 'vitest';
import {operationsOf} from '../../dist/autograd/operations.js';
import {Tape, type Variable} from '../../dist/autograd/tape.js';
import {matrixOf, normals, randomMatrix} from '../support/matrix.js';
import {newDevice, tensorOf} from '../support/run-op.js';

const device = newDevice(2);
const random = normals(9);

/** A tape, its operations, and variables of those values in one row each. */
function begun(...rows: number[][]) {
	const tape = new Tape(device);
	const variables = rows.map(values => {
		const matrix = matrixOf(1, values.length, index => values[index]!);
		return tape.variable(tape.own(tensorOf(device, matrix)));
	});
	return {tape, ops: operationsOf(tape), variables};
}

const gradientIn = async (tape: Tape, {gradient}: Variable) => [
	...(await tape.read(tape.constant(gradient!))),
];

describe('gradients', () => {
	test('of a matrix that is used several times are added', async () => {
		const {tape, ops, variables} = begun([1, 2], [5, 6]);
		const [x, y] = variables as [Variable, Variable];
		const sum = ops.add(ops.add(x, y), ops.add(x, ops.add(x, x)));
		tape.backward(ops.sum(ops.multiply(sum, y)));
		expect(await gradientIn(tape, x)).toEqual([20, 24]);
		expect(await gradientIn(tape, y)).toEqual([14, 20]);
	});

	test('that two matrices share stay apart when one gets more', async () => {
		const {tape, ops, variables} = begun([1, 2], [5, 6]);
		const [x, y] = variables as [Variable, Variable];
		const stacked = ops.concatRows([x, y]);
		tape.backward(ops.sum(ops.add(ops.rows(stacked, 0, 1), ops.add(x, x))));
		expect(await gradientIn(tape, x)).toEqual([3, 3]);
		expect(await gradientIn(tape, y)).toEqual([0, 0]);
	});

	test('do not reach what was detached, is constant or is not used', async () => {
		const {tape, ops, variables} = begun([1, 2], [5, 6], [0, 0]);
		const [x, y, z] = variables as [Variable, Variable, Variable];
		const constant = ops.constant([2, 3], 1, 2);
		tape.backward(ops.sum(ops.multiply(ops.multiply(x, ops.detach(y)), constant)));
		expect(await gradientIn(tape, x)).toEqual([10, 18]);
		expect([y.gradient, z.gradient, constant.gradient]).toEqual([undefined, undefined, undefined]);
	});

	test('are refused of a value that depends on nothing', () => {
		const {tape, ops} = begun();
		const refused = () => tape.backward(ops.sum(ops.constant([1], 1, 1)));
		expect(refused).toThrow('loss: expected a value that depends on its columns, got a constant');
	});
});

test('what a loss reports and reads is what it computed', async () => {
	const {tape, ops, variables} = begun([1, 2]);
	ops.report('rows', 7);
	ops.report('total', ops.sum(variables[0]!));
	expect(tape.reports.get('rows')).toBe(7);
	expect([...(await ops.read(tape.reports.get('total') as Variable))]).toEqual([3]);
});

describe('wrong shapes are refused at the call', () => {
	const {ops, variables} = begun([1, 2, 3], [1, 2], []);
	const [three, two, none] = variables as [Variable, Variable, Variable];
	const tall = ops.constant([1, 2], 2, 1);

	test.each([
		['add', () => ops.add(three, two), 'add: expected b of 1 x 3, or 1 in place of an extent'],
		['rowDots', () => ops.rowDots(three, two), 'rowDots: expected b of 1 x 3, got 1 x 2'],
		['products', () => ops.products(three, two), 'expected b of 3 columns, got 2'],
		['rows', () => ops.rows(three, 1, 1), 'rows: expected a slice within 0 to 1, got 1 to 2'],
		['columns', () => ops.columns(three, -1, 1), 'columns: expected a slice within 0 to 3'],
		['columns', () => ops.columns(three, 0.5, 1), 'expected a slice within 0 to 3, got 0.5'],
		['concatRows', () => ops.concatRows([three, two]), 'matrix 1 of 3 columns, got 2'],
		['concatRows', () => ops.concatRows([]), 'concatRows: expected at least one matrix, got none'],
		['concatColumns', () => ops.concatColumns([three, tall]), 'matrix 1 of 1 rows, got 2'],
		['concatColumns', () => ops.concatColumns([]), 'expected at least one matrix, got none'],
		['pick', () => ops.pick(three, [3]), 'pick: expected whole numbers from 0 to 2, got 3 at 0'],
		['pick', () => ops.pick(three, [0, 1]), 'pick: expected 1 column numbers, one a row, got 2'],
		['gatherRows', () => ops.gatherRows(three, [0, -1]), 'got -1 at 1'],
		['crossEntropy', () => ops.crossEntropy(three, [1.5]), 'got 1.5 at 0'],
		['mean', () => ops.mean(none), 'mean: expected at least one element, got 1 x 0'],
		['rowMeans', () => ops.rowMeans(none), 'rowMeans: expected at least one element'],
	])('by %s: %#', (_, call, message) => {
		expect(call).toThrow(message);
		expect(call).toThrow(expect.objectContaining({code: 'LOSS_INVALID'}));
	});
});

describe('memory', () => {
	test('is not taken anew by later tapes of the same shapes', async () => {
		const own = newDevice(1); // nobody else here uses the engine of one thread
		const x = tensorOf(own, randomMatrix(65, 48, random));
		const step = async () => {
			const tape = new Tape(own);
			const ops = operationsOf(tape);
			const unit = ops.normalizeRows(tape.variable(x));
			const loss = ops.crossEntropy(
				ops.scale(ops.products(unit, unit), 20),
				Array.from({length: 65}, (_, row) => row),
			);
			tape.backward(loss);
			await tape.read(loss);
			tape.dispose();
		};
		const begin = own.statistics().allocations;
		await step();
		const first = own.statistics().allocations;
		for (let n = 0; n < 30; n++) await step();
		await own.synchronize();
		// Numbers on their way to the device lie in blocks of their own until it has taken them, so a
		// later step may need some more than the first did; thirty steps without reuse need thirty times.
		expect(own.statistics().allocations - first).toBeLessThan(first - begin);
	});

	test('of a tape is not to be used after its end', () => {
		const {tape, ops, variables} = begun([1, 2]);
		tape.dispose();
		expect(() => ops.exp(variables[0]!)).toThrow(expect.objectContaining({code: 'DISPOSED'}));
	});

	test('that was queued on may be let go before it is computed', async () => {
		const {tape, ops, variables} = begun([1, 2]);
		const read = ops.read(ops.sum(ops.square(variables[0]!)));
		tape.dispose();
		expect([...(await read)]).toEqual([5]);
	});
});
