// Products with weights of 7 bits and rows of 8: the whole numbers exactly, what is made of them closely.

import {expect, test} from 'vitest';
import {type NativeDevice, native, type Tensor} from '../../dist/native.js';
import {type Activation, activate, activations} from '../support/activations.js';
import {onEveryCard, onEveryDevice, sameBitsOnCards} from '../support/cards.js';
import {emulated, isEmulating} from '../support/emulated.js';
import {onEveryPath, sameBitsEverywhere} from '../support/kernel-paths.js';
import {
	blank,
	grid,
	type Matrix,
	matrixOf,
	normals,
	randomMatrix,
	rowsOf,
} from '../support/matrix.js';
import {newDevice, runOp, tensorOf} from '../support/run-op.js';
import {expectClose, expectSameBits, type Round} from '../support/tolerance.js';

const panel = 16;
const panelsOf = (rows: number) => Math.ceil(rows / panel);
const wordsOf = (columns: number) => Math.ceil(columns / 4);
const f32 = Math.fround;

/** Whole numbers and what a unit of them means, for each row. */
function quantized({rows, columns, values}: Matrix, most: number) {
	const units = Array.from({length: rows}, (_, row) => {
		const own = values.subarray(row * columns, (row + 1) * columns);
		return f32(own.reduce((top, value) => Math.max(top, Math.abs(value)), 0) / most);
	});
	const whole = matrixOf(rows, columns, at => {
		const unit = units[Math.floor(at / columns)]!;
		const inverse = most === 127 ? f32(127 / f32(unitTop(values, at, columns))) : f32(1 / unit);
		return unit > 0 ? roundHalfToEven(f32(values[at]! * inverse)) : 0;
	});
	return {whole, units};
}

/** The largest magnitude in the row of an element. */
function unitTop(values: Float64Array, at: number, columns: number): number {
	const row = Math.floor(at / columns) * columns;
	return values
		.subarray(row, row + columns)
		.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
}

function roundHalfToEven(value: number): number {
	const below = Math.floor(value);
	if (value - below !== 0.5) return Math.round(value);
	return below % 2 === 0 ? below : below + 1;
}

type Given = {x: Matrix; weight: Matrix; bias?: Matrix | undefined; activation?: Activation};

/** activation((u q) factor scale + bias). */
function oracle({x, weight, bias, activation = 'none'}: Given, round: Round): Matrix {
	const [u, q] = [quantized(x, 127), quantized(weight, 63)];
	return matrixOf(x.rows, weight.rows, at => {
		const [row, column] = [Math.floor(at / weight.rows), at % weight.rows];
		let sum = 0;
		for (let k = 0; k < x.columns; k += 1) {
			sum += u.whole.values[row * x.columns + k]! * q.whole.values[column * x.columns + k]!;
		}
		const unit = round(u.units[row]! * q.units[column]!);
		const dot = round(round(round(sum) * unit) + (bias?.values[column] ?? 0));
		return activate(activation, dot, round);
	});
}

type Packed = {packed: Tensor; scale: Tensor; sums: Tensor};

function pack(device: NativeDevice, weight: Matrix): Packed {
	const panels = panelsOf(weight.rows);
	const packed = device.tensor(panels, panel * wordsOf(weight.columns), 'i32');
	const scale = device.tensor(1, panel * panels, 'f32');
	const sums = device.tensor(1, panel * panels, 'i32');
	device.run('quantizedPack', {weight: tensorOf(device, weight), packed, scale, sums});
	return {packed, scale, sums};
}

async function forward(device: NativeDevice, {x, weight, ...more}: Given): Promise<Matrix> {
	const inputs = {x, ...pack(device, weight), ...more};
	return (await runOp(device, 'quantizedForward', inputs, {y: blank(x.rows, weight.rows)})).y;
}

function operands({rows, inputs, outputs}: {rows: number; inputs: number; outputs: number}) {
	const random = normals(rows + 1000 * inputs + outputs);
	return {
		x: randomMatrix(rows, inputs, random),
		weight: randomMatrix(outputs, inputs, random),
		bias: randomMatrix(1, outputs, random),
	};
}

const widths = [1, 3, 4, 7, 16, 33, 130];
const shapes = grid({rows: [0, 1, 5, 13, 97], inputs: widths, outputs: [1, 16, 26, 33, 130]});
/** One tile of a card, less and more. */
const fewShapes = grid({rows: [0, 1, 67], inputs: [1, 7, 130], outputs: [1, 16, 70]});

const products = (of: typeof shapes) => (device: NativeDevice) => {
	test.each(of)('multiplies $rows rows of $inputs by a weight of $outputs', async shape => {
		const given = operands(shape);
		expectClose(await forward(device, given), round => oracle(given, round));
	});
};

onEveryPath('a quantized product', products(shapes));
onEveryCard('a quantized product', products(fewShapes));

