// What a loss may do to matrices. Each operation knows its own gradient, so a loss derives nothing.
//
// An operation queues work and returns at once; operands that do not fit are refused at the call.

import {type Contrast, type ContrastOptions, contrast} from './contrast.js';
import {
	type CombineFunction,
	combine,
	type MapFunction,
	map,
	mean,
	reduce,
	rowMeans,
} from './elementwise.js';
import {columns, concatColumns, concatRows, gatherRows, pick, rows} from './layout.js';
import {logSumExpRows, normalizeRows, products, rowDots, transpose} from './matrix.js';
import {type MaxSimOptions, maxSim} from './max-sim.js';
import {orderedPairs} from './order.js';
import type {Tape, Variable} from './tape.js';

/** Where two operands meet, an extent of 1 stands for all rows or all columns of the other. */
export type LossOperations = {
	/** a + b. */
	add(a: Variable, b: Variable): Variable;
	/** a − b. */
	subtract(a: Variable, b: Variable): Variable;
	/** a b, element by element. */
	multiply(a: Variable, b: Variable): Variable;
	/** a / b, element by element. */
	divide(a: Variable, b: Variable): Variable;
	/** log(eᵃ + eᵇ), without overflow; either may be minus infinity. */
	logAddExp(a: Variable, b: Variable): Variable;

	/** factor x. */
	scale(x: Variable, factor: number): Variable;
	/** x + value. */
	addScalar(x: Variable, value: number): Variable;
	/** max(x, minimum). */
	clamp(x: Variable, minimum: number): Variable;
	/** max(x, 0). */
	relu(x: Variable): Variable;
	exp(x: Variable): Variable;
	/** The natural logarithm. */
	log(x: Variable): Variable;
	/** The square root; its gradient at 0 counts as 0. */
	sqrt(x: Variable): Variable;
	square(x: Variable): Variable;
	abs(x: Variable): Variable;
	tanh(x: Variable): Variable;
	/** 1 / (1 + e⁻ˣ). */
	sigmoid(x: Variable): Variable;
	/** log(1 + eˣ), without overflow. */
	softplus(x: Variable): Variable;

	/** The sum of all elements, (1, 1). */
	sum(x: Variable): Variable;
	/** The mean of all elements, (1, 1). */
	mean(x: Variable): Variable;
	/** The sum of each row, (N, 1). */
	rowSums(x: Variable): Variable;
	/** The mean of each row, (N, 1). */
	rowMeans(x: Variable): Variable;

	/** Each row divided by its length; a row of zeros stays so. */
	normalizeRows(x: Variable): Variable;
	/** The dot product of each row of a with the same row of b, (N, 1). */
	rowDots(a: Variable, b: Variable): Variable;
	/** The dot products of all rows of a with all rows of b, a bᵀ: (N, M). */
	products(a: Variable, b: Variable): Variable;
	transpose(x: Variable): Variable;

	/** The log of the sum of the exponentials of each row, (N, 1). */
	logSumExpRows(x: Variable): Variable;
	/** x − logSumExpRows(x). */
	logSoftmaxRows(x: Variable): Variable;
	/** Each row as a distribution that sums to 1. */
	softmaxRows(x: Variable): Variable;
	/** The mean over rows of −log softmax at the row's target, (1, 1). */
	crossEntropy(logits: Variable, targets: ArrayLike<number>): Variable;
	/** Element columns[n] of each row n, (N, 1). */
	pick(x: Variable, columns: ArrayLike<number>): Variable;

	/** `count` rows from row `begin` on. */
	rows(x: Variable, begin: number, count: number): Variable;
	/** `count` columns from column `begin` on. */
	columns(x: Variable, begin: number, count: number): Variable;
	/** The rows of these numbers, in that order; a row may come several times. */
	gatherRows(x: Variable, rows: ArrayLike<number>): Variable;
	/** The matrices below one another. */
	concatRows(parts: readonly Variable[]): Variable;
	/** The matrices side by side. */
	concatColumns(parts: readonly Variable[]): Variable;

	/** The softmax of every row over chosen columns of the batch, without a matrix of scores. */
	contrast(rows: Variable, columns: Variable, options: ContrastOptions): Contrast;
	/**
	Scores of texts by the rows of their tokens, (N, M): the sum over the rows of a query of the
	largest dot product with a row of the document; minus infinity where they do not meet.
	*/
	maxSim(queries: Variable, documents: Variable, options: MaxSimOptions): Variable;
	/**
	Of the elements x above the diagonal of a square matrix, row after row, and those t of another of
	its shape: the mean over m < n of max(0, y (x[n] − x[m]) + margin), where y is 1 if t[n] < t[m],
	else −1. 0 of less than two elements. t takes no gradient.
	*/
	orderedPairs(x: Variable, t: Variable, margin: number): Variable;

	/** Numbers that are given, row after row. */
	constant(values: Float32Array | readonly number[], rows: number, columns: number): Variable;
	/** The same numbers, from which no gradient flows back. */
	detach(x: Variable): Variable;
	/** Says something about the batch to whoever watches the training: a number, or a (1, 1). */
	report(name: string, value: number | Variable): void;
	/** The elements, row after row: for looking inside of a loss, which itself never waits. */
	read(x: Variable): Promise<Float32Array>;
};

