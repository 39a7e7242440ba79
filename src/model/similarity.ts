// Cosine of two sets of embeddings.

import {EngineError, kindOf} from '../errors.js';

/** Rows of embeddings, as `encode` returns them; a plain Float32Array is one row. */
export type Rows = Float32Array | {data: Float32Array; rows: number; width: number};

/**
Cosine of every row of `a` with every row of `b`: rows(a) × rows(b) numbers, row after row. A row of
zeros has cosine 0 with everything. For many rows use `evaluate`, which computes on the device.
*/
export function similarity(a: Rows, b: Rows): Float32Array {
	const left = asRows(a, 'a');
	const right = asRows(b, 'b');
	if (left.width !== right.width) {
		throw new EngineError(
			'OPTION_RANGE',
			`similarity: expected rows of ${left.width} columns, got ${right.width}`,
		);
	}
	const leftNorms = norms(left);
	const rightNorms = norms(right);
	const scores = new Float32Array(left.rows * right.rows);
	for (let i = 0; i < left.rows; i++) {
		for (let j = 0; j < right.rows; j++) {
			const length = leftNorms[i]! * rightNorms[j]!;
			scores[i * right.rows + j] = length > 0 ? dot(left, i, right, j) / length : 0;
		}
	}
	return scores;
}

type Matrix = {data: Float32Array; rows: number; width: number};

function asRows(value: Rows, name: string): Matrix {
	if (value instanceof Float32Array) return {data: value, rows: 1, width: value.length};
	const {data, ...shape}: Partial<Matrix> = value ?? {};
	if (!(data instanceof Float32Array)) {
		const isMatrix = typeof value === 'object' && value !== null;
		const got = isMatrix ? 'an object without such data' : kindOf(value);
		const expected = 'expected a Float32Array or {data: Float32Array, rows, width}';
		throw new EngineError('OPTION_TYPE', `similarity: ${name}: ${expected}, got ${got}`);
	}

	const rows = expectCount(shape.rows, `${name}.rows`);
	const width = expectCount(shape.width, `${name}.width`);
	if (data.length === rows * width) return {data, rows, width};
	const expected = `expected ${rows * width} numbers in ${rows} rows of ${width} columns`;
	throw new EngineError('OPTION_RANGE', `similarity: ${name}: ${expected}, got ${data.length}`);
}

function expectCount(value: unknown, name: string): number {
	const isNumber = typeof value === 'number';
	if (isNumber && Number.isSafeInteger(value) && value >= 0) return value;
	const got = isNumber ? value : kindOf(value);
	const message = `similarity: ${name}: expected a whole number from 0, got ${got}`;
	throw new EngineError(isNumber ? 'OPTION_RANGE' : 'OPTION_TYPE', message);
}

function dot(a: Matrix, i: number, b: Matrix, j: number): number {
	const from = i * a.width;
	const to = j * b.width;
	let sum = 0;
	for (let column = 0; column < a.width; column++)
		sum += a.data[from + column]! * b.data[to + column]!;
	return sum;
}

function norms(matrix: Matrix): Float64Array {
	return Float64Array.from({length: matrix.rows}, (_, i) => Math.sqrt(dot(matrix, i, matrix, i)));
}
