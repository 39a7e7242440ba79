// AdamW, Adam, Lion and Adafactor against the oracle, AdamW against torch too, sums of squares.

import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {expect, test} from 'vitest';
import {readNpy} from '../../dist/files/npy.js';
import type {NativeDevice} from '../../dist/native.js';
import {onEveryDevice, sameBitsOnCards} from '../support/cards.js';
import {sameBitsEverywhere} from '../support/kernel-paths.js';
import {type Matrix, matrixOf, normals, randomMatrix, zeros} from '../support/matrix.js';
import {type AdamW, adamW, lion, type Moments, mapped} from '../support/oracle.js';
import {adafactor, type Factored} from '../support/oracle-optimizers.js';
import {runOp, tensorOf} from '../support/run-op.js';
import {expectClose, type Round, worstError} from '../support/tolerance.js';

const fixture = fileURLToPath(new URL('../fixtures/optimizer/', import.meta.url));
const settings = {rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.1};
const sizes = [1, 7, 16, 33, 4096];
const beyondOneItem = 70_001;
const steps = [1, 2, 3];

function update(device: NativeDevice, moments: Moments, gradient: Matrix, options: AdamW) {
	return runOp(device, 'adamW', {...options, gradient}, moments);
}

function operands(size: number) {
	const random = normals(size);
	const weight = randomMatrix(1, size, random);
	const start = {weight, first: zeros(1, size), second: zeros(1, size)};
	return {start, gradients: steps.map(() => randomMatrix(1, size, random))};
}

type Operands = ReturnType<typeof operands>;

const optionsOf = (step: number): AdamW => ({...settings, gradientScale: 1 / step, step});

async function train(
	device: NativeDevice,
	{start, gradients}: Operands,
	coupled = false,
): Promise<Moments> {
	let moments: Moments = start;
	for (const [index, gradient] of gradients.entries()) {
		moments = await update(device, moments, gradient, {...optionsOf(index + 1), coupled});
	}
	return moments;
}

function trainPlainly({start, gradients}: Operands, coupled: boolean, round: Round): Moments {
	const one = (moments: Moments, gradient: Matrix, index: number) =>
		adamW(moments, gradient, {...optionsOf(index + 1), coupled}, round);
	return gradients.reduce(one, start as Moments);
}

type Lions = Omit<Moments, 'second'>;

const lionOptions = (step: number) => {
	const {rate, beta1, decay} = settings;
	return {rate, beta1, beta2: 0.99, decay, gradientScale: 1 / step};
};

async function trainLion(device: NativeDevice, {start, gradients}: Operands): Promise<Lions> {
	let moments: Lions = {weight: start.weight, first: start.first};
	for (const [index, gradient] of gradients.entries()) {
		const options = lionOptions(index + 1);
		moments = await runOp(device, 'lion', {...options, gradient}, moments);
	}
	return moments;
}

const factoredOptions = (n: number) => {
	const {rate, decay} = settings;
	return {rate, decay, gradientScale: 1 / (n + 1), step: n + 1};
};

async function trainFactored(device: NativeDevice, start: Factored, gradients: Matrix[]) {
	let {weight, rows: rowSquares, columns: columnSquares} = start;
	for (const [n, gradient] of gradients.entries()) {
		const outputs = {weight, columnSquares, rowSquares};
		const given = {...factoredOptions(n), gradient};
		({weight, rowSquares, columnSquares} = await runOp(device, 'adafactor', given, outputs));
	}
	return {weight, rows: rowSquares, columns: columnSquares};
}

const matrices = [
	[2, 1],
	[37, 5],
	[300, 33],
	[3, 1100],
].map(([rows, columns]) => ({rows: rows!, columns: columns!}));

function factoredOperands({rows, columns}: {rows: number; columns: number}) {
	const random = normals(rows + columns);
	const weight = randomMatrix(rows, columns, random);
	const start: Factored = {weight, rows: zeros(1, rows), columns: zeros(1, columns)};
	return {start, gradients: steps.map(() => randomMatrix(rows, columns, random))};
}

async function sumSquares(device: NativeDevice, x: Matrix, before: number): Promise<number> {
	const result = device.tensor(1, 1, 'f64');
	device.write(result, Float64Array.of(before));
	device.run('sumSquares', {x: tensorOf(device, x), result});
	const total = new Float64Array(1);
	await device.read(result, total);
	return total[0]!;
}

async function readMatrix(name: string): Promise<Matrix> {
	const {data, shape} = await readNpy(`${fixture}${name}.npy`);
	const [columns = 1, rows = 1] = shape.toReversed();
	return {rows, columns, values: Float64Array.from(data as Float64Array)};
}

