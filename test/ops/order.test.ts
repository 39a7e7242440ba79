// Pairs in another order than a teacher's, held to looking at every pair of pairs.

import {describe, expect, test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {onEveryDevice, sameBitsOnCards} from '../support/cards.js';
import {sameBitsEverywhere} from '../support/kernel-paths.js';
import {type Matrix, matrixOf, normals, randomMatrix, uniforms} from '../support/matrix.js';
import {aboveDiagonal, plainOrderedPairs} from '../support/plain-order.js';
import {newDevice, readMatrix, tensorOf} from '../support/run-op.js';
import {expectClose, expectSameBits} from '../support/tolerance.js';

type Given = {found: Matrix; wanted: Matrix; margin: number};

async function turned(device: NativeDevice, {found, wanted, margin}: Given) {
	const value = device.tensor(1, 1, 'f32');
	const slope = device.tensor(found.rows, found.rows, 'f32');
	const given = {found: tensorOf(device, found), wanted: tensorOf(device, wanted), margin};
	device.run('orderedPairs', {...given, value, slope});
	return {value: await readMatrix(device, value), slope: await readMatrix(device, slope)};
}

/** By every pair of elements: how often one is lower less how often higher, times the factor. */
function plainSlope({found, wanted, margin}: Given): Matrix {
	const [x, t] = [aboveDiagonal(found), aboveDiagonal(wanted)];
	const counts = new Float64Array(x.length);
	const m32 = Math.fround(margin);
	for (let n = 0; n < x.length; n++) {
		for (let m = 0; m < n; m++) {
			const [lower, higher] = t[n]! < t[m]! ? [n, m] : [m, n];
			if (Math.fround(Math.fround(x[lower]! - x[higher]!) + m32) <= 0) continue;
			counts[lower]! += 1;
			counts[higher]! -= 1;
		}
	}
	const factor = x.length < 2 ? 0 : 2 / (x.length * (x.length - 1));
	let place = 0;
	return matrixOf(found.rows, found.rows, at => {
		const [row, column] = [Math.floor(at / found.rows), at % found.rows];
		return column > row ? Math.fround(factor * counts[place++]!) : 0;
	});
}

/**
The same in M log M steps, in float64: elements enter a tree by their x in the teacher's order, and
each meets those that entered before it. `part` is what a pair adds.
*/
function sumOverTree(
	{found, wanted, margin}: Given,
	part = (apart: number, pairs: number) => apart + margin * pairs,
): number {
	const [x, t] = [aboveDiagonal(found), aboveDiagonal(wanted)];
	const order = t.map((_, n) => n).sort((a, b) => t[a]! - t[b]! || a - b);
	const sorted = Float64Array.from(x).sort();
	const rank = (value: number) => firstAbove(sorted, value);
	const counts = new Float64Array(x.length + 1);
	const sums = new Float64Array(x.length + 1);
	let [all, count, total] = [0, 0, 0];
	for (const n of order) {
		let [below, sumBelow] = [0, 0];
		for (let at = rank(x[n]! - margin); at > 0; at -= at & -at) {
			below += counts[at]!;
			sumBelow += sums[at]!;
		}
		const pairs = count - below;
		if (pairs > 0) total += part(all - sumBelow - pairs * x[n]!, pairs);
		all += x[n]!;
		count += 1;
		for (let at = rank(x[n]!); at <= x.length; at += at & -at) {
			counts[at]! += 1;
			sums[at]! += x[n]!;
		}
	}
	return (2 * total) / (x.length * (x.length - 1));
}

/** How many of the sorted numbers are up to a value. */
function firstAbove(sorted: Float64Array, value: number): number {
	let [low, high] = [0, sorted.length];
	while (low < high) {
		const middle = (low + high) >> 1;
		if (sorted[middle]! <= value) low = middle + 1;
		else high = middle;
	}
	return low;
}

const random = normals(3);
const cosines = (rows: number, next = random) => randomMatrix(rows, rows, next, 0.3);
const even = uniforms(4);
/** Eighths, of which many are equal. */
const eighths = (rows: number) => matrixOf(rows, rows, () => Math.floor(even() * 9 - 4) / 8);

onEveryDevice('ordered pairs', device => {
	test.each([0, 1, 2, 3, 5, 17, 40])('of %i rows are as every pair says', async rows => {
		const drawn = [
			{found: cosines(rows), wanted: cosines(rows), margin: 0.015},
			{found: eighths(rows), wanted: eighths(rows), margin: 0.125},
			{found: eighths(rows), wanted: eighths(rows), margin: 0},
			{found: cosines(rows), wanted: matrixOf(rows, rows, () => 0.5), margin: 3},
		];
		for (const given of drawn) {
			const {value, slope} = await turned(device, given);
			expectClose(value, round =>
				matrixOf(1, 1, () => plainOrderedPairs(given.found, given.wanted, given.margin, round)),
			);
			expectSameBits(slope, plainSlope(given));
		}
	});

	test.each([Number.NaN, Infinity])('of what holds %d are no numbers', async odd => {
		const [fine, broken] = [cosines(6), cosines(6)];
		broken.values[3] = odd;
		for (const [found, wanted] of [
			[fine, broken],
			[broken, fine],
		] as const) {
			const {value, slope} = await turned(device, {found, wanted, margin: 0});
			expect(value.values[0]).toBeNaN();
			expect(slope.values[1]).toBeNaN();
		}
	});

	test('below the diagonal nothing is read', async () => {
		const given = {found: cosines(5), wanted: cosines(5), margin: 0.1};
		const before = await turned(device, given);
		for (let row = 0; row < 5; row++)
			given.found.values.fill(Number.NaN, 5 * row, 5 * row + row + 1);
		expect(await turned(device, given)).toEqual(before);
	});
});

describe('ordered pairs of many rows', () => {
	const device = newDevice(2);

	test.each([40, 500])('of %i rows are as sums over a tree say', async rows => {
		const given = {found: cosines(rows), wanted: cosines(rows), margin: 0.015};
		const {value, slope} = await turned(device, given);
		const expected = sumOverTree(given);
		expect(Math.abs(value.values[0]! - expected)).toBeLessThan(2 ** -22 * expected);
		const x = aboveDiagonal(given.found);
		// where every pair that counts is moved by the same, the value moves by their share
		const along = aboveDiagonal(slope).reduce((sum, each, place) => sum + each * x[place]!, 0);
		const pairs = sumOverTree(given, (_, count) => count);
		expect(Math.abs(along + 0.015 * pairs - expected)).toBeLessThan(2 ** -20 * expected);
	});

	test('of few rows a tree says what every pair says', () => {
		const given = {found: eighths(20), wanted: eighths(20), margin: 0.125};
		const {found, wanted, margin} = given;
		expect(sumOverTree(given)).toBeCloseTo(plainOrderedPairs(found, wanted, margin), 12);
	});
});

const several = (rows: number) => async (device: NativeDevice) => {
	const next = normals(9);
	const {value, slope} = await turned(device, {
		found: cosines(rows, next),
		wanted: cosines(rows, next),
		margin: 0.015,
	});
	return [value, slope];
};

sameBitsEverywhere('ordered pairs', several(260));
sameBitsOnCards('ordered pairs', several(60));
