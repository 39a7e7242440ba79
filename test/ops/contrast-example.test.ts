// The losses of a small example that is known by hand, through the contrastive softmax.

import {describe, expect, test} from 'vitest';
import {everyone, forward} from '../support/contrast-cases.js';
import {type Matrix, matrixOf} from '../support/matrix.js';
import type {ContrastCase, Switches} from '../support/oracle-contrast.js';
import {newDevice} from '../support/run-op.js';

/** The example of two queries, their positives and a hard negative each, with losses known in advance. */
describe('the losses of a known example', () => {
	const queries = matrixOf(2, 4, at => [1, 2, 0, 1, 0, 1, 2, -1][at]!);
	const positives = [1, 1, 0, 1, 0, 1, 1, 0];
	const negatives = [1, -1, 1, 0, 1, 1, 1, 1];
	const documents = matrixOf(4, 4, at => [...positives, ...negatives][at]!);
	const pairs = matrixOf(2, 4, at => positives[at]!);
	const cosines = [0.942809041582, 0.866025403784].map(cosine => cosine / 0.1);
	const known = (rows: Matrix, columns: Matrix, switches: Partial<Switches>): ContrastCase => ({
		rows,
		columns,
		cosine: {rows: true, columns: true},
		temperature: Math.fround(0.1),
		owner: Int32Array.from([0, 1, 0, 1].slice(0, columns.rows)),
		positives: 2,
		switches: {...everyone, ...switches},
	});
	const device = newDevice();

	async function loss(given: ContrastCase, smoothing = 0): Promise<number> {
		const {lse, mean} = await forward(device, given);
		const each = cosines.map((score, row) => {
			const target = (1 - smoothing) * score + smoothing * mean.values[row]!;
			return lse.values[row]! - target;
		});
		return (each[0]! + each[1]!) / 2;
	}

	const ownOnly = {others: false, otherHard: false};
	const losses: [string, ContrastCase, number, number][] = [
		['pairs', known(queries, pairs, {}), 0.012858, 0],
		['all columns', known(queries, documents, {}), 0.140601, 0],
		['all columns, smoothed', known(queries, documents, {}), 0.367126, 0.05],
		['its own columns', known(queries, documents, ownOnly), 0.005116, 0],
		[
			'all but hard negatives of others',
			known(queries, documents, {otherHard: false}),
			0.017974,
			0,
		],
		['all but positives of others', known(queries, documents, {others: false}), 0.130531, 0],
	];
	test.each(losses)('over %s', async (_, given, expected, smoothing) => {
		expect(await loss(given, smoothing)).toBeCloseTo(expected, 5);
	});

	test('over both directions', async () => {
		const there = await loss(known(queries, pairs, {}));
		const back = await loss(known(pairs, queries, {}));
		expect((there + back) / 2).toBeCloseTo(0.020014, 5);
	});
});
