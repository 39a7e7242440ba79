// Every operation of a loss on matrices of several sizes.

import type {LossOperations} from '../../dist/autograd/operations.js';
import type {Variable} from '../../dist/autograd/tape.js';
import {type Matrix, normals, randomMatrix} from './matrix.js';
import {mapped} from './oracle.js';

export type OperationCase = {
	name: keyof LossOperations;
	what: string;
	inputs: Matrix[];
	run: (ops: LossOperations, inputs: readonly Variable[]) => Variable;
};

type Shape = readonly [rows: number, columns: number];

const random = normals(21);
const drawn = ([rows, columns]: Shape, spread = 1) => randomMatrix(rows, columns, random, spread);
const positive = (shape: Shape) => mapped(drawn(shape), x => Math.fround(Math.abs(x) + 0.1));

const small: readonly Shape[] = [
	[1, 1],
	[1, 9],
	[7, 1],
	[4, 6],
];
const large: readonly Shape[] = [
	[300, 17],
	[97, 300],
];

const elementwise = {
	scale: (ops, x) => ops.scale(x, -2.5),
	addScalar: (ops, x) => ops.addScalar(x, 0.7),
	clamp: (ops, x) => ops.clamp(x, -0.3),
	relu: (ops, x) => ops.relu(x),
	exp: (ops, x) => ops.exp(x),
	square: (ops, x) => ops.square(x),
	abs: (ops, x) => ops.abs(x),
	tanh: (ops, x) => ops.tanh(x),
	sigmoid: (ops, x) => ops.sigmoid(x),
	softplus: (ops, x) => ops.softplus(x),
	sum: (ops, x) => ops.sum(x),
	mean: (ops, x) => ops.mean(x),
	rowSums: (ops, x) => ops.rowSums(x),
	rowMeans: (ops, x) => ops.rowMeans(x),
	normalizeRows: (ops, x) => ops.normalizeRows(x),
	transpose: (ops, x) => ops.transpose(x),
	logSumExpRows: (ops, x) => ops.logSumExpRows(x),
	logSoftmaxRows: (ops, x) => ops.logSoftmaxRows(x),
	softmaxRows: (ops, x) => ops.softmaxRows(x),
	crossEntropy: (ops, x) => ops.crossEntropy(x, numbers(x.rows, x.columns)),
	pick: (ops, x) => ops.pick(x, numbers(x.rows, x.columns)),
	gatherRows: (ops, x) => ops.gatherRows(x, numbers(2 * x.rows + 1, x.rows)),
	rows: (ops, x) => ops.rows(x, x.rows >> 1, (x.rows + 1) >> 1),
	columns: (ops, x) => ops.columns(x, x.columns >> 2, (x.columns + 1) >> 1),
} satisfies Partial<Record<keyof LossOperations, (ops: LossOperations, x: Variable) => Variable>>;

const pairs = ['add', 'subtract', 'multiply', 'divide', 'logAddExp'] as const;

/** Numbers below a limit, in a mixed order. */
function numbers(count: number, limit: number): number[] {
	return Array.from({length: count}, (_, n) => (n * n + 3 * n) % limit);
}

function elementCases(shapes: readonly Shape[]): OperationCase[] {
	return (Object.keys(elementwise) as (keyof typeof elementwise)[]).flatMap(name =>
		shapes.map(shape => ({
			name,
			what: shape.join(' by '),
			inputs: [drawn(shape)],
			run: (ops: LossOperations, [x]: readonly Variable[]) => elementwise[name](ops, x!),
		})),
	);
}

function positiveCases(shapes: readonly Shape[]): OperationCase[] {
	return shapes.flatMap(shape => [
		{
			name: 'log' as const,
			what: shape.join(' by '),
			inputs: [positive(shape)],
			run: (ops, [x]) => ops.log(x!),
		},
		{
			name: 'sqrt' as const,
			what: shape.join(' by '),
			inputs: [positive(shape)],
			run: (ops, [x]) => ops.sqrt(x!),
		},
	]);
}

function pairCases([rows, columns]: Shape): OperationCase[] {
	const spreads: readonly (readonly [Shape, Shape])[] = [
		[
			[rows, columns],
			[rows, columns],
		],
		[
			[rows, columns],
			[rows, 1],
		],
		[
			[1, columns],
			[rows, columns],
		],
		[
			[rows, 1],
			[1, columns],
		],
		[
			[rows, columns],
			[1, 1],
		],
	];
	return pairs.flatMap(name =>
		spreads.map(([left, right]) => ({
			name,
			what: `${left.join(' by ')} and ${right.join(' by ')}`,
			inputs: [drawn(left), positive(right)],
			run: (ops: LossOperations, [a, b]: readonly Variable[]) => ops[name](a!, b!),
		})),
	);
}

function productCases([rows, columns]: Shape): OperationCase[] {
	const more = rows + 3;
	return [
		{
			name: 'rowDots',
			what: `${rows} by ${columns}`,
			inputs: [drawn([rows, columns]), drawn([rows, columns])],
			run: (ops, [a, b]) => ops.rowDots(a!, b!),
		},
		{
			name: 'products',
			what: `${rows} and ${more} rows of ${columns}`,
			inputs: [drawn([rows, columns]), drawn([more, columns])],
			run: (ops, [a, b]) => ops.products(a!, b!),
		},
		{
			name: 'products',
			what: `${rows} by ${columns} with itself`,
			inputs: [drawn([rows, columns])],
			run: (ops, [x]) => ops.products(x!, x!),
		},
		{
			name: 'concatRows',
			what: `${rows}, ${more} and again ${rows} rows of ${columns}`,
			inputs: [drawn([rows, columns]), drawn([more, columns])],
			run: (ops, [a, b]) => ops.concatRows([a!, b!, a!]),
		},
		{
			name: 'concatColumns',
			what: `${columns} and 2 columns of ${rows}`,
			inputs: [drawn([rows, columns]), drawn([rows, 2])],
			run: (ops, [a, b]) => ops.concatColumns([a!, b!]),
		},
	];
}

function casesOf(shapes: readonly Shape[]): OperationCase[] {
	return [
		...elementCases(shapes),
		...positiveCases(shapes),
		...shapes.flatMap(pairCases),
		...shapes.flatMap(productCases),
	];
}

export const smallCases = casesOf(small);
export const largeCases = casesOf(large);
