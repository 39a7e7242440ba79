// Texts that hold the token of padding, against transformers: positions do not count it.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {offsetsOf} from '../support/matrix.js';
import {encode, gradients} from '../support/tiny-model.js';
import {worstError} from '../support/tolerance.js';
import {fixtures, loadFamily} from './families.js';

type Expected = {ids: number[][]; mean: number[][]; gradients: Record<string, number[][]>};

const families: Record<string, Expected> = JSON.parse(
	readFileSync(join(fixtures, 'padding.json'), 'utf8'),
);

function matrixOf(rows: number[][]) {
	return {rows: rows.length, columns: rows[0]!.length, values: Float64Array.from(rows.flat())};
}

function batchOf(ids: number[][]) {
	const offsets = offsetsOf(ids.map(({length}) => length));
	return {ids: Int32Array.from(ids.flat()), offsets, texts: Int32Array.from(ids.keys())};
}

test.each(Object.entries(families))(
	'%s gives padding within a text the place that transformers gives it',
	async (name, {ids, mean}) => {
		const {model} = await loadFamily(join(fixtures, name), {pooling: 'mean'});
		expect(worstError(await encode(model, batchOf(ids)), matrixOf(mean)).error).toBeLessThan(2e-5);
	},
);

test.each(Object.entries(families))(
	'%s teaches neither the token of padding nor its place',
	async (name, {ids, gradients: expected}) => {
		const {model} = await loadFamily(join(fixtures, name));
		const batch = batchOf(ids);
		const gradient = {
			rows: batch.ids.length,
			columns: model.spec.width,
			values: new Float64Array(batch.ids.length * model.spec.width).fill(1),
		};
		const found = await gradients(model, [{batch, gradient}]);
		for (const [parameter, rows] of Object.entries(expected)) {
			const wanted = matrixOf(rows);
			const values = found.get(parameter)!.values.slice(0, wanted.values.length);
			expect(worstError({...wanted, values}, wanted).error, parameter).toBeLessThan(1e-4);
		}
	},
);
