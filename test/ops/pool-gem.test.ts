// The generalised mean, whose power is learned: values by hand, gradients of both by differences.

import {expect, test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {onEveryDevice, sameBitsOnCards} from '../support/cards.js';
import {centralGradients, expectGradients} from '../support/differences.js';
import {sameBitsEverywhere} from '../support/kernel-paths.js';
import {
	blank,
	type Matrix,
	matrixOf,
	normals,
	offsetsOf,
	randomMatrix,
	sum,
} from '../support/matrix.js';
import {runOp} from '../support/run-op.js';
import {exact, expectClose, type Round} from '../support/tolerance.js';

const least = 1e-6;
const scalar = (value: number): Matrix => ({rows: 1, columns: 1, values: Float64Array.of(value)});

type Given = {x: Matrix; power: Matrix; offsets: Int32Array; skip?: Int32Array};

async function pool(device: NativeDevice, {offsets, ...given}: Given) {
	const y = blank(offsets.length - 1, given.x.columns);
	return (await runOp(device, 'poolForward', {kind: 'gem', offsets, ...given}, {y})).y;
}

/** (mean of max(x, 10⁻⁶)^p)^(1/p) over the rows of each text but its first ones. */
function plain({x, power, offsets, skip}: Given, round: Round = exact): Matrix {
	const p = power.values[0]!;
	return matrixOf(offsets.length - 1, x.columns, at => {
		const [text, column] = [Math.floor(at / x.columns), at % x.columns];
		const begin = offsets[text]! + (skip?.[text] ?? 0);
		const powers: number[] = [];
		for (let row = begin; row < offsets[text + 1]!; row++) {
			powers.push(Math.max(least, x.values[row * x.columns + column]!) ** p);
		}
		const mean = powers.reduce((total, each) => total + each, 0) / powers.length;
		return powers.length === 0 ? 0 : round(mean ** (1 / p));
	});
}

const cases = [
	{lengths: [1], columns: 7, p: 3},
	{lengths: [3, 0, 5], columns: 16, p: 1},
	{lengths: [4, 2, 33], columns: 33, p: 4.5},
	{lengths: [6], columns: 384, p: 0.7},
];

const drawn = ({lengths, columns, p}: (typeof cases)[number]): Given => ({
	x: randomMatrix(sum(lengths), columns, normals(columns)),
	power: scalar(p),
	offsets: offsetsOf(lengths),
	skip: Int32Array.from(lengths, (_, text) => (text === 0 && lengths[0]! > 2 ? 1 : 0)),
});

onEveryDevice('a generalised mean', device => {
	test('of 1, 2 and 3 by the power 3 is 2.289428', async () => {
		const x: Matrix = {rows: 3, columns: 1, values: Float64Array.of(1, 2, 3)};
		const given = {x, power: scalar(3), offsets: Int32Array.of(0, 3)};
		expect((await pool(device, given)).values[0]).toBeCloseTo(2.289428, 6);
	});

	test.each(cases)('of texts of $lengths by the power $p, $columns wide', async drawing => {
		const given = drawn(drawing);
		expectClose(await pool(device, given), round => plain(given, round));
	});

	test.each(cases)('goes back to texts of $lengths and the power $p', async drawing => {
		const columns = Math.min(drawing.columns, 16);
		const {x, power, offsets, skip} = drawn({...drawing, columns});
		const dy = randomMatrix(offsets.length - 1, x.columns, normals(4));
		const fields = {kind: 'gem', add: false, dy, offsets, skip, x, power};
		const outputs = {dx: blank(x.rows, x.columns), dpower: scalar(0)};
		const {dx, dpower} = await runOp(device, 'poolBackward', fields, outputs);
		const f = ([x, power]: readonly Matrix[]) => {
			const {values} = plain({x: x!, power: power!, offsets, ...(skip && {skip})});
			return values.reduce((total, value, n) => total + value * dy.values[n]!, 0);
		};
		expectGradients([dx, dpower], centralGradients(f, [x, power]), 1);
	});
});

const one = async (device: NativeDevice) => [await pool(device, drawn(cases[2]!))];

sameBitsEverywhere('a generalised mean', one);
sameBitsOnCards('a generalised mean', one);