onEveryDevice('optimize', device => {
	test.each(sizes.flatMap(size => [false, true].map(coupled => [size, coupled] as const)))(
		'takes three steps over %d weights, the decay coupled: %s',
		async (size, coupled) => {
			const given = operands(size);
			const moments = await train(device, given, coupled);
			for (const part of ['weight', 'first', 'second'] as const) {
				expectClose(moments[part], round => trainPlainly(given, coupled, round)[part]);
			}
		},
	);

	test.each(sizes)('takes three steps of Lion over %d weights', async size => {
		const given = operands(size);
		const moments = await trainLion(device, given);
		for (const part of ['weight', 'first'] as const) {
			expectClose(
				moments[part],
				round =>
					given.gradients.reduce<Lions>(
						(before, gradient, n) => lion(before, gradient, lionOptions(n + 1), round),
						given.start,
					)[part],
			);
		}
	});

	test.each(matrices)('takes three steps of Adafactor over $rows by $columns', async shape => {
		const {start, gradients} = factoredOperands(shape);
		const after = await trainFactored(device, start, gradients);
		for (const part of ['weight', 'rows', 'columns'] as const) {
			expectClose(after[part], round => {
				const one = (state: Factored, gradient: Matrix, n: number) =>
					adafactor(state, gradient, factoredOptions(n), round);
				return gradients.reduce(one, start)[part];
			});
		}
	});

	test('of a vector Adafactor factors nothing', async () => {
		const {start, gradients} = factoredOperands({rows: 1, columns: 40});
		const [gradient] = gradients;
		const outputs = {weight: start.weight, columnSquares: start.columns};
		const given = {...factoredOptions(0), gradient: gradient!};
		const after = await runOp(device, 'adafactor', given, outputs);
		const oracle = (round: Round) => adafactor(start, gradient!, factoredOptions(0), round);
		expectClose(after.weight, round => oracle(round).weight);
		expectClose(after.columnSquares, round => oracle(round).columns);
	});

	test('clips to a bound on both sides, but for what is no number', async () => {
		const x = matrixOf(1, 5, at => [-3, -0.5, 0.25, 7, Number.NaN][at]!);
		const after = await runOp(device, 'clip', {bound: 0.5}, {x});
		expect([...after.x.values]).toEqual([-0.5, -0.5, 0.25, 0.5, Number.NaN]);
	});

	test('Lion leaves a weight without gradient and moment where it is', async () => {
		const weight = matrixOf(1, 3, at => at + 1);
		const gradient = matrixOf(1, 3, at => [0, -0, -1e-30][at]!);
		const options = {...lionOptions(1), decay: 0, gradient};
		const after = await runOp(device, 'lion', options, {weight, first: zeros(1, 3)});
		expect([...after.weight.values]).toEqual([1, 2, 3.01].map(Math.fround));
	});

	// The README of the fixture allows 1e-5 in float32.
	test('takes the forty clipped steps that torch takes', async () => {
		const known = JSON.parse(readFileSync(`${fixture}adamw.json`, 'utf8')) as {
			lr: number[];
			gradient_norm: number[];
		};
		const [start, gradients, after] = await Promise.all(
			['start', 'gradients', 'after'].map(name => readMatrix(name)),
		);
		const size = start!.columns;
		const rowOf = (all: Matrix, step: number, [begin, end]: number[]) =>
			matrixOf(1, end! - begin!, at => Math.fround(all.values[step * size + begin! + at]!));
		for (const [range, decay] of [[[0, 60], 0.1] as const, [[60, 100], 0] as const]) {
			const count = range[1]! - range[0]!;
			let moments: Moments = {
				weight: rowOf(start!, 0, [...range]),
				first: zeros(1, count),
				second: zeros(1, count),
			};
			for (const [step, rate] of known.lr.entries()) {
				const gradientScale = Math.min(1, 1 / (known.gradient_norm[step]! + 1e-6));
				const options = {...settings, rate, decay, gradientScale, step: step + 1};
				moments = await update(device, moments, rowOf(gradients!, step, [...range]), options);
				const expected = rowOf(after!, step, [...range]);
				expect(worstError(moments.weight, expected).error).toBeLessThan(1e-5);
			}
		}
	});

	test('refuses to begin with step 0', () => {
		const row = () => device.tensor(1, 4, 'f32');
		const fields = {weight: row(), gradient: row(), first: row(), second: row(), step: 0};
		expect(() => device.run('adamW', fields)).toThrow(
			expect.objectContaining({
				code: 'OP_INVALID',
				message: 'adamW: expected a step from 1, got 0',
			}),
		);
	});

	test.each([0, ...sizes, beyondOneItem])('adds the squares of %d elements', async size => {
		const x = randomMatrix(1, size, normals(size));
		const squares = (round: Round) =>
			matrixOf(1, 1, () => x.values.reduce((total, value) => round(total + round(value ** 2)), 2));
		const total = await sumSquares(device, x, 2);
		expectClose(
			matrixOf(1, 1, () => total),
			squares,
		);
	});
});

const several = (size: number) => async (device: NativeDevice) => {
	const given = operands(size);
	const total = await sumSquares(device, given.gradients[0]!, 0);
	const trained = [await train(device, given), await train(device, given, true)];
	const all = [...trained, await trainLion(device, given)].flatMap(Object.values<Matrix>);
	const {start, gradients} = factoredOperands({rows: 300, columns: 33});
	const {weight} = await trainFactored(device, start, gradients);
	return [...all, weight, mapped(zeros(1, 1), () => total)];
};

sameBitsEverywhere('an update', several(beyondOneItem));
sameBitsOnCards('an update', several(20_001));
