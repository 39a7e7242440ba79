// Arithmetic on matrices, for losses: functions of elements, sums, dots, log of sums of exponentials.

import {expect, test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {onEveryDevice, sameBitsOnCards} from '../support/cards.js';
import {logSumExp, maps, pairs, parameter} from '../support/functions.js';
import {sameBitsEverywhere} from '../support/kernel-paths.js';
import {
	blank,
	grid,
	largest,
	type Matrix,
	matrixOf,
	normals,
	randomMatrix,
} from '../support/matrix.js';
import {dotOfRows, mapped} from '../support/oracle.js';
import {newDevice, readMatrix, runOp} from '../support/run-op.js';
import {exact, expectClose, once, type Round} from '../support/tolerance.js';

const shapes = [
	{rows: 0, columns: 3},
	{rows: 1, columns: 1},
	{rows: 1, columns: 33},
	{rows: 5, columns: 16},
	{rows: 37, columns: 1},
	{rows: 300, columns: 97},
];
const random = normals(11);
const positive = (x: Matrix) => mapped(x, value => Math.fround(Math.abs(value) + 0.01));

/** Element (row, column) of a matrix whose extents of 1 stand for all. */
function spreadAt({rows, columns, values}: Matrix, row: number, column: number): number {
	return values[(rows === 1 ? 0 : row) * columns + (columns === 1 ? 0 : column)]!;
}

onEveryDevice('mapForward and mapBackward', device => {
	const cases = grid({name: Object.keys(maps), shape: shapes}).map(({name, shape}) => {
		const {value, slope} = maps[name]!;
		const drawn = randomMatrix(shape.rows, shape.columns, random, 2);
		const x = ['log', 'sqrt'].includes(name) ? positive(drawn) : drawn;
		const dy = randomMatrix(shape.rows, shape.columns, random);
		return {
			...shape,
			name,
			x,
			dy,
			y: once(round => mapped(x, v => value(v, round))),
			dx: once(round => mapped(dy, (v, at) => round(v * slope(x.values[at]!, round)))),
		};
	});

	test.each(cases)('$name of $rows by $columns is as it means', async ({name, x, dy, y, dx}) => {
		const out = blank(x.rows, x.columns);
		const given = {function: name, parameter};
		expectClose((await runOp(device, 'mapForward', {...given, x}, {y: out})).y, y);
		expectClose((await runOp(device, 'mapBackward', {...given, x, dy}, {dx: out})).dx, dx);
	});

	test.each(Object.keys(maps).map(name => ({name})))(
		'$name far out and at its corners is as it means',
		async ({name}) => {
			const far = [0, parameter, -200, -90, -20, 20, 85];
			const x = matrixOf(1, 7, index => Math.fround(far[index]!));
			const ones = mapped(x, () => 1);
			const {value, slope} = maps[name]!;
			const inside = (y: Matrix) =>
				mapped(y, (v, at) => (name === 'log' && x.values[at]! <= 0 ? 0 : v));
			const given = {function: name, parameter};
			const {y} = await runOp(device, 'mapForward', {...given, x}, {y: blank(1, 7)});
			expectDefined(inside(y), round => inside(mapped(x, v => value(v, round))));
			const back = {...given, x, dy: ones};
			const {dx} = await runOp(device, 'mapBackward', back, {dx: blank(1, 7)});
			expectDefined(inside(dx), round => inside(mapped(x, v => slope(v, round))));
		},
	);

	test.each(Object.keys(maps).map(name => ({name})))(
		'$name of no number is no number',
		async ({name}) => {
			const x = matrixOf(1, 2, () => Number.NaN);
			const given = {function: name, parameter, x};
			const {y} = await runOp(device, 'mapForward', given, {y: blank(1, 2)});
			expect([...y.values]).toEqual([Number.NaN, Number.NaN]);
		},
	);
});

/** Close, where what is no number in the oracle is none in the actual matrix either. */
function expectDefined(actual: Matrix, oracle: (round: Round) => Matrix): void {
	const meaning = oracle(exact);
	expect([...actual.values].map(Number.isNaN)).toEqual([...meaning.values].map(Number.isNaN));
	const without = (x: Matrix) => mapped(x, v => (Number.isNaN(v) ? 0 : v));
	expectClose(without(actual), round => without(oracle(round)));
}

onEveryDevice('combineForward and combineBackward', device => {
	const spreads = [
		{left: [13, 33], right: [13, 33]},
		{left: [13, 33], right: [13, 1]},
		{left: [1, 33], right: [13, 33]},
		{left: [13, 1], right: [1, 33]},
		{left: [1, 1], right: [13, 33]},
		{left: [1, 1], right: [1, 1]},
		{left: [0, 5], right: [1, 5]},
		{left: [300, 97], right: [300, 97]},
	];

	test.each(grid({name: Object.keys(pairs), spread: spreads}))(
		'$name of $spread.left and $spread.right is as it means',
		async ({name, spread}) => {
			const {value, bySlopes} = pairs[name]!;
			const a = randomMatrix(spread.left[0]!, spread.left[1]!, random, 2);
			const drawn = randomMatrix(spread.right[0]!, spread.right[1]!, random, 2);
			const b = name === 'divide' ? positive(drawn) : drawn;
			const rows = a.rows === 1 ? b.rows : a.rows;
			const columns = a.columns === 1 ? b.columns : a.columns;
			const dy = randomMatrix(rows, columns, random);
			const out = blank(rows, columns);
			const at = (f: (a: number, b: number) => number) =>
				matrixOf(rows, columns, index => {
					const [row, column] = [Math.floor(index / columns), index % columns];
					return f(spreadAt(a, row, column), spreadAt(b, row, column));
				});
			const {y} = await runOp(device, 'combineForward', {function: name, a, b}, {y: out});
			expectClose(y, round => at((left, right) => value(left, right, round)));
			const given = {function: name, a, b, dy};
			const both = await runOp(device, 'combineBackward', given, {da: out, db: out});
			for (const [n, got] of [both.da, both.db].entries()) {
				expectClose(got, round => {
					const slopes = at((left, right) => bySlopes[n]!(left, right, round));
					return mapped(dy, (v, i) => round(v * slopes.values[i]!));
				});
			}
		},
	);

	test('logAddExp of minus infinity is the other operand, and pulls only there', async () => {
		const a = matrixOf(1, 3, index => [-Infinity, -Infinity, 2][index]!);
		const b = matrixOf(1, 3, index => [1, -Infinity, -Infinity][index]!);
		const out = blank(1, 3);
		const given = {function: 'logAddExp', a, b};
		const {y} = await runOp(device, 'combineForward', given, {y: out});
		expect([...y.values]).toEqual([1, -Infinity, 2]);
		const back = {...given, dy: mapped(a, () => 1)};
		const {da, db} = await runOp(device, 'combineBackward', back, {da: out, db: out});
		expect([...da.values]).toEqual([0, 0, 1]);
		expect([...db.values]).toEqual([1, 0, 0]);
	});
});

type Sums = {x: Matrix; rows: number; columns: number; scale: number};

/** scale times the sum of what of x falls together in an element of (rows, columns). */
function reduced({x, rows, columns, scale}: Sums, round: Round): Matrix {
	const y = matrixOf(rows, columns, () => 0);
	for (const [index, value] of x.values.entries()) {
		const row = rows === 1 ? 0 : Math.floor(index / x.columns);
		const at = row * columns + (columns === 1 ? 0 : index % x.columns);
		y.values[at] = round(y.values[at]! + value);
	}
	return mapped(y, sum => round(sum * scale));
}

onEveryDevice('reduce and spread', device => {
	const kinds = [
		[true, true],
		[true, false],
		[false, true],
		[false, false],
	] as const;
	const large = [
		{rows: 3, columns: 40_000},
		{rows: 40_000, columns: 3},
	];

	test.each(grid({shape: [...shapes, ...large], kept: kinds}))(
		'$shape.rows by $shape.columns, keeping $kept, sums and spreads',
		async ({shape, kept}) => {
			const x = randomMatrix(shape.rows, shape.columns, random);
			const [rows, columns] = [kept[0] ? x.rows : 1, kept[1] ? x.columns : 1];
			const given = {x, rows, columns, scale: Math.fround(0.3)};
			const {y} = await runOp(device, 'reduce', {scale: given.scale, x}, {y: blank(rows, columns)});
			const scale = largest(x) * Math.sqrt(Math.max(1, x.values.length));
			expectClose(y, round => reduced(given, round), {scale});
			const out = blank(x.rows, x.columns);
			const spread = await runOp(device, 'spread', {scale: given.scale, x: y}, {y: out});
			expectClose(spread.y, round =>
				mapped(x, (_, index) => {
					const [row, column] = [Math.floor(index / x.columns), index % x.columns];
					return round(given.scale * spreadAt(y, row, column));
				}),
			);
		},
	);
});

const dots = (a: Matrix, b: Matrix, round: Round) =>
	matrixOf(a.rows, 1, row => dotOfRows(a, row, b, row, round));

const lses = (x: Matrix, round: Round) =>
	matrixOf(x.rows, 1, row =>
		logSumExp(x.values.subarray(row * x.columns, (row + 1) * x.columns), round),
	);

async function logSumExpForward(device: NativeDevice, x: Matrix): Promise<Matrix> {
	return (await runOp(device, 'logSumExpForward', {x}, {y: blank(x.rows, 1)})).y;
}

onEveryDevice('rowDots and logSumExp', device => {
	test.each(shapes)('$rows by $columns are as they mean', async ({rows, columns}) => {
		const [a, b] = [0, 1].map(() => randomMatrix(rows, columns, random));
		const {y} = await runOp(device, 'rowDots', {a: a!, b: b!}, {y: blank(rows, 1)});
		expectClose(y, round => dots(a!, b!, round), {scale: columns});

		const x = randomMatrix(rows, columns, random, 8);
		const lse = await logSumExpForward(device, x);
		expectClose(lse, round => lses(x, round));
		const dy = randomMatrix(rows, 1, random);
		const given = {x, y: lse, dy};
		const {dx} = await runOp(device, 'logSumExpBackward', given, {dx: blank(rows, columns)});
		expectClose(dx, round =>
			mapped(x, (value, index) => {
				const row = Math.floor(index / columns);
				return round(dy.values[row]! * round(Math.exp(round(value - lse.values[row]!))));
			}),
		);
	});

	test('logSumExp knows infinities and what is no number', async () => {
		const rows = [
			[-Infinity, -Infinity],
			[-Infinity, 3],
			[200, -200],
			[Number.NaN, 1],
			[1, Number.NaN],
		];
		const x = matrixOf(5, 2, index => rows[Math.floor(index / 2)]![index % 2]!);
		const y = await logSumExpForward(device, x);
		expect([...y.values]).toEqual([-Infinity, 3, 200, Number.NaN, Number.NaN]);
		const dy = mapped(y, () => 1);
		const {dx} = await runOp(device, 'logSumExpBackward', {x, y, dy}, {dx: blank(5, 2)});
		expect([...dx.values.subarray(0, 6)]).toEqual([0, 0, 0, 1, 1, 0]);
	});
});

const several = (rows: number) => async (device: NativeDevice) => {
	const drawn = normals(5);
	const [x, b] = [0, 1].map(() => randomMatrix(rows, 1300, drawn));
	const {y: sum} = await runOp(device, 'reduce', {x: x!}, {y: blank(1, 1)});
	const {y: columns} = await runOp(device, 'reduce', {x: x!}, {y: blank(1, 1300)});
	const {y: dot} = await runOp(device, 'rowDots', {a: x!, b: b!}, {y: blank(rows, 1)});
	const lse = await logSumExpForward(device, x!);
	const given = {x: x!, y: lse, dy: dot};
	const {dx} = await runOp(device, 'logSumExpBackward', given, {dx: blank(rows, 1300)});
	const soft = {function: 'softplus', x: x!};
	const {y} = await runOp(device, 'mapForward', soft, {y: blank(rows, 1300)});
	return [sum, columns, dot, lse, dx, y];
};

sameBitsEverywhere('arithmetic on matrices', several(70));
sameBitsOnCards('arithmetic on matrices', several(9));

onEveryDevice('sums of rows', device => {
	test('the log of a sum of no columns is minus infinity', async () => {
		const [x, y] = [device.tensor(2, 0, 'f32'), device.tensor(2, 1, 'f32')];
		device.run('logSumExpForward', {x, y});
		expect([...(await readMatrix(device, y)).values]).toEqual([-Infinity, -Infinity]);
	});

	test('the sum of a row does not depend on the rows beside it', async () => {
		const x = randomMatrix(3, 50_000, random);
		const first = {...x, rows: 1, values: x.values.slice(0, 50_000)};
		const all = await runOp(device, 'reduce', {scale: 0.1, x}, {y: blank(3, 1)});
		const alone = await runOp(device, 'reduce', {scale: 0.1, x: first}, {y: blank(1, 1)});
		expect(all.y.values[0]).toBe(alone.y.values[0]);
	});
});

test.each([
	['mapForward', {function: 'exp', x: blank(2, 3)}, {y: blank(3, 2)}, /y of 2 rows, got 3/],
	['mapForward', {function: 'cosh', x: blank(1, 1)}, {y: blank(1, 1)}, /expected one of scale/],
	['mapBackward', {x: blank(2, 3), dy: blank(2, 2)}, {dx: blank(2, 3)}, /dy of 3 columns, got 2/],
	['combineForward', {a: blank(2, 3), b: blank(3, 3)}, {y: blank(2, 3)}, /b of 2 rows, got 3/],
	['reduce', {x: blank(4, 3)}, {y: blank(2, 3)}, /y of 4 rows, got 2/],
	['spread', {x: blank(4, 3)}, {y: blank(4, 4)}, /x of 4 columns, got 3/],
	['rowDots', {a: blank(2, 3), b: blank(2, 4)}, {y: blank(2, 1)}, /b of 3 columns, got 4/],
	['logSumExpForward', {x: blank(2, 3)}, {y: blank(2, 2)}, /y of 1 columns, got 2/],
	['rowDots', {a: Int32Array.of(1), b: blank(1, 1)}, {y: blank(1, 1)}, /a of type f32, got i32/],
])('%s refuses operands that do not fit: %#', async (op, inputs, outputs, message) => {
	await expect(runOp(newDevice(), op, inputs, outputs)).rejects.toThrow(message);
});
