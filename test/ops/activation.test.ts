// Elementwise functions: activations, their slopes, sums.

import {expect, test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {type Activation, activate, activations, slope} from '../support/activations.js';
import {onEveryDevice, sameBitsOnCards} from '../support/cards.js';
import {sameBitsEverywhere} from '../support/kernel-paths.js';
import {
	blank,
	grid,
	type Matrix,
	matrixOf,
	normals,
	randomMatrix,
	zeros,
} from '../support/matrix.js';
import {mapped} from '../support/oracle.js';
import {runOp} from '../support/run-op.js';
import {expectClose, expectSameBits, once} from '../support/tolerance.js';

const shapes = grid({rows: [0, 1, 5, 13, 97, 130], columns: [1, 7, 16, 26, 33, 384]});

async function forward(device: NativeDevice, activation: Activation, x: Matrix) {
	const y = blank(x.rows, x.columns);
	return (await runOp(device, 'activationForward', {activation, x}, {y})).y;
}

async function backward(device: NativeDevice, activation: Activation, x: Matrix, dy: Matrix) {
	const dx = blank(x.rows, x.columns);
	return (await runOp(device, 'activationBackward', {activation, x, dy}, {dx})).dx;
}

const cases = grid({activation: activations, shape: shapes}).map(({activation, shape}) => {
	const random = normals(shape.rows * 1000 + shape.columns);
	const x = randomMatrix(shape.rows, shape.columns, random, 3);
	const dy = randomMatrix(shape.rows, shape.columns, random);
	return {
		...shape,
		activation,
		x,
		dy,
		y: once(round => mapped(x, value => activate(activation, value, round))),
		dx: once(round =>
			mapped(dy, (value, at) => round(value * slope(activation, x.values[at]!, round))),
		),
	};
});

onEveryDevice('activation', device => {
	test.each(cases)('applies $activation to $rows by $columns', async one => {
		expectClose(await forward(device, one.activation, one.x), one.y);
	});

	test.each(cases)('sends $rows by $columns back through $activation', async one => {
		expectClose(await backward(device, one.activation, one.x, one.dy), one.dx);
	});

	test.each(activations.map(activation => ({activation})))(
		'follows $activation from -30 to 30 and far beyond',
		async ({activation}) => {
			const steps = matrixOf(1, 6001, index => Math.fround((index - 3000) / 100));
			const far = matrixOf(1, 6, index => [-1e30, -1e4, -100, 100, 1e4, 1e30][index]!);
			for (const x of [steps, mapped(far, Math.fround)]) {
				const dy = mapped(x, () => 1);
				expectClose(await forward(device, activation, x), round =>
					mapped(x, value => activate(activation, value, round)),
				);
				expectClose(
					await backward(device, activation, x, dy),
					round => mapped(x, value => slope(activation, value, round)),
					{scale: 1},
				);
			}
		},
	);

	// Errors in units of the values themselves, not of the largest.
	test.each([{activation: 'tanh'}, {activation: 'silu'}, {activation: 'sigmoid'}] as const)(
		'keeps the digits of $activation from -80 to 80 and near zero',
		async ({activation}) => {
			const x = matrixOf(1, 3200, index => {
				const near = 2 ** (index / 80 - 20) * (index % 2 ? 1 : -1);
				return Math.fround(index < 1600 ? near : (index - 2400) / 10 + 0.01);
			});
			const y = await forward(device, activation, x);
			const share = (value: number, at: number) => value / activate(activation, x.values[at]!);
			expectClose(mapped(y, share), round =>
				mapped(x, (value, at) => share(activate(activation, value, round), at)),
			);
		},
	);

	test.each(activations.map(activation => ({activation})))(
		'lets a value that is no number through $activation',
		async ({activation}) => {
			const y = await forward(
				device,
				activation,
				matrixOf(1, 20, () => Number.NaN),
			);
			expect(y.values.every(Number.isNaN)).toBe(true);
		},
	);

	test.each(shapes)('adds $rows by $columns', async ({rows, columns}) => {
		const random = normals(rows + columns);
		const [a, b] = [randomMatrix(rows, columns, random), randomMatrix(rows, columns, random)];
		const {y} = await runOp(device, 'add', {a, b}, {y: blank(rows, columns)});
		expectSameBits(
			y,
			mapped(a, (value, at) => Math.fround(value + b.values[at]!)),
		);
	});
});

const several = async (device: NativeDevice) => {
	const random = normals(1);
	const x = randomMatrix(97, 384, random, 3);
	const dy = randomMatrix(97, 384, random);
	const results = [(await runOp(device, 'add', {a: x, b: dy}, {y: zeros(97, 384)})).y];
	for (const activation of activations) {
		results.push(await forward(device, activation, x), await backward(device, activation, x, dy));
	}
	return results;
};

sameBitsEverywhere('an activation', several);
sameBitsOnCards('an activation', several);
