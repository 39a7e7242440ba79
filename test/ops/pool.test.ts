// Pooling of texts to rows, and rows of unit length.

import {readFileSync} from 'node:fs';
import {expect, test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {onEveryDevice, sameBitsOnCards} from '../support/cards.js';
import {centralGradients, expectGradients} from '../support/differences.js';
import {sameBitsEverywhere} from '../support/kernel-paths.js';
import {
	blank,
	grid,
	type Matrix,
	matrixOf,
	normals,
	offsetsOf,
	randomMatrix,
	sum,
	zeros,
} from '../support/matrix.js';
import {normalizeBackward, normalizeForward} from '../support/oracle.js';
import {
	type Pooled,
	type Pooling,
	poolArgmax,
	poolBackward,
	poolForward,
} from '../support/oracle-texts.js';
import {integers, readMatrix, runOp, tensorOf} from '../support/run-op.js';
import {exact, expectClose, expectSameBits} from '../support/tolerance.js';

const kinds: readonly Pooling[] = ['cls', 'max', 'mean', 'mean_sqrt_len', 'weightedmean', 'last'];
const widths = [1, 7, 16, 26, 33, 384];

const texts = grid({
	kind: kinds,
	lengths: [[1], [3, 0, 5], [129, 64, 1], [600], [0, 0]],
	columns: widths,
	skipped: [0, 2],
}).map(({lengths, skipped, ...one}) => ({
	...one,
	lengths,
	skipped,
	offsets: offsetsOf(lengths),
	// The last text keeps all its rows.
	skip: Int32Array.from(lengths, (_, text) => (text + 1 < lengths.length ? skipped : 0)),
}));

type Known = {
	lengths: number[];
	columns: number;
	x: number[];
	dy: number[];
	cases: {kind: Pooling; skip: number; y: number[]; dx: number[]}[];
};

const known = JSON.parse(
	readFileSync(new URL('../fixtures/pooling/expected.json', import.meta.url), 'utf8'),
) as Known;

/** y, and for the kind max the rows that hold the largest elements. */
async function pool(device: NativeDevice, {kind, offsets, skip}: Pooled, x: Matrix) {
	const argmax = argmaxOf(device, {kind, columns: x.columns, texts: offsets.length - 1});
	const y = blank(offsets.length - 1, x.columns);
	const outputs = await runOp(device, 'poolForward', {kind, x, offsets, skip, argmax}, {y});
	const rows = new Int32Array(kind === 'max' ? y.values.length : 0);
	await Promise.all([argmax].flatMap(tensor => (tensor ? device.read(tensor, rows) : [])));
	return {y: outputs.y, argmax: rows};
}

type Extent = {kind: Pooling; columns: number; texts: number};

function argmaxOf(device: NativeDevice, {kind, columns, texts: rows}: Extent) {
	return kind === 'max' ? device.tensor(rows, columns, 'i32') : undefined;
}

type Back = Pooled & {argmax?: Int32Array | undefined; add?: boolean; before?: Matrix};

async function unpool(device: NativeDevice, pooled: Back, dy: Matrix) {
	const {kind, offsets, skip, argmax, add = false} = pooled;
	const rows = argmaxOf(device, {kind, columns: dy.columns, texts: dy.rows});
	for (const tensor of rows ? [rows] : []) device.write(tensor, argmax!);
	const dx = pooled.before ?? blank(offsets.at(-1)!, dy.columns);
	const fields = {kind, add, dy, offsets, skip, argmax: rows};
	return (await runOp(device, 'poolBackward', fields, {dx})).dx;
}

function normalize(device: NativeDevice, x: Matrix) {
	const outputs = {y: blank(x.rows, x.columns), norm: blank(x.rows, 1)};
	return runOp(device, 'normalizeForward', {x}, outputs);
}

async function normalizeBack(device: NativeDevice, y: Matrix, norm: Matrix, dy: Matrix) {
	const dx = blank(y.rows, y.columns);
	return (await runOp(device, 'normalizeBackward', {y, norm, dy}, {dx})).dx;
}

onEveryDevice('pool', device => {
	test.each(texts)(
		'$kind over texts of $lengths but $skipped rows, $columns wide',
		async ({columns, lengths, ...pooled}) => {
			const x = randomMatrix(sum(lengths), columns, normals(columns));
			const {y, argmax} = await pool(device, pooled, x);
			expectClose(y, round => poolForward(pooled, x, round));
			expect(argmax).toEqual(poolArgmax(pooled, x).slice(0, argmax.length));
		},
	);

	test.each(texts)(
		'back through $kind to texts of $lengths but $skipped rows, $columns wide',
		async ({columns, lengths, kind, offsets, skip}) => {
			const random = normals(columns);
			const before = randomMatrix(sum(lengths), columns, random);
			const rows = {argmax: poolArgmax({kind, offsets, skip}, before)};
			const pooled = {kind, offsets, skip, ...(kind === 'max' && rows)};
			const dy = randomMatrix(lengths.length, columns, random);
			const dx = await unpool(device, pooled, dy);
			expectClose(dx, round => poolBackward(pooled, dy, round));
			const added = await unpool(device, {...pooled, add: true, before}, dy);
			expectSameBits(
				added,
				matrixOf(dx.rows, columns, at => Math.fround(before.values[at]! + dx.values[at]!)),
			);
		},
	);

	test.each(kinds.map(kind => ({kind})))('follows the differences of $kind', async ({kind}) => {
		const [offsets, skip] = [offsetsOf([4, 0, 3]), Int32Array.of(1, 0, 0)];
		const [x, dy] = [randomMatrix(7, 3, normals(4)), randomMatrix(3, 3, normals(5))];
		const weighted = ([rows]: readonly Matrix[]) =>
			sum([...poolForward({kind, offsets, skip}, rows!).values].map((y, at) => y * dy.values[at]!));
		const {argmax} = await pool(device, {kind, offsets, skip}, x);
		const dx = await unpool(device, {kind, offsets, skip, argmax}, dy);
		expectGradients([dx], centralGradients(weighted, [x]));
	});

	test.each(known.cases)(
		'agrees with sentence-transformers about $kind without the first $skip rows',
		async ({kind, skip: skipped, y, dx}) => {
			const skip = Int32Array.from(known.lengths, () => skipped);
			const pooled = {kind, offsets: offsetsOf(known.lengths), skip};
			const of = (values: readonly number[]) =>
				matrixOf(values.length / known.columns, known.columns, at => values[at]!);
			const [x, dy] = [known.x, known.dy].map(values => of(values.map(Math.fround)));
			const result = await pool(device, pooled, x!);
			expectClose(result.y, round => (round === exact ? of(y) : poolForward(pooled, x!, round)));
			const back = {...pooled, ...(kind === 'max' && {argmax: result.argmax})};
			expectClose(await unpool(device, back, dy!), round =>
				round === exact ? of(dx) : poolBackward(back, dy!, round),
			);
		},
	);

	test('lays poolings side by side and leaves other columns alone', async () => {
		const [x, offsets] = [randomMatrix(8, 7, normals(1)), offsetsOf([3, 5])];
		const whole = tensorOf(
			device,
			matrixOf(2, 23, () => -7),
		);
		const pair = ['mean', 'last'] as const;
		for (const [index, kind] of pair.entries()) {
			const fields = {x: tensorOf(device, x), offsets: integers(device, offsets), y: whole};
			device.run('poolForward', {kind, at: 1 + 7 * index, ...fields});
		}
		const y = await readMatrix(device, whole);
		const parts = await Promise.all(pair.map(kind => pool(device, {kind, offsets}, x)));
		const expected = matrixOf(2, 23, () => -7);
		for (const [index, part] of parts.entries()) {
			for (const [at, value] of part.y.values.entries()) {
				expected.values[Math.floor(at / 7) * 23 + 1 + 7 * index + (at % 7)] = value;
			}
		}
		expectSameBits(y, expected);

		const dx = tensorOf(device, blank(8, 7));
		for (const [index, kind] of pair.entries()) {
			const fields = {dy: whole, offsets: integers(device, offsets), dx};
			device.run('poolBackward', {kind, at: 1 + 7 * index, add: index > 0, ...fields});
		}
		const [first, second] = await Promise.all(
			parts.map(({y: dy}, index) => unpool(device, {kind: pair[index]!, offsets}, dy)),
		);
		expectSameBits(
			await readMatrix(device, dx),
			matrixOf(8, 7, at => Math.fround(first!.values[at]! + second!.values[at]!)),
		);
	});

	test('takes the first of equal elements, and what is no number before all others', async () => {
		const {NaN: none} = Number;
		const x = {
			rows: 4,
			columns: 3,
			values: Float64Array.of(1, 5, 2, 3, 5, none, 3, 1, 7, 0, 0, none),
		};
		const {y, argmax} = await pool(device, {kind: 'max', offsets: offsetsOf([4])}, x);
		expect([...y.values]).toEqual([3, 5, none]);
		expect([...argmax]).toEqual([1, 0, 1]);
	});

	test('refuses rows that do not hold the columns, and largest elements of unknown rows', () => {
		const [x, y] = [tensorOf(device, blank(3, 7)), tensorOf(device, blank(1, 9))];
		const offsets = integers(device, offsetsOf([3]));
		const forward = () => device.run('poolForward', {kind: 'mean', at: 3, x, offsets, y});
		expect(forward).toThrow('poolForward: expected y of at least 10 columns, got 9');
		const back = () => device.run('poolBackward', {kind: 'max', dy: y, offsets, dx: x});
		expect(back).toThrow('poolBackward: expected argmax of 1 rows, got 0');
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

const several = async (device: NativeDevice) => {
	const lengths = [129, 64, 1, 0];
	const random = normals(1);
	const [x, dy] = [randomMatrix(sum(lengths), 384, random), randomMatrix(4, 384, random)];
	const results: Matrix[] = [];
	for (const kind of kinds) {
		const pooled = {kind, offsets: offsetsOf(lengths)};
		const {y, argmax} = await pool(device, pooled, x);
		results.push(y, await unpool(device, {...pooled, argmax}, dy));
	}
	const {y, norm} = await normalize(device, x);
	return [...results, y, norm, await normalizeBack(device, y, norm, x)];
};

sameBitsEverywhere('pooling', several);
sameBitsOnCards('pooling', several);