onEveryDevice('a quantized product', device => {
	test.each(grid({activation: activations, hasBias: [true, false]}))(
		'ends with $activation, a bias: $hasBias',
		async ({activation, hasBias}) => {
			const {bias, ...rest} = operands({rows: 30, inputs: 65, outputs: 50});
			const given = {...rest, bias: hasBias ? bias : undefined, activation};
			expectClose(await forward(device, given), round => oracle(given, round));
		},
	);

	test('reaches the largest sums there are', async () => {
		const x = matrixOf(2, 3072, at => (at % 7 === 0 ? -3 : 3));
		const weight = matrixOf(17, 3072, at => (at % 5 === 0 ? -0.25 : 0.25));
		const given = {x, weight};
		expectClose(await forward(device, given), round => oracle(given, round));
	});

	test('of zeros is the bias', async () => {
		const {bias, weight} = operands({rows: 3, inputs: 20, outputs: 9});
		const x = matrixOf(3, 20, () => 0);
		const y = await forward(device, {x, weight, bias});
		expectSameBits(
			y,
			matrixOf(3, 9, at => bias.values[at % 9]!),
		);
	});

	test.each([Number.NaN, Number.POSITIVE_INFINITY])(
		'spoils the row that holds %d alone',
		async bad => {
			const {x, weight} = operands({rows: 3, inputs: 40, outputs: 9});
			const broken = matrixOf(3, 40, at => (at === 43 ? bad : x.values[at]!));
			const y = await forward(device, {x: broken, weight});
			expect(rowsOf(y, 1, 2).values.every(value => Number.isNaN(value))).toBe(true);
			const whole = await forward(device, {x, weight});
			expectSameBits(rowsOf(y, 0, 1), rowsOf(whole, 0, 1));
			expectSameBits(rowsOf(y, 2, 3), rowsOf(whole, 2, 3));
		},
	);

	test('has the bits of a row alone', async () => {
		const given = operands({rows: 130, inputs: 70, outputs: 40});
		const y = await forward(device, given);
		for (const row of [0, 1, 11, 12, 95, 96, 129]) {
			const alone = await forward(device, {...given, x: rowsOf(given.x, row, row + 1)});
			expectSameBits(alone, rowsOf(y, row, row + 1));
		}
	});
});

/** Which word of a panel has the bytes of word `word` of a row: of the CPU, and of a card. */
type Place = (word: number, row: number, words: number) => number;
const besideOthers: Place = (word, row) => word * panel + row;
const alongItsRow: Place = (word, row, words) => row * words + word;

const packing = (placeOf: Place) => (device: NativeDevice) => {
	test.each([
		[1, 1],
		[16, 4],
		[33, 70],
	])('of %i rows and %i columns holds its whole numbers four to a word', async (rows, columns) => {
		const weight = randomMatrix(rows, columns, normals(rows + columns));
		const {whole, units} = quantized(weight, 63);
		const {packed, scale, sums} = pack(device, weight);
		const words = new Int32Array(packed.rows * packed.columns);
		const found = {scale: new Float32Array(scale.columns), sums: new Int32Array(sums.columns)};
		await device.read(packed, words);
		await device.read(scale, found.scale);
		await device.read(sums, found.sums);
		const bytes = new Int8Array(words.buffer);
		for (let n = 0; n < rows; n += 1) {
			const own = [...whole.values.subarray(n * columns, (n + 1) * columns)];
			const at = (k: number) => {
				const word = placeOf(Math.floor(k / 4), n % panel, wordsOf(columns));
				return bytes[(Math.floor(n / panel) * packed.columns + word) * 4 + (k % 4)];
			};
			expect(own.map((_, k) => at(k))).toEqual(own.map(value => value + 0));
			expect(found.scale[n]).toBe(units[n]);
			expect(found.sums[n]).toBe(128 * own.reduce((total, value) => total + value, 0));
		}
	});
};

onEveryPath('a packed weight', packing(besideOthers));
onEveryCard('a packed weight', packing(alongItsRow));

const {x, weight, bias} = operands({rows: 200, inputs: 130, outputs: 70});
sameBitsEverywhere('a quantized product', async device => [
	await forward(device, {x, weight, bias, activation: 'gelu'}),
]);
sameBitsOnCards('a quantized product', async device => [
	await forward(device, {...operands({rows: 70, inputs: 33, outputs: 66}), activation: 'gelu'}),
]);

test.runIf(isEmulating)(
	'a quantized product on the emulated card has the bits of the CPU',
	async () => {
		const given = operands({rows: 13, inputs: 130, outputs: 70});
		const card = new (emulated().Device)({card: 0});
		expectSameBits(await forward(card, given), await forward(newDevice(), given));
	},
);

const hasVnni = native().useKernels('avx512-plain') && native().useKernels('avx512');
test.skipIf(!hasVnni)(
	'the bits with AVX-512 are those without VNNI (skipped where the CPU lacks AVX-512)',
	async () => {
		const usual = native().kernels();
		const y = await forward(newDevice(), {x, weight, bias});
		native().useKernels('avx512-plain');
		const plain = await forward(newDevice(), {x, weight, bias});
		native().useKernels(usual);
		expectSameBits(plain, y);
	},
);