export function operationsOf(tape: Tape): LossOperations {
	const one = (name: MapFunction) => (x: Variable) => map(tape, name, x);
	const two = (name: CombineFunction) => (a: Variable, b: Variable) => combine(tape, name, a, b);
	const logSoftmaxRows = (x: Variable) => combine(tape, 'subtract', x, logSumExpRows(tape, x));

	return {
		add: two('add'),
		subtract: two('subtract'),
		multiply: two('multiply'),
		divide: two('divide'),
		logAddExp: two('logAddExp'),
		scale: (x, factor) => map(tape, 'scale', x, factor),
		addScalar: (x, value) => map(tape, 'shift', x, value),
		clamp: (x, minimum) => map(tape, 'clamp', x, minimum),
		relu: one('relu'),
		exp: one('exp'),
		log: one('log'),
		sqrt: one('sqrt'),
		square: one('square'),
		abs: one('abs'),
		tanh: one('tanh'),
		sigmoid: one('sigmoid'),
		softplus: one('softplus'),
		sum: x => reduce(tape, x, {rows: 1, columns: 1}, 1),
		mean: x => mean(tape, x),
		rowSums: x => reduce(tape, x, {rows: x.rows, columns: 1}, 1),
		rowMeans: x => rowMeans(tape, x),
		normalizeRows: x => normalizeRows(tape, x),
		rowDots: (a, b) => rowDots(tape, a, b),
		products: (a, b) => products(tape, a, b),
		transpose: x => transpose(tape, x),
		logSumExpRows: x => logSumExpRows(tape, x),
		logSoftmaxRows,
		softmaxRows: x => map(tape, 'exp', logSoftmaxRows(x)),
		crossEntropy: (logits, targets) =>
			mean(tape, map(tape, 'scale', pick(tape, logSoftmaxRows(logits), targets), -1)),
		pick: (x, numbers) => pick(tape, x, numbers),
		rows: (x, begin, count) => rows(tape, x, begin, count),
		columns: (x, begin, count) => columns(tape, x, begin, count),
		gatherRows: (x, numbers) => gatherRows(tape, x, numbers),
		concatRows: parts => concatRows(tape, parts),
		concatColumns: parts => concatColumns(tape, parts),
		contrast: (left, right, options) => contrast(tape, left, right, options),
		maxSim: (queries, documents, options) => maxSim(tape, queries, documents, options),
		orderedPairs: (x, t, margin) => orderedPairs(tape, {x, t}, margin),
		constant: (values, height, width) => tape.constant(values, {rows: height, columns: width}),
		detach: x => tape.constant(x.tensor),
		report: (name, value) => void tape.reports.set(name, value),
		read: x => tape.read(x),
	};
}
