// Dropout: which elements survive is a function of their place, and of nothing else.

import {expect, test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {onEveryDevice, sameBitsOnCards} from '../support/cards.js';
import {sameBitsEverywhere} from '../support/kernel-paths.js';
import {
	grid,
	type Matrix,
	matrixOf,
	normals,
	offsetsOf,
	randomMatrix,
	rowsOf,
	sum,
} from '../support/matrix.js';
import {keptColumns} from '../support/random-bits.js';
import {runOp} from '../support/run-op.js';
import {expectSameBits} from '../support/tolerance.js';

type Draw = {rate: number; seed: number; step: number; site: number};

const draws: Draw[] = [
	{rate: 0.1, seed: 1, step: 0, site: 0},
	{rate: 0.5, seed: 2 ** 31 - 1, step: 99, site: 16},
	{rate: 0.9, seed: 2 ** 32 - 1, step: 2 ** 31, site: 45072},
	{rate: 0, seed: 3, step: 3, site: 3},
];

const cases = grid({
	draw: draws,
	lengths: [[1], [3, 0, 5], [129, 64, 1]],
	columns: [1, 7, 16, 26, 33, 384],
});

async function drop(device: NativeDevice, draw: Draw, x: Matrix, texts?: object) {
	return (await runOp(device, 'dropout', {...draw, ...texts}, {x})).x;
}

/** The survivors, grown by 1 / (1 - rate) as float32 rounds it. */
function survivors(draw: Draw, x: Matrix, places: readonly {text: number; row: number}[]): Matrix {
	const grow = Math.fround(1 / Math.fround(1 - Math.fround(draw.rate)));
	const kept = places.map(place => keptColumns({...draw, ...place}, x.columns, draw.rate));
	return matrixOf(x.rows, x.columns, at => {
		const isKept = kept[Math.floor(at / x.columns)]![at % x.columns];
		return Math.fround(x.values[at]! * (isKept ? grow : 0));
	});
}

onEveryDevice('dropout', device => {
	test.each(cases)('draws $draw for texts of $lengths, $columns wide', async one => {
		const x = matrixOf(sum(one.lengths), one.columns, index => index + 1);
		const numbers = one.lengths.map((_, text) => 7 * text + 3);
		const places = one.lengths.flatMap((length, text) =>
			Array.from({length}, (_, row) => ({text: numbers[text]!, row})),
		);
		const texts = {offsets: offsetsOf(one.lengths), texts: Int32Array.from(numbers)};
		expectSameBits(await drop(device, one.draw, x, texts), survivors(one.draw, x, places));
	});

	test('takes each row for a text where there are no offsets', async () => {
		const x = matrixOf(5, 33, index => index + 1);
		const places = [0, 1, 2, 3, 4].map(text => ({text, row: 0}));
		expectSameBits(await drop(device, draws[1]!, x), survivors(draws[1]!, x, places));
	});

	test('leaves rows behind the last text as they are', async () => {
		const [x, texts] = [matrixOf(8, 33, index => index + 1), Int32Array.of(4)];
		const dropped = await drop(device, draws[2]!, x, {offsets: offsetsOf([5]), texts});
		expectSameBits(rowsOf(dropped, 5, 8), rowsOf(x, 5, 8));
		expect(dropped.values.subarray(0, 5 * 33).includes(0)).toBe(true);
	});

	test.each([0.1, 0.5, 0.9])('drops about %d of the elements of each site', async rate => {
		for (const site of [0, 16, 17, 32]) {
			const ones = matrixOf(64, 384, () => 1);
			const {values} = await drop(device, {rate, seed: 11, step: 1, site}, ones);
			const dropped = values.filter(value => value === 0).length;
			const deviation = Math.sqrt(values.length * rate * (1 - rate));
			expect(Math.abs(dropped - rate * values.length)).toBeLessThan(4 * deviation);
		}
	});

	test('draws other elements for another seed, step, site or text', async () => {
		const ones = matrixOf(64, 384, () => 1);
		const base = {rate: 0.5, seed: 11, step: 1, site: 16};
		const first = await drop(device, base, ones);
		const changes = [{seed: 12}, {step: 2}, {site: 17}, {texts: Int32Array.of(1)}];
		for (const change of changes) {
			const texts = {offsets: Int32Array.of(0, 64), texts: Int32Array.of(0), ...change};
			const other = await drop(device, {...base, ...change}, ones, texts);
			const same = other.values.filter((value, at) => value === first.values[at]).length;
			const deviation = Math.sqrt(ones.values.length) / 2;
			expect(Math.abs(same - ones.values.length / 2)).toBeLessThan(4 * deviation);
		}
	});
});

const several = async (device: NativeDevice) => {
	const x = randomMatrix(194, 384, normals(1));
	const texts = {offsets: offsetsOf([129, 64, 1]), texts: Int32Array.of(4, 5, 6)};
	return [await drop(device, draws[1]!, x, texts)];
};

sameBitsEverywhere('dropout', several);
sameBitsOnCards('dropout', several);
