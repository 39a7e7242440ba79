// Losses on plain matrices: the ones of the list, one of one's own, and what is refused.

import {describe, expect, test} from 'vitest';
import {EngineError} from '../../dist/errors.js';
import {evaluateLoss, type PlainInputs} from '../../dist/loss/evaluate.js';
import {losses} from '../../dist/loss/index.js';
import {expectColumns, type Loss} from '../../dist/loss/loss.js';
import {expectGradients} from '../support/differences.js';
import {evaluated} from '../support/evaluated-loss.js';
import {matrixOf, normals, randomMatrix, uniforms} from '../support/matrix.js';
import {type LossCase, plainGradients} from '../support/plain-loss.js';
import {newDevice} from '../support/run-op.js';

const random = normals(31);
const uniform = uniforms(32);

function drawn(rows: number, width: number): LossCase {
	return {
		columns: Array.from({length: 3}, () => randomMatrix(rows, width, random)),
		labels: Float32Array.from({length: rows}, uniform),
		scores: Float32Array.from({length: 2 * rows}, uniform),
	};
}

/** As a user writes one. */
function triplet({margin = 0.2} = {}): Loss {
	if (!(margin > 0)) {
		throw new EngineError('OPTION_RANGE', `triplet: expected margin above 0, got ${margin}`);
	}

	return (ops, {columns}) => {
		const [anchor, positive, negative] = expectColumns('triplet', columns, 3);
		const query = ops.normalizeRows(anchor);
		const near = ops.rowDots(query, ops.normalizeRows(positive));
		const far = ops.rowDots(query, ops.normalizeRows(negative));
		return ops.mean(ops.relu(ops.addScalar(ops.subtract(far, near), margin)));
	};
}

test('the gradient of a triplet of one’s own is that of its meaning', async () => {
	const given = drawn(5, 7);
	const {gradients} = await evaluated(triplet({margin: 0.5}), given);
	expectGradients(gradients, plainGradients(triplet({margin: 0.5}), given), 1);
});

test('a triplet of one’s own has the golden value of its definition', async () => {
	const rows = [
		[1, 2, 0, 1, 0, 1, 2, -1],
		[1, 1, 0, 1, 0, 1, 1, 0],
		[1, -1, 1, 0, 1, 1, 1, 1],
	];
	const columns = rows.map(data => ({data: Float32Array.from(data), rows: 2, width: 4}));
	const {value, gradients} = await evaluateLoss(triplet({margin: 0.5}), {columns});
	expect(value).toBeCloseTo(0.021111, 6);
	expect(gradients.map(({length}) => length)).toEqual([8, 8, 8]);
});

test('a column that a loss does not use has a gradient of zeros', async () => {
	const {columns} = drawn(3, 2);
	const loss: Loss = (ops, {columns: [query]}) => ops.mean(ops.square(query!));
	const {gradients} = await evaluated(loss, {columns});
	expect([...gradients[1]!.values]).toEqual([0, 0, 0, 0, 0, 0]);
});

test('a loss gets labels and scores as they are given', async () => {
	const given = drawn(4, 2);
	const loss: Loss = (ops, {columns: [query], labels, scores}) => {
		const weight = ops.constant(labels!, 4, 1);
		return ops.scale(ops.sum(ops.multiply(query!, weight)), scores![3]!);
	};
	const {gradients} = await evaluated(loss, given);
	const expected = matrixOf(4, 2, at => given.labels![at >> 1]! * given.scores![3]!);
	expectGradients([gradients[0]!], [expected]);
});

test('evaluating takes no memory anew when shapes are the same', async () => {
	const device = newDevice(1); // nobody else here uses the engine of one thread
	const given = drawn(33, 20);
	const loss = losses.infonce({directions: ['qd', 'dq']});
	const run = () => evaluated(loss, given, 1);
	const begin = device.statistics().allocations;
	await run();
	const first = device.statistics().allocations;
	for (let n = 0; n < 30; n++) await run();
	expect(device.statistics().allocations - first).toBeLessThan(first - begin);
});

describe('wrong use is refused', () => {
	const good = {data: Float32Array.of(1, 2, 3, 4), rows: 2, width: 2};
	const plain: Loss = (ops, {columns: [query]}) => ops.mean(query!);
	const call = (loss: unknown, inputs: unknown, options = {}) =>
		evaluateLoss(loss as Loss, inputs as PlainInputs, options);

	test.each([
		['no function', 7, {columns: [good]}, 'expected a function as the loss, got a number'],
		['no columns', plain, {}, 'expected columns to be an array of at least one, got nothing'],
		['an empty list', plain, {columns: []}, 'an array of at least one, got an array'],
		['plain arrays', plain, {columns: [{...good, data: [1]}]}, 'in a Float32Array, got an array'],
		['wrong sizes', plain, {columns: [{...good, rows: 3}]}, 'column 0 of 3 x 2 elements, got 4'],
		['labels', plain, {columns: [good], labels: [1]}, 'labels to be a Float32Array'],
		['offsets', plain, {columns: [good, {...good, offsets: [0, 2]}]}, '3 numbers for 2 queries'],
		['offsets', plain, {columns: [good, {...good, offsets: [0, 1, 1]}]}, '0 to 2, got 0 to 1'],
		['offsets', plain, {columns: [good, {...good, offsets: [0, 3, 2]}]}, 'rising numbers'],
		['a promise', async () => 1, {columns: [good]}, 'to return a variable, got an object'],
		['a matrix', (_: unknown, {columns}: never) => columns[0], {columns: [good]}, 'got 2 x 2'],
		['a constant', (ops: never) => constantOf(ops), {columns: [good]}, 'got a constant'],
		['uneven', triplet(), {columns: [good, good, {...good, offsets: [0, 0, 2]}]}, 'column 2'],
		['two columns', triplet(), {columns: [good, good]}, 'triplet: expected 3 columns'],
	])('%s: %#', async (_, loss, inputs, message) => {
		await expect(call(loss, inputs)).rejects.toThrow(message);
		await expect(call(loss, inputs)).rejects.toMatchObject({code: 'LOSS_INVALID'});
	});

	test('a device that is not there', async () => {
		const wrong = call(plain, {columns: [good]}, {device: 'cuda:99'});
		await expect(wrong).rejects.toMatchObject({code: 'DEVICE_UNAVAILABLE'});
	});

	test('a signal that was aborted', async () => {
		const signal = AbortSignal.abort(new Error('enough'));
		await expect(call(plain, {columns: [good]}, {signal})).rejects.toThrow('enough');
	});

	test('a triplet without a margin', () => {
		expect(() => triplet({margin: 0})).toThrow('expected margin above 0, got 0');
	});
});

const constantOf = (ops: Parameters<Loss>[0]) => ops.constant([1], 1, 1);
