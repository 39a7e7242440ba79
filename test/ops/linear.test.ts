// Products with weights: forward, and the gradients of input, weight and bias.

import {expect, test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {activations} from '../support/activations.js';
import {onEveryCard, onEveryDevice, sameBitsOnCards} from '../support/cards.js';
import {onEveryPath, sameBitsEverywhere} from '../support/kernel-paths.js';
import {
	blank,
	grid,
	lazy,
	type Matrix,
	normals,
	randomMatrix,
	rowsOf,
	zeros,
} from '../support/matrix.js';
import {
	addColumns,
	type LinearGradient,
	linearBackwardInput,
	linearBackwardWeight,
	linearForward,
} from '../support/oracle.js';
import {runOp} from '../support/run-op.js';
import {expectClose, expectSameBits, once, type Round} from '../support/tolerance.js';

const panel = 16;
const widths = [1, 7, 16, 26, 33, 384];
const shapes = grid({rows: [0, 1, 5, 13, 97, 130], inputs: widths, outputs: widths});
/** One tile of a card, less and more. */
const fewShapes = grid({rows: [0, 1, 67], inputs: [1, 33, 70], outputs: [1, 16, 70]});

type Shape = (typeof shapes)[number];

function operands({rows, inputs, outputs}: Shape) {
	const random = normals(rows + 1000 * inputs + outputs);
	return {
		x: randomMatrix(rows, inputs, random),
		weight: randomMatrix(outputs, inputs, random),
		bias: randomMatrix(1, outputs, random),
		dy: randomMatrix(rows, outputs, random),
		pre: randomMatrix(rows, inputs, random),
		dx: randomMatrix(rows, inputs, random),
		dweight: randomMatrix(outputs, inputs, random),
		dbias: randomMatrix(1, outputs, random),
	};
}

/** How large the sum of the terms of one element is, typically. */
function sizeOfTerms(a: Matrix, b: Matrix, count: number): number {
	const mean = ({values}: Matrix) =>
		Math.sqrt(values.reduce((total, value) => total + value * value, 0) / (values.length || 1));
	return Math.sqrt(count) * mean(a) * mean(b);
}

async function pack(device: NativeDevice, weight: Matrix, transposed: boolean): Promise<Matrix> {
	const [rows, depth] = transposed ? [weight.columns, weight.rows] : [weight.rows, weight.columns];
	const packed = blank(Math.ceil(rows / panel), depth * panel);
	return (await runOp(device, 'linearPack', {weight, transposed}, {packed})).packed;
}

async function forward(device: NativeDevice, x: Matrix, weight: Matrix, more = {}) {
	const packed = await pack(device, weight, false);
	return runOp(device, 'linearForward', {x, packed, ...more}, {y: blank(x.rows, weight.rows)});
}

async function backwardInput(device: NativeDevice, given: LinearGradient) {
	const {dy, weight, activation, pre, before} = given;
	const packed = await pack(device, weight, true);
	const dx = before ?? blank(dy.rows, weight.columns);
	const inputs = {dy, packed, activation, pre, accumulate: before !== undefined};
	return (await runOp(device, 'linearBackwardInput', inputs, {dx})).dx;
}

type WeightGradient = {x: Matrix; dy: Matrix; dweight: Matrix; dbias: Matrix};

function backwardWeight(device: NativeDevice, {x, dy, dweight, dbias}: WeightGradient) {
	return runOp(device, 'linearBackwardWeight', {x, dy}, {dweight, dbias});
}

const caseOf = (shape: Shape) => {
	const given = lazy(() => operands(shape));
	const none = 'none' as const;
	return {
		...shape,
		given,
		y: once(round => linearForward({...given(), activation: none}, round).y),
		dx: once(round => linearBackwardInput({...given(), activation: none, pre: undefined}, round)),
		dweight: once(round => linearBackwardWeight({...given(), before: given().dweight}, round)),
		dbias: once(round => addColumns(given().dy, given().dbias, round)),
	};
};

const products = (cases: ReturnType<typeof caseOf>[]) => (device: NativeDevice) => {
	test.each(cases)('multiplies $rows rows of $inputs by a weight of $outputs', async one => {
		const {x, weight, bias} = one.given();
		const {y} = await forward(device, x, weight, {bias});
		expectClose(y, one.y, {scale: sizeOfTerms(x, weight, one.inputs)});
	});

	test.each(cases)('sends $rows gradients of $outputs back to $inputs', async one => {
		const {dy, weight} = one.given();
		const dx = await backwardInput(device, {dy, weight, activation: 'none'});
		expectClose(dx, one.dx, {scale: sizeOfTerms(dy, weight, one.outputs)});
	});

	test.each(cases)('adds the gradient of $outputs by $inputs over $rows rows', async one => {
		const {x, dy} = one.given();
		const {dweight, dbias} = await backwardWeight(device, one.given());
		expectClose(dweight, one.dweight, {scale: sizeOfTerms(x, dy, one.rows)});
		expectClose(dbias, one.dbias);
	});
};

onEveryPath('linear', products(shapes.map(caseOf)));
onEveryCard('linear', products(fewShapes.map(caseOf)));

/** Rows whole pages apart, which are copied first, and more of them than pass a gradient at once. */
const paged = [
	{rows: 300, inputs: 1024, outputs: 13},
	{rows: 260, inputs: 5, outputs: 4096},
];
onEveryPath('linear, whole pages', products(paged.map(caseOf)));

const parts = grid({inputs: [1, 26, 384], outputs: [1, 16, 130, 384], from: [0, 1, 0.4]});

onEveryDevice('linear', device => {
	test.each(parts)('unpacks $outputs rows of $inputs from $from on', async shape => {
		const {inputs, outputs, from} = shape;
		const weight = randomMatrix(outputs, inputs, normals(inputs + 7 * outputs));
		const packed = await pack(device, weight, false);
		const row = Math.min(outputs - 1, Math.floor(from < 1 ? from * outputs : from));
		const expected = rowsOf(weight, row, outputs);
		const rows = blank(outputs - row, inputs);
		const unpacked = await runOp(device, 'linearUnpack', {packed, row}, {weight: rows});
		expectSameBits(unpacked.weight, expected);
	});
});

/** One tile and less, and several items of rows. */
const finished = [
	{rows: 13, inputs: 33, outputs: 26},
	{rows: 130, inputs: 384, outputs: 33},
	{rows: 200, inputs: 26, outputs: 384},
];

const fewFinished = [
	{rows: 13, inputs: 33, outputs: 26},
	{rows: 70, inputs: 26, outputs: 66},
];

const finishing = (shapes: Shape[]) => (device: NativeDevice) => {
	const has = [true, false];
	test.each(grid({shape: shapes, activation: activations, hasBias: has, keepsPre: has}))(
		'of $shape is $activation, a bias: $hasBias, what came before it: $keepsPre',
		async ({shape, activation, hasBias, keepsPre}) => {
			const given = operands(shape);
			const bias = [given.bias].filter(() => hasBias)[0];
			const packed = await pack(device, given.weight, false);
			const y = blank(shape.rows, shape.outputs);
			const inputs = {x: given.x, packed, bias, activation};
			const outputs = {y, ...(keepsPre && {pre: y})} as {y: Matrix; pre: Matrix};
			const results = await runOp(device, 'linearForward', inputs, outputs);
			for (const name of Object.keys(outputs) as ('y' | 'pre')[]) {
				const oracle = (round: Round) => linearForward({...given, bias, activation}, round)[name];
				expectClose(results[name], oracle);
			}
		},
	);

	test.each(grid({shape: shapes, activation: activations.slice(1)}))(
		'of $shape is the slope of $activation on the way back',
		async ({shape, activation}) => {
			const {dy, weight, pre} = operands(shape);
			const dx = await backwardInput(device, {dy, weight, pre, activation});
			expectClose(dx, round => linearBackwardInput({dy, weight, pre, activation}, round));
		},
	);

	test.each(shapes)(
		'of $rows rows from $outputs to $inputs is a sum with what is there',
		async shape => {
			const {dy, weight, dx: before} = operands(shape);
			const given = {dy, weight, before, activation: 'none'} as const;
			const dx = await backwardInput(device, given);
			expectClose(dx, round => linearBackwardInput(given, round));
		},
	);
};

onEveryPath('what finishes a product', finishing(finished));
onEveryCard('what finishes a product', finishing(fewFinished));

onEveryDevice('the bits of a product', device => {
	test('of a row alone are those that it has in a batch', async () => {
		const {x, weight, bias, dy} = operands({rows: 130, inputs: 33, outputs: 384});
		const {y} = await forward(device, x, weight, {bias, activation: 'gelu'});
		const dx = await backwardInput(device, {dy, weight, activation: 'none'});
		for (const row of [0, 1, 11, 12, 95, 96, 129]) {
			const one = rowsOf(x, row, row + 1);
			const alone = await forward(device, one, weight, {bias, activation: 'gelu'});
			expectSameBits(alone.y, rowsOf(y, row, row + 1));
			const back = rowsOf(dy, row, row + 1);
			const below = await backwardInput(device, {dy: back, weight, activation: 'none'});
			expectSameBits(below, rowsOf(dx, row, row + 1));
		}
	});

	test.each([1, 12, 255, 256, 300].map(cut => ({cut})))(
		'over rows before and after $cut are those of all rows at once',
		async ({cut}) => {
			const all = operands({rows: 523, inputs: 33, outputs: 26});
			const part = (begin: number, end: number) => ({
				x: rowsOf(all.x, begin, end),
				dy: rowsOf(all.dy, begin, end),
			});
			const whole = await backwardWeight(device, all);
			const first = await backwardWeight(device, {...all, ...part(0, cut)});
			const both = await backwardWeight(device, {...first, ...part(cut, 523)});
			expectSameBits(both.dweight, whole.dweight);
			expectSameBits(both.dbias, whole.dbias);
		},
	);
});

/** Where element k of a row lies within a panel of the CPU, and within one of a card. */
type Place = (k: number, row: number, depth: number) => number;
const besideOthers: Place = (k, row) => k * panel + row;
const alongItsRow: Place = (k, row, depth) => row * depth + k;

const packing = (placeOf: Place) => (device: NativeDevice) => {
	test.each(grid({rows: [1, 16, 26, 70], columns: [1, 7, 33], transposed: [false, true]}))(
		'of $rows by $columns is packed into panels, transposed: $transposed',
		async ({rows, columns, transposed}) => {
			const weight = randomMatrix(rows, columns, normals(rows + columns));
			const [outer, depth] = transposed ? [columns, rows] : [rows, columns];
			const expected = zeros(Math.ceil(outer / panel), depth * panel);
			for (const {n, k} of cellsOf(outer, depth)) {
				const at = transposed ? k * columns + n : n * columns + k;
				const within = Math.floor(n / panel) * depth * panel + placeOf(k, n % panel, depth);
				expected.values[within] = weight.values[at]!;
			}
			expectSameBits(await pack(device, weight, transposed), expected);
		},
	);
};

function cellsOf(rows: number, depth: number) {
	return Array.from({length: rows * depth}, (_, at) => ({
		n: Math.floor(at / depth),
		k: at % depth,
	}));
}

onEveryPath('a weight', packing(besideOthers));
onEveryCard('a weight', packing(alongItsRow));

// Many rows are cut by rows, few by columns.
const long = operands({rows: 523, inputs: 33, outputs: 384});
const wide = operands({rows: 97, inputs: 384, outputs: 26});
const low = operands({rows: 13, inputs: 384, outputs: 384});
const whole = operands({rows: 300, inputs: 1024, outputs: 13});

type Operands = ReturnType<typeof operands>;

const forwardBits = (all: Operands[]) => async (device: NativeDevice) => {
	const results: Matrix[] = [];
	for (const {x, weight, bias} of all) {
		const packed = await pack(device, weight, false);
		const y = blank(x.rows, weight.rows);
		const inputs = {x, packed, bias, activation: 'gelu'};
		results.push(...Object.values(await runOp(device, 'linearForward', inputs, {y, pre: y})));
	}
	return results;
};

const inputBits = (all: Operands[]) => async (device: NativeDevice) => {
	const results: Matrix[] = [];
	for (const {dx, ...given} of all) {
		results.push(
			await backwardInput(device, {...given, activation: 'gelu'}),
			await backwardInput(device, {...given, activation: 'none', before: dx, pre: undefined}),
		);
	}
	return results;
};

const weightBits = (all: Operands[]) => async (device: NativeDevice) => {
	const results: Matrix[] = [];
	for (const given of all) results.push(...Object.values(await backwardWeight(device, given)));
	return results;
};

const small = operands({rows: 70, inputs: 33, outputs: 66});

sameBitsEverywhere('the forward product', forwardBits([long, wide, low]));
sameBitsOnCards('the forward product', forwardBits([small]));
sameBitsEverywhere('the gradient of the input', inputBits([long, low, wide]));
sameBitsOnCards('the gradient of the input', inputBits([small]));
sameBitsEverywhere('the gradient of the weight', weightBits([long, wide, whole]));
sameBitsOnCards('the gradient of the weight', weightBits([small]));

onEveryDevice('a wrong operand', device => {
	test('is refused at the call, with what was expected', () => {
		const fields = {x: device.tensor(2, 3, 'f32'), y: device.tensor(2, 5, 'f32')};
		const packed = device.tensor(1, 4 * panel, 'f32');
		expect(() => device.run('linearForward', {...fields, packed})).toThrow(
			expect.objectContaining({
				code: 'OP_INVALID',
				message: 'linearForward: expected packed of 48 columns, got 64',
			}),
		);
	});
});
