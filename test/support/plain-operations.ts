// What the operations of a loss mean, on plain matrices: forward only, exactly in float64 or as
// float32 rounds every step. A loss runs on these as it runs on a tape.

import type {LossOperations} from '../../dist/autograd/operations.js';
import type {Variable} from '../../dist/autograd/tape.js';
import {type Matrix, matrixOf} from './matrix.js';
import {mapped} from './oracle.js';
import {plainContrast} from './plain-contrast.js';
import {plainMaxSim} from './plain-max-sim.js';
import {plainOrderedPairs} from './plain-order.js';
import {exact, type Round} from './tolerance.js';

type Scalar = (x: number) => number;
type Pair = (a: number, b: number) => number;

/** A matrix in the place of a variable. */
export function plainVariable(matrix: Matrix): Variable {
	return {...matrix, needsGradient: false} as unknown as Variable;
}

export function matrixIn(variable: Variable): Matrix {
	return variable as unknown as Matrix;
}

export function plainOperations(
	round: Round = exact,
	reports = new Map<string, number | Variable>(),
): LossOperations {
	const total = (values: Iterable<number>) => {
		let sum = 0;
		for (const value of values) sum = round(sum + value);
		return sum;
	};
	const lseOf = (values: Float64Array) => {
		const most = values.reduce((a, b) => Math.max(a, b), -Infinity);
		if (most === -Infinity) return most;
		return round(most + round(Math.log(total(values.map(x => round(Math.exp(round(x - most))))))));
	};
	const dot = (a: Float64Array, b: Float64Array) => total(a.map((x, j) => round(x * b[j]!)));
	const unit = (row: Float64Array) => {
		const length = Math.max(round(Math.sqrt(dot(row, row))), 1e-12);
		return row.map(x => round(x / length));
	};

	const one = (f: Scalar) => (x: Variable) => plainVariable(mapped(matrixIn(x), v => round(f(v))));
	const two = (f: Pair) => (a: Variable, b: Variable) => {
		const [left, right] = [matrixIn(a), matrixIn(b)];
		const rows = a.rows === 1 ? b.rows : a.rows;
		const columns = a.columns === 1 ? b.columns : a.columns;
		return made(rows, columns, (row, column) =>
			round(f(at(left, row, column), at(right, row, column))),
		);
	};
	const byRow = (x: Variable, f: (row: Float64Array) => number) =>
		made(x.rows, 1, row => f(rowOf(x, row)));
	const sum = (x: Variable) => made(1, 1, () => total(matrixIn(x).values));
	const scale = (x: Variable, factor: number) => one(v => v * round(factor))(x);
	const logAddExp: Pair = (a, b) => lseOf(Float64Array.of(a, b));
	const logSumExpRows = (x: Variable) => byRow(x, lseOf);
	const subtract = two((a, b) => a - b);
	const logSoftmaxRows = (x: Variable) => subtract(x, logSumExpRows(x));
	const pick = (x: Variable, columns: ArrayLike<number>) =>
		made(x.rows, 1, row => at(matrixIn(x), row, columns[row]!));
	const mean = (x: Variable) => scale(sum(x), 1 / (x.rows * x.columns));
	const exp = one(Math.exp);

	return {
		add: two((a, b) => a + b),
		subtract,
		multiply: two((a, b) => a * b),
		divide: two((a, b) => a / b),
		logAddExp: two(logAddExp),
		scale,
		addScalar: (x, value) => one(v => v + round(value))(x),
		clamp: (x, minimum) => one(v => Math.max(v, round(minimum)))(x),
		relu: one(v => Math.max(v, 0)),
		exp,
		log: one(Math.log),
		sqrt: one(Math.sqrt),
		square: one(v => v * v),
		abs: one(Math.abs),
		tanh: one(Math.tanh),
		sigmoid: one(v => 1 / round(1 + round(Math.exp(-v)))),
		softplus: one(v => logAddExp(0, v)),
		sum,
		mean,
		rowSums: x => byRow(x, total),
		rowMeans: x => scale(byRow(x, total), 1 / x.columns),
		normalizeRows: x => {
			const rows = Array.from({length: x.rows}, (_, row) => unit(rowOf(x, row)));
			return made(x.rows, x.columns, (row, column) => rows[row]![column]!);
		},
		rowDots: (a, b) => made(a.rows, 1, row => dot(rowOf(a, row), rowOf(b, row))),
		products: (a, b) => made(a.rows, b.rows, (row, column) => dot(rowOf(a, row), rowOf(b, column))),
		transpose: x => made(x.columns, x.rows, (row, column) => at(matrixIn(x), column, row)),
		logSumExpRows,
		logSoftmaxRows,
		softmaxRows: x => exp(logSoftmaxRows(x)),
		crossEntropy: (logits, targets) => scale(mean(pick(logSoftmaxRows(logits), targets)), -1),
		pick,
		rows: (x, begin, count) =>
			made(count, x.columns, (row, column) => at(matrixIn(x), begin + row, column)),
		columns: (x, begin, count) =>
			made(x.rows, count, (row, column) => at(matrixIn(x), row, begin + column)),
		gatherRows: (x, rows) =>
			made(rows.length, x.columns, (row, column) => at(matrixIn(x), rows[row]!, column)),
		concatRows: parts => {
			const rows = parts.flatMap(x => Array.from({length: x.rows}, (_, row) => rowOf(x, row)));
			return made(rows.length, parts[0]!.columns, (row, column) => rows[row]![column]!);
		},
		concatColumns: parts => {
			const rows = Array.from({length: parts[0]!.rows}, (_, row) =>
				parts.flatMap(x => [...rowOf(x, row)]),
			);
			return made(rows.length, rows[0]?.length ?? 0, (row, column) => rows[row]![column]!);
		},
		contrast: (rows, columns, {temperature, rules, ...options}) => {
			const {limit, guide, ...others} = rules ?? {};
			const given = {
				...options,
				temperature: matrixIn(temperature).values[0]!,
				rules: {
					...others,
					...(limit && {limit: matrixIn(limit)}),
					...(guide && {
						guide: {
							rows: matrixIn(guide.rows),
							columns: matrixIn(guide.columns),
							limit: matrixIn(guide.limit),
						},
					}),
				},
			};
			const {widths = [rows.columns]} = options;
			const cut = (x: Variable, width: number) =>
				matrixIn(made(x.rows, width, (row, column) => at(matrixIn(x), row, column)));
			const each = widths.map(width =>
				plainContrast(cut(rows, width), cut(columns, width), given, round),
			);
			const {count, removed, suspects} = each[0]!;
			const beside = (name: 'lse' | 'mean') =>
				made(rows.rows, widths.length, (row, n) => each[n]![name].values[row]!);
			return {
				lse: beside('lse'),
				mean: beside('mean'),
				count: plainVariable(count),
				...(rules && {removed: plainVariable(removed), suspects: plainVariable(suspects)}),
			};
		},
		maxSim: (queries, documents, options) =>
			plainVariable(plainMaxSim(matrixIn(queries), matrixIn(documents), options, round)),
		orderedPairs: (x, t, margin) => {
			const value = plainOrderedPairs(matrixIn(x), matrixIn(t), margin, round);
			return made(1, 1, () => value);
		},
		constant: (values, rows, columns) =>
			made(rows, columns, (row, column) => values[row * columns + column]!),
		detach: x => x,
		report: (name, value) => void reports.set(name, value),
		read: async x => Float32Array.from(matrixIn(x).values),
	};
}

function made(
	rows: number,
	columns: number,
	value: (row: number, column: number) => number,
): Variable {
	return plainVariable(
		matrixOf(rows, columns, index => value(Math.floor(index / columns), index % columns)),
	);
}

/** An element, where an extent of 1 stands for all. */
function at({rows, columns, values}: Matrix, row: number, column: number): number {
	return values[(rows === 1 ? 0 : row) * columns + (columns === 1 ? 0 : column)]!;
}

function rowOf(x: Variable, row: number): Float64Array {
	return matrixIn(x).values.subarray(row * x.columns, (row + 1) * x.columns);
}
