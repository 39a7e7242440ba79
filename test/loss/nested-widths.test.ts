// Nested widths of the in-batch family in one pass: what they mean in float64, and the same as one width
// after the other.

import {describe, expect, test} from 'vitest';
import {type InfoNceOptions, infoNce} from '../../dist/loss/infonce.js';
import type {Loss, RowsKnown} from '../../dist/loss/loss.js';
import {type MatryoshkaOptions, matryoshka} from '../../dist/loss/matryoshka.js';
import {expectGradients} from '../support/differences.js';
import {evaluated} from '../support/evaluated-loss.js';
import {matrixOf, normals, randomMatrix} from '../support/matrix.js';
import {type LossCase, plainGradients, plainLoss} from '../support/plain-loss.js';
import {expectClose} from '../support/tolerance.js';

const offsets = (rows: number) =>
	Int32Array.from({length: rows + 1}, (_, n) => n + Math.floor(n / 3));
const numbers = (length: number, of: (n: number) => number) =>
	Float64Array.from({length}, (_, n) => of(n));

/** Pairs with one or two negatives, of which some texts are said to be known or of another set. */
function batchOf(rows: number, width: number): LossCase {
	const random = normals(rows + width);
	const negatives = offsets(rows).at(-1)!;
	const known: RowsKnown = {
		texts: [rows, rows, negatives].map((count, n) => numbers(count, at => 1 + n * 1000 + at)),
		queries: numbers(rows, row => 1 + (row >> 1)),
		documents: [numbers(rows, row => 1 + row), numbers(negatives, at => 1 + ((3 * at) % rows))],
		positives: {
			offsets: Int32Array.from({length: rows + 1}, (_, n) => n),
			documents: numbers(rows, n => 1 + n),
		},
		sets: numbers(rows, row => row % 2),
	};
	return {
		columns: [rows, rows, negatives].map(count => randomMatrix(count, width, random)),
		offsets: [undefined, undefined, offsets(rows)],
		known,
	};
}

const cases: readonly [string, InfoNceOptions, MatryoshkaOptions][] = [
	['cosines', {}, {widths: [48, 32, 16]}],
	['weights, as a mean', {}, {widths: [16, 48], weights: [0.5, 2], reduce: 'mean'}],
	['fewer columns than there are', {}, {widths: [32, 16]}],
	[
		'dot products as they are',
		{similarity: 'dot', temperature: 8},
		{widths: [48, 16], renormalize: false},
	],
	['dot products of unit length', {similarity: 'dot'}, {widths: [48, 16]}],
	['a learned temperature', {learnTemperature: true, labelSmoothing: 0.1}, {widths: [48, 32]}],
	[
		'all directions',
		{directions: ['qd', 'dq', 'qq', 'dd'], partition: 'joint'},
		{widths: [48, 16]},
	],
	['two softmaxes', {directions: ['qd', 'dq']}, {widths: [48, 16]}],
	['scores that are cut', {clamp: [-0.3, 0.2]}, {widths: [48, 16]}],
	['masks', {mask: ['same-query', 'known', 'other-set']}, {widths: [48, 32, 16]}],
];

/** The same without what does several widths at once. */
function alone(loss: Loss): Loss {
	const {parameters = [], needs = {}, options = {}} = loss;
	return Object.assign((...all: Parameters<Loss>) => loss(...all), {parameters, needs, options});
}

describe.each(cases)('%s', (_, options, nesting) => {
	const inner = infoNce({temperature: 0.25, ...options});
	const loss = matryoshka(inner, nesting);

	test('are what they mean, with their gradient', async () => {
		expect(inner.nested).toBeDefined();
		const given = batchOf(5, 48);
		const {value, gradients, reports} = await evaluated(loss, given);
		const plain = plainLoss(loss, given);
		expectClose(
			value,
			round => matrixOf(1, 1, () => plainLoss(loss, given, undefined, round).value),
			{
				scale: 12,
			},
		);
		expectGradients(gradients, plainGradients(loss, given), 4);
		for (const [name, report] of plain.reports) expect(reports[name], name).toBeCloseTo(report, 4);
	});

	test('are the same as one width after the other', async () => {
		const given = batchOf(150, 48);
		const slow = matryoshka(alone(inner), nesting);
		const [fused, looped] = [await evaluated(loss, given), await evaluated(slow, given)];
		expect(fused.value.values[0]).toBeCloseTo(looped.value.values[0]!, 4);
		for (const [n, {values}] of fused.gradients.entries()) {
			const size = Math.hypot(...looped.gradients[n]!.values);
			const apart = Math.hypot(...values.map((x, at) => x - looped.gradients[n]!.values[at]!));
			expect(apart).toBeLessThanOrEqual(1e-5 * size);
		}
	});

	test('have the same bits for any number of threads', async () => {
		const given = batchOf(300, 48);
		expect(await evaluated(loss, given, 3)).toEqual(await evaluated(loss, given, 1));
	});
});

test('a width that is no multiple of 16, or a mask by scores, is done one after the other', async () => {
	const given = batchOf(6, 48);
	for (const [options, widths] of [
		[{}, [48, 20]],
		[{mask: ['margin']}, [48, 16]],
	] as const) {
		const loss = matryoshka(infoNce({temperature: 0.25, ...options}), {widths});
		const {value} = await evaluated(loss, given);
		expect(value.values[0]).toBeCloseTo(plainLoss(loss, given).value, 4);
	}
});
