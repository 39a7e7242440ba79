// Products with weights of 16 bits, which only cards have: the tensor cores of Ampere and of Hopper.

import {describe, expect, test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {activations} from '../support/activations.js';
import {onEveryCard, sameBitsOnCards, useCapability, useSchedule} from '../support/cards.js';
import {
	asF32,
	backwardInput,
	forward,
	operands,
	pack,
	panel,
	type Shape,
	shortened,
} from '../support/linear-bf16.js';
import {
	asBf16,
	blank,
	grid,
	type Matrix,
	normals,
	randomMatrix,
	rowsOf,
} from '../support/matrix.js';
import {
	addColumns,
	linearBackwardInput,
	linearBackwardWeight,
	linearForward,
} from '../support/oracle.js';
import {newDevice, runOp} from '../support/run-op.js';
import {expectClose, expectSameBits, type Round} from '../support/tolerance.js';

/** Whole pieces of 16 bytes and odd widths; small tiles, and tiles of every width that fill the card. */
const shapes: Shape[] = [
	{rows: 0, inputs: 8, outputs: 8},
	{rows: 1, inputs: 1, outputs: 1},
	{rows: 5, inputs: 8, outputs: 24},
	{rows: 67, inputs: 33, outputs: 70},
	{rows: 70, inputs: 72, outputs: 264},
	{rows: 33, inputs: 264, outputs: 16},
	{rows: 130, inputs: 136, outputs: 264},
	{rows: 130, inputs: 24, outputs: 248},
	{rows: 24, inputs: 248, outputs: 248},
];
/** With odd widths, and with whole pieces of 16 bytes. */
const ends: Shape[] = [
	{rows: 19, inputs: 33, outputs: 26},
	{rows: 13, inputs: 24, outputs: 40},
];

type WeightGradient = {x: Matrix; dy: Matrix; dweight: Matrix; dbias: Matrix};

function backwardWeight(device: NativeDevice, {x, dy, dweight, dbias}: WeightGradient) {
	return runOp(device, 'linearBackwardWeight', {x, dy}, {dweight, dbias});
}

const products = (device: NativeDevice) => {
	test.each(shapes)('multiplies $rows rows of $inputs by a weight of $outputs', async shape => {
		const given = {...operands(shape), activation: 'none' as const};
		const {y, pre} = await forward(device, given.x, given.weight, {bias: given.bias});
		expectClose(
			y,
			shortened(round => linearForward(given, round).y),
		);
		expectSameBits(pre, y);
	});

	test.each(shapes)('sends $rows gradients of $outputs back to $inputs', async shape => {
		const {dy, weight} = operands(shape);
		const given = {dy, weight, activation: 'none' as const};
		const dx = await backwardInput(device, given);
		expectClose(
			dx,
			shortened(round => linearBackwardInput(given, round)),
		);
	});

	test.each(shapes)('adds the gradient of $outputs by $inputs over $rows rows', async shape => {
		const given = operands(shape);
		const {dweight, dbias} = await backwardWeight(device, given);
		expectClose(dweight, round => linearBackwardWeight({...given, before: given.dweight}, round));
		expectClose(dbias, round => addColumns(given.dy, given.dbias, round));
	});

	test.each(ends)('adds to either gradient alone over $rows rows of $inputs', async shape => {
		const {x, dy, dweight, dbias} = operands(shape);
		const both = await backwardWeight(device, {x, dy, dweight, dbias});
		const weight = await runOp(device, 'linearBackwardWeight', {x, dy}, {dweight});
		const bias = await runOp(device, 'linearBackwardWeight', {x, dy}, {dbias});
		expectSameBits(weight.dweight, both.dweight);
		expectSameBits(bias.dbias, both.dbias);
	});

	test.each(grid({shape: ends, activation: activations, hasBias: [true, false]}))(
		'of $shape ends with $activation, a bias: $hasBias',
		async ({shape, activation, hasBias}) => {
			const given = operands(shape);
			const bias = [given.bias].filter(() => hasBias)[0];
			const found = await forward(device, given.x, given.weight, {bias, activation});
			for (const name of ['y', 'pre'] as const) {
				const oracle = (round: Round) => linearForward({...given, bias, activation}, round)[name];
				expectClose(found[name], shortened(oracle));
			}
		},
	);

	test.each(grid({shape: ends, activation: activations.slice(1)}))(
		'of $shape is the slope of $activation on the way back',
		async ({shape, activation}) => {
			const {dy, weight, pre} = operands(shape);
			const dx = await backwardInput(device, {dy, weight, pre, activation});
			const oracle = (round: Round) => linearBackwardInput({dy, weight, pre, activation}, round);
			expectClose(dx, shortened(oracle));
		},
	);

	test.each(ends)('of $rows rows to $inputs is a sum with what is there', async shape => {
		const {dy, weight, dx: before} = operands(shape);
		const given = {dy, weight, before, activation: 'none'} as const;
		const dx = await backwardInput(device, given);
		expectClose(
			dx,
			shortened(round => linearBackwardInput(given, round)),
		);
	});

	test.each([184, 248, 264])('gives a row alone the bits of a batch, by %i', async outputs => {
		const {x, weight, bias, dy} = operands({rows: 130, inputs: 40, outputs});
		const {y} = await forward(device, x, weight, {bias, activation: 'gelu'});
		const dx = await backwardInput(device, {dy, weight, activation: 'none'});
		for (const row of [0, 129]) {
			const one = rowsOf(x, row, row + 1);
			const alone = await forward(device, one, weight, {bias, activation: 'gelu'});
			expectSameBits(alone.y, rowsOf(y, row, row + 1));
			const back = rowsOf(dy, row, row + 1);
			const below = await backwardInput(device, {dy: back, weight, activation: 'none'});
			expectSameBits(below, rowsOf(dx, row, row + 1));
		}
	});

	test.each([16, 96, 128])('adds rows before and after %i as all at once', async cut => {
		const all = operands({rows: 150, inputs: 40, outputs: 24});
		const part = (begin: number, end: number) => ({
			x: rowsOf(all.x, begin, end),
			dy: rowsOf(all.dy, begin, end),
		});
		const whole = await backwardWeight(device, all);
		const first = await backwardWeight(device, {...all, ...part(0, cut)});
		const both = await backwardWeight(device, {...first, ...part(cut, 150)});
		expectSameBits(both.dweight, whole.dweight);
		expectSameBits(both.dbias, whole.dbias);
	});
};

describe.each(['80', '90'])('with what a card of capability %s has,', capability => {
	useCapability(capability);
	useSchedule('shared');
	onEveryCard('a product of 16 bits', products);

	sameBitsOnCards('a product of 16 bits', async device => {
		const given = operands({rows: 67, inputs: 40, outputs: 72});
		const {x, weight, bias, dy} = given;
		return [
			...Object.values(await forward(device, x, weight, {bias, activation: 'gelu'})),
			await backwardInput(device, {dy, weight, activation: 'none'}),
			...Object.values(await backwardWeight(device, given)),
		];
	});
});

onEveryCard('a weight of 16 bits', device => {
	test.each(grid({rows: [1, 26, 70], columns: [1, 33], transposed: [false, true]}))(
		'of $rows by $columns is rounded and lies row by row, transposed: $transposed',
		async ({rows, columns, transposed}) => {
			const weight = randomMatrix(rows, columns, normals(rows + columns));
			const [outer, depth] = transposed ? [columns, rows] : [rows, columns];
			const packed = await pack(device, weight, transposed);
			const expected = blank(Math.ceil(outer / panel), depth * panel);
			for (let at = 0; at < expected.values.length; at += 1) {
				const [n, k] = [Math.floor(at / depth), at % depth];
				const from = transposed ? k * columns + n : n * columns + k;
				expected.values[at] = n < outer ? weight.values[from]! : 0;
			}
			expectSameBits(packed, asBf16(expected));
		},
	);

	test('gives back the rows that it kept', async () => {
		const weight = randomMatrix(40, 33, normals(3));
		const packed = await pack(device, weight, false);
		const rows = {weight: blank(21, 33)};
		const unpacked = await runOp(device, 'linearUnpack', {packed, row: 19}, rows);
		expectSameBits(unpacked.weight, asF32(asBf16(rowsOf(weight, 19, 40))));
	});

	test('is refused where its product is f32', () => {
		const given = {x: device.tensor(2, 3, 'f32'), y: device.tensor(2, 5, 'f32')};
		const packed = device.tensor(1, 3 * panel, 'bf16');
		expect(() => device.run('linearForward', {...given, packed})).toThrow(
			'linearForward: expected packed of type f32, got bf16',
		);
	});
});

test('a product of 16 bits is refused by the CPU', () => {
	const device = newDevice();
	const given = {x: device.tensor(2, 3, 'bf16'), y: device.tensor(2, 5, 'bf16')};
	const packed = device.tensor(1, 3 * panel, 'bf16');
	expect(() => device.run('linearForward', {...given, packed})).toThrow(
		'linearForward: expected x of type f32, got bf16',
	);
});
