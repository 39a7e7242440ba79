// Copies of parts of matrices, for losses.

import {expect, test} from 'vitest';
import {onEveryDevice} from '../support/cards.js';
import {
	blank,
	grid,
	type Matrix,
	matrixOf,
	normals,
	randomMatrix,
	rowsOf,
	zeros,
} from '../support/matrix.js';
import {integers, newDevice, runOp, tensorOf} from '../support/run-op.js';
import {expectClose, expectSameBits} from '../support/tolerance.js';

const random = normals(3);
const shapes = [
	{rows: 0, columns: 3},
	{rows: 1, columns: 1},
	{rows: 5, columns: 16},
	{rows: 65, columns: 130},
	{rows: 300, columns: 97},
];

const at = ({columns, values}: Matrix, row: number, column: number) =>
	values[row * columns + column]!;
const matrix = (rows: number, columns: number, value: (row: number, column: number) => number) =>
	matrixOf(rows, columns, index => value(Math.floor(index / columns), index % columns));

onEveryDevice('layout', device => {
	test.each(grid({shape: shapes, part: [0, 0.4, 1]}))(
		'cut and paste take columns of $shape.rows by $shape.columns and put them back',
		async ({shape: {rows, columns}, part}) => {
			const x = randomMatrix(rows, columns, random);
			const column = Math.floor(part * (columns - 1));
			const width = Math.ceil((columns - column) / 2);
			const {y} = await runOp(device, 'cut', {column, x}, {y: blank(rows, width)});
			expectSameBits(
				y,
				matrix(rows, width, (row, j) => at(x, row, column + j)),
			);

			const given = {row: 1, column, clear: true, x: y};
			const {y: back} = await runOp(device, 'paste', given, {y: blank(rows + 2, columns)});
			const inside = (row: number, j: number) =>
				row >= 1 && row <= rows && j >= column && j < column + width;
			expectSameBits(
				back,
				matrix(rows + 2, columns, (row, j) => (inside(row, j) ? at(x, row - 1, j) : 0)),
			);
		},
	);

	test('paste leaves the rest alone when it is not to clear', async () => {
		const [x, y] = [randomMatrix(2, 3, random), randomMatrix(4, 5, random)];
		const {y: got} = await runOp(device, 'paste', {row: 1, column: 2, x}, {y});
		const inside = (row: number, column: number) => row > 0 && row < 3 && column > 1;
		expectSameBits(
			got,
			matrix(4, 5, (row, column) =>
				inside(row, column) ? at(x, row - 1, column - 2) : at(y, row, column),
			),
		);
	});

	test.each(shapes.slice(1))('transpose turns $rows by $columns', async ({rows, columns}) => {
		const x = randomMatrix(rows, columns, random);
		const {y} = await runOp(device, 'transpose', {x}, {y: blank(columns, rows)});
		expectSameBits(
			y,
			matrix(columns, rows, (row, column) => at(x, column, row)),
		);
	});

	test.each(shapes)('pick takes one element of each of $rows rows', async ({rows, columns}) => {
		const x = randomMatrix(rows, columns, random);
		const picked = Int32Array.from({length: rows}, (_, row) => (row * 7) % columns);
		const {y} = await runOp(device, 'pickForward', {x, columns: picked}, {y: blank(rows, 1)});
		expectSameBits(
			y,
			matrix(rows, 1, row => at(x, row, picked[row]!)),
		);
		const given = {dy: y, columns: picked};
		const {dx} = await runOp(device, 'pickBackward', given, {dx: blank(rows, columns)});
		expectSameBits(
			dx,
			matrix(rows, columns, (row, column) => (column === picked[row] ? y.values[row]! : 0)),
		);
	});

	test.each(shapes.slice(1))('gather takes rows of $rows, some twice', async ({rows, columns}) => {
		const x = randomMatrix(rows, columns, random);
		const numbers = Int32Array.from({length: 2 * rows + 1}, (_, n) => (n * n) % rows);
		const out = {y: blank(numbers.length, columns)};
		const {y} = await runOp(device, 'gatherForward', {x, rows: numbers}, out);
		expectSameBits(
			y,
			matrix(numbers.length, columns, (n, column) => at(x, numbers[n]!, column)),
		);

		const dy = randomMatrix(numbers.length, columns, random);
		const given = {dy, rows: numbers};
		const {dx} = await runOp(device, 'gatherBackward', given, {dx: blank(rows, columns)});
		expectClose(dx, round => {
			const sums = zeros(rows, columns);
			for (const [index, value] of dy.values.entries()) {
				const place = numbers[Math.floor(index / columns)]! * columns + (index % columns);
				sums.values[place] = round(sums.values[place]! + value);
			}
			return sums;
		});
	});

	test.each(
		grid({
			given: [
				{op: 'pickForward', field: 'columns', rows: 1, columns: 3},
				{op: 'gatherForward', field: 'rows', rows: 3, columns: 1},
			],
			number: [3, -1, 2 ** 30],
		}),
	)(
		'$given.op of $number of three fails at the next read',
		async ({given: {op, field, ...shape}, number}) => {
			const x = tensorOf(device, randomMatrix(shape.rows, shape.columns, random));
			const y = device.tensor(1, 1, 'f32');
			device.run(op, {x, [field]: integers(device, Int32Array.of(number)), y});
			const sentence = `expected ${field} below 3, got ${number} at 0`;
			await expect(device.synchronize()).rejects.toThrow(sentence);
		},
	);

	test('goes on after a number outside of the matrix', async () => {
		const x = randomMatrix(2, 3, random);
		const wrong = {x, rows: Int32Array.of(0, 2, -1)};
		await expect(runOp(device, 'gatherForward', wrong, {y: blank(3, 3)})).rejects.toThrow(
			'gatherForward: expected rows below 2, got 2 at 1',
		);
		const right = {x, rows: Int32Array.of(1)};
		const {y} = await runOp(device, 'gatherForward', right, {y: blank(1, 3)});
		expectSameBits(y, rowsOf(x, 1, 2));
	});
});

test.each([
	['cut', {column: 2, x: blank(2, 3)}, {y: blank(2, 2)}, /columns within 3, got 2 to 4/],
	['cut', {column: -1, x: blank(2, 3)}, {y: blank(2, 2)}, /columns within 3, got -1 to 1/],
	['paste', {row: 1, x: blank(2, 3)}, {y: blank(2, 3)}, /rows within 2, got 1 to 3/],
	['paste', {column: 1, x: blank(2, 3)}, {y: blank(2, 3)}, /columns within 3, got 1 to 4/],
	['transpose', {x: blank(2, 3)}, {y: blank(2, 3)}, /y of 3 rows, got 2/],
	['pickForward', {x: blank(2, 3), columns: Int32Array.of(1)}, {y: blank(2, 1)}, /2 elements/],
	['pickForward', {x: blank(1, 3), columns: blank(1, 1)}, {y: blank(1, 1)}, /type i32, got f32/],
	['gatherForward', {x: blank(2, 3), rows: Int32Array.of(1)}, {y: blank(2, 3)}, /1 rows, got 2/],
])('%s refuses operands that do not fit: %#', async (op, inputs, outputs, message) => {
	await expect(runOp(newDevice(), op, inputs, outputs)).rejects.toThrow(message);
});
