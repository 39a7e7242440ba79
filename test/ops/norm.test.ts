// Normalisation of rows, with and without a residual, and its gradients.

import {test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {onEveryDevice, sameBitsOnCards} from '../support/cards.js';
import {sameBitsEverywhere} from '../support/kernel-paths.js';
import {blank, grid, largest, type Matrix, normals, randomMatrix} from '../support/matrix.js';
import {
	addColumns,
	type NormKind,
	normBackward,
	normBackwardWeight,
	normForward,
} from '../support/oracle.js';
import {runOp} from '../support/run-op.js';
import {expectClose, expectSameBits, once} from '../support/tolerance.js';

const kinds: readonly NormKind[] = ['layer', 'rms'];

const shapes = [
	...grid({
		kind: kinds,
		offset: [0],
		rows: [0, 1, 5, 13, 97, 130],
		columns: [1, 7, 16, 26, 33, 384],
		hasBias: [true, false],
		hasResidual: [true, false],
	}),
	...grid({
		kind: kinds,
		offset: [1],
		rows: [13],
		columns: [1, 26, 384],
		hasBias: [true],
		hasResidual: [true],
	}),
];

type Shape = (typeof shapes)[number];

function operands({kind, offset, rows, columns, hasBias, hasResidual}: Shape) {
	const random = normals(rows + 1000 * columns);
	const weight = randomMatrix(1, columns, random);
	const bias = randomMatrix(1, columns, random);
	const residual = randomMatrix(rows, columns, random);
	return {
		kind,
		epsilon: 1e-5,
		offset,
		x: randomMatrix(rows, columns, random),
		weight,
		dy: randomMatrix(rows, columns, random),
		dweight: randomMatrix(1, columns, random),
		dbias: randomMatrix(1, columns, random),
		...(hasBias && {bias}),
		...(hasResidual && {residual}),
	};
}

type Operands = ReturnType<typeof operands>;

function forward(device: NativeDevice, {x, residual, ...more}: Operands) {
	const {kind, epsilon, offset, weight, bias} = more;
	const rows = () => blank(x.rows, x.columns);
	const outputs = {y: rows(), mean: blank(x.rows, 1), rstd: blank(x.rows, 1)};
	const sum = residual && {sum: rows()};
	return runOp(
		device,
		'normForward',
		{kind, epsilon, offset, x, residual, weight, bias},
		{
			...outputs,
			...(sum as {sum: Matrix}),
		},
	);
}

function gradientOf(given: Operands) {
	const {sum, mean, rstd} = normForward(given, Math.fround);
	const {kind, offset, weight, dy} = given;
	return {kind, offset, weight, dy, sum, mean, rstd};
}

function backward(device: NativeDevice, given: Operands) {
	const {dweight, dbias} = given;
	const dx = blank(given.x.rows, given.x.columns);
	return runOp(device, 'normBackward', gradientOf(given), {dx, dweight, dbias});
}

const cases = shapes.map(shape => {
	const given = operands(shape);
	const gradient = gradientOf(given);
	const factor = largest(given.weight) + shape.offset;
	return {
		...shape,
		given,
		scale: largest(gradient.sum) * largest(gradient.rstd) * factor,
		slope: largest(gradient.rstd) * largest(given.dy) * factor,
		y: once(round => normForward(given, round).y),
		mean: once(round => normForward(given, round).mean),
		rstd: once(round => normForward(given, round).rstd),
		dx: once(round => normBackward(gradient, round)),
		dweight: once(round => normBackwardWeight(gradient, given.dweight, round)),
		dbias: once(round => addColumns(given.dy, given.dbias, round)),
	};
});

onEveryDevice('norm', device => {
	test.each(cases)(
		'$kind of $rows by $columns, a bias: $hasBias, a residual: $hasResidual, offset $offset',
		async one => {
			const {y, mean, rstd, sum} = await forward(device, one.given);
			expectClose(y, one.y, {scale: one.scale});
			expectClose(mean, one.mean, {scale: largest(one.given.x)});
			expectClose(rstd, one.rstd);
			expectSameBits(sum ?? one.given.x, normForward(one.given, Math.fround).sum);
		},
	);

	test.each(cases.filter(({hasBias, hasResidual}) => hasBias && hasResidual))(
		'sends $rows by $columns back through $kind',
		async one => {
			const {dx, dweight, dbias} = await backward(device, one.given);
			expectClose(dx, one.dx, {scale: one.slope});
			expectClose(dweight, one.dweight, {scale: one.scale});
			expectClose(dbias, one.dbias);
		},
	);
});

const several = async (device: NativeDevice) => {
	const options = {offset: 0, rows: 130, columns: 384, hasBias: true, hasResidual: true};
	const results = kinds
		.map(kind => operands({kind, ...options}))
		.map(async given => [
			...Object.values(await forward(device, given)),
			...Object.values(await backward(device, given)),
		]);
	return (await Promise.all(results)).flat();
};

sameBitsEverywhere('a norm', several);
sameBitsOnCards('a norm', several);
