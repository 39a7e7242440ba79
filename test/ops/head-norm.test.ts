// Norms of the heads of a row, each by itself, among columns that stay as they are.

import {expect, test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {onEveryDevice, sameBitsOnCards} from '../support/cards.js';
import {centralGradients, expectGradients} from '../support/differences.js';
import {sameBitsEverywhere} from '../support/kernel-paths.js';
import {
	blank,
	grid,
	largest,
	type Matrix,
	matrixOf,
	normals,
	randomMatrix,
	sum,
} from '../support/matrix.js';
import type {NormKind} from '../support/oracle.js';
import {headNormBackward, headNormForward, splitHeads} from '../support/oracle-heads.js';
import {runOp, tensorOf} from '../support/run-op.js';
import {expectClose, expectSameBits} from '../support/tolerance.js';

const kinds: readonly NormKind[] = ['layer', 'rms'];

type Shape = {
	kind: NormKind;
	offset: number;
	rows: number;
	heads: number;
	width: number;
	first: number;
};

const shapes: Shape[] = grid({
	kind: kinds,
	offset: [0, 1],
	rows: [0, 1, 13, 130],
	head: [
		{heads: 1, width: 1, first: 0},
		{heads: 3, width: 7, first: 5},
		{heads: 2, width: 64, first: 128},
		{heads: 5, width: 24, first: 0},
	],
}).map(({head, ...one}) => ({...one, ...head}));

function operands({kind, offset, rows, heads, width, first}: Shape) {
	const random = normals(1000 * rows + heads * width);
	const columns = first + heads * width + 3;
	const fill = () => randomMatrix(rows, columns, random);
	const parameter = () => randomMatrix(1, width, random);
	return {
		norm: {kind, epsilon: 1e-5, offset, heads, first, weight: parameter(), bias: parameter()},
		x: fill(),
		dy: fill(),
		before: {dx: fill(), dweight: parameter(), dbias: parameter()},
	};
}

type Operands = ReturnType<typeof operands>;

const untouched = (x: Matrix) => mappedTo(x, -7);
const mappedTo = (x: Matrix, value: number) => matrixOf(x.rows, x.columns, () => value);

function forward(device: NativeDevice, {norm, x}: Operands) {
	const perHead = () => blank(x.rows, norm.heads);
	const outputs = {y: untouched(x), mean: perHead(), rstd: perHead()};
	return runOp(device, 'headNormForward', {...norm, x}, outputs);
}

function gradientOf({norm, x, dy}: Operands) {
	const {mean, rstd} = headNormForward(norm, {x, before: x}, Math.fround);
	const {kind, offset, heads, first, weight} = norm;
	return {kind, offset, heads, first, weight, x, dy, mean, rstd};
}

function backward(device: NativeDevice, given: Operands) {
	return runOp(device, 'headNormBackward', gradientOf(given), given.before);
}

onEveryDevice('a norm of heads', device => {
	test.each(shapes)(
		'$kind of $heads heads of $width from column $first, $rows rows, offset $offset',
		async shape => {
			const given = operands(shape);
			const {norm, x} = given;
			const {y, mean, rstd} = await forward(device, given);
			const oracle = (round: typeof Math.fround) =>
				headNormForward(norm, {x, before: untouched(x)}, round);
			const factor = largest(norm.weight) + norm.offset;
			const scale = largest(x) * largest(oracle(Math.fround).rstd) * factor;
			expectClose(y, round => oracle(round).y, {scale});
			expectClose(mean, round => oracle(round).mean, {scale: largest(x)});
			expectClose(rstd, round => oracle(round).rstd);
		},
	);

	test.each(shapes)(
		'back through $kind of $heads heads of $width from column $first, $rows rows',
		async shape => {
			const given = operands(shape);
			const gradient = gradientOf(given);
			const {dx, dweight, dbias} = await backward(device, given);
			const oracle = (round: typeof Math.fround) => headNormBackward(gradient, given.before, round);
			const stretch = largest(gradient.rstd) * largest(given.dy);
			const factor = largest(gradient.weight) + gradient.offset;
			expectClose(dx, round => oracle(round).dx, {scale: stretch * factor});
			expectClose(dweight, round => oracle(round).dweight, {scale: stretch * largest(given.x)});
			expectClose(dbias, round => oracle(round).dbias);
		},
	);

	test.each(kinds.map(kind => ({kind})))('follows the differences of $kind', async ({kind}) => {
		const given = operands({kind, offset: 1, rows: 3, heads: 2, width: 5, first: 2});
		const {norm, dy, x} = given;
		const [none, nothing] = [mappedTo(x, 0), mappedTo(norm.weight, 0)];
		const weighted = ([rows, weight, bias]: readonly Matrix[]) => {
			const changed = {...norm, weight: weight!, bias: bias!};
			const {y} = headNormForward(changed, {x: rows!, before: none});
			return sum([...y.values].map((value, at) => value * dy.values[at]!));
		};
		const before = {dx: none, dweight: nothing, dbias: nothing};
		const {dx, dweight, dbias} = await backward(device, {...given, before});
		const expected = centralGradients(weighted, [x, norm.weight, norm.bias]);
		const {rstd} = headNormForward(norm, {x, before: x});
		expectGradients([dx, dweight, dbias], expected, largest(rstd) * largest(dy));
	});

	test('writes over what it reads, forward and backward', async () => {
		const given = operands({kind: 'layer', offset: 0, rows: 5, heads: 3, width: 20, first: 4});
		const {norm, x, dy, before} = given;
		const apart = await forward(device, given);
		const [inPlace, mean, rstd] = [x, apart.mean, apart.rstd].map(each => tensorOf(device, each));
		const fields = {...norm, weight: tensorOf(device, norm.weight), bias: undefined};
		const unbiased = {...given, norm: {...norm, bias: matrixOf(1, 20, () => 0)}};
		device.run('headNormForward', {...fields, x: inPlace, y: inPlace, mean, rstd});
		const {y} = await forward(device, unbiased);
		expectSameBits(splitHeads(await read(device, inPlace!, x), norm, 20), splitHeads(y, norm, 20));

		const gradient = gradientOf(given);
		const over = tensorOf(device, dy);
		device.run('headNormBackward', {
			...fields,
			x: tensorOf(device, x),
			mean: tensorOf(device, gradient.mean),
			rstd: tensorOf(device, gradient.rstd),
			dy: over,
			dx: over,
		});
		const {dx} = await backward(device, {...given, before});
		expectSameBits(splitHeads(await read(device, over, dy), norm, 20), splitHeads(dx, norm, 20));
	});

	test('refuses heads that a row does not hold', () => {
		const {norm} = operands({kind: 'rms', offset: 0, rows: 2, heads: 3, width: 4, first: 0});
		const [weight, x] = [norm.weight, blank(2, 13)].map(each => tensorOf(device, each));
		const run = () => device.run('headNormForward', {heads: 3, first: 2, weight, x, y: x});
		expect(run).toThrow(
			'headNormForward: expected x to hold 3 heads of 4 columns from column 2 on, got 13 columns',
		);
	});
});

async function read(
	device: NativeDevice,
	tensor: Parameters<NativeDevice['read']>[0],
	{rows, columns}: Matrix,
): Promise<Matrix> {
	const values = new Float32Array(rows * columns);
	await device.read(tensor, values);
	return {rows, columns, values: Float64Array.from(values)};
}

const several = async (device: NativeDevice) => {
	const results = kinds
		.map(kind => operands({kind, offset: 1, rows: 300, heads: 6, width: 72, first: 9}))
		.map(async given => [
			...Object.values(await forward(device, given)),
			...Object.values(await backward(device, given)),
		]);
	return (await Promise.all(results)).flat();
};

sameBitsEverywhere('a norm of heads', several);
sameBitsOnCards('a norm of heads', several);
