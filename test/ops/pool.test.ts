// Pooling of texts to rows, and rows of unit length.

import {expect, test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {onEveryPath, sameBitsEverywhere} from '../support/kernel-paths.js';
import {
	blank,
	grid,
	type Matrix,
	normals,
	offsetsOf,
	randomMatrix,
	sum,
	zeros,
} from '../support/matrix.js';
import {normalizeBackward, normalizeForward, type Pooling} from '../support/oracle.js';
import {poolBackward, poolForward} from '../support/oracle-texts.js';
import {runOp} from '../support/run-op.js';
import {expectClose, expectSameBits} from '../support/tolerance.js';

const kinds: readonly Pooling[] = ['cls', 'mean', 'last'];
const widths = [1, 7, 16, 26, 33, 384];

const texts = grid({
	kind: kinds,
	lengths: [[1], [3, 0, 5], [129, 64, 1], [600], [0, 0]],
	columns: widths,
});

async function pool(device: NativeDevice, kind: Pooling, x: Matrix, offsets: Int32Array) {
	const y = blank(offsets.length - 1, x.columns);
	return (await runOp(device, 'poolForward', {kind, x, offsets}, {y})).y;
}

async function unpool(device: NativeDevice, kind: Pooling, dy: Matrix, offsets: Int32Array) {
	const dx = blank(offsets.at(-1)!, dy.columns);
	return (await runOp(device, 'poolBackward', {kind, dy, offsets}, {dx})).dx;
}

function normalize(device: NativeDevice, x: Matrix) {
	const outputs = {y: blank(x.rows, x.columns), norm: blank(x.rows, 1)};
	return runOp(device, 'normalizeForward', {x}, outputs);
}

async function normalizeBack(device: NativeDevice, y: Matrix, norm: Matrix, dy: Matrix) {
	const dx = blank(y.rows, y.columns);
	return (await runOp(device, 'normalizeBackward', {y, norm, dy}, {dx})).dx;
}

onEveryPath('pool', device => {
	test.each(texts)('$kind over texts of $lengths, $columns wide', async one => {
		const x = randomMatrix(sum(one.lengths), one.columns, normals(one.columns));
		const offsets = offsetsOf(one.lengths);
		const y = await pool(device, one.kind, x, offsets);
		expectClose(y, round => poolForward(one.kind, x, offsets, round));
	});

	test.each(texts)('back through $kind to texts of $lengths, $columns wide', async one => {
		const dy = randomMatrix(one.lengths.length, one.columns, normals(one.columns));
		const offsets = offsetsOf(one.lengths);
		const dx = await unpool(device, one.kind, dy, offsets);
		expectClose(dx, round => poolBackward(one.kind, dy, offsets, round));
	});

	const rows = grid({rows: [0, 1, 5, 13, 97, 130], columns: widths});

	test.each(rows)('brings $rows by $columns to unit length', async ({rows, columns}) => {
		const x = randomMatrix(rows, columns, normals(rows + columns));
		const {y, norm} = await normalize(device, x);
		expectClose(y, round => normalizeForward(x, round).y);
		expectClose(norm, round => normalizeForward(x, round).norm);
	});

	test.each(rows)('sends $rows by $columns back from unit length', async ({rows, columns}) => {
		const random = normals(rows + columns);
		const {y, norm} = normalizeForward(randomMatrix(rows, columns, random), Math.fround);
		const dy = randomMatrix(rows, columns, random);
		const dx = await normalizeBack(device, y, norm, dy);
		const scale = Math.max(...dy.values.map(Math.abs), 0) / Math.min(...norm.values, 1);
		expectClose(dx, round => normalizeBackward({y, norm, dy}, round), {scale});
	});

	test('leaves a row of zeros as it is', async () => {
		const {y, norm} = await normalize(device, zeros(2, 33));
		expectSameBits(y, zeros(2, 33));
		expect([...norm.values]).toEqual([Math.fround(1e-12), Math.fround(1e-12)]);
	});
});

sameBitsEverywhere('pooling', async device => {
	const lengths = [129, 64, 1, 0];
	const random = normals(1);
	const [x, dy] = [randomMatrix(sum(lengths), 384, random), randomMatrix(4, 384, random)];
	const results: Matrix[] = [];
	for (const kind of kinds) {
		results.push(await pool(device, kind, x, offsetsOf(lengths)));
		results.push(await unpool(device, kind, dy, offsetsOf(lengths)));
	}
	const {y, norm} = await normalize(device, x);
	return [...results, y, norm, await normalizeBack(device, y, norm, x)];
});
