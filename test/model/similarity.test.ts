import {describe, expect, test} from 'vitest';
import {similarity} from '../../dist/model/similarity.js';

const matrix = (rows: number, ...data: number[]) => ({
	data: Float32Array.from(data),
	rows,
	width: data.length / rows,
});

test('every row of the one meets every row of the other, and zeros meet nothing', () => {
	const scores = similarity(matrix(2, 3, 4, 0, 0), matrix(2, 6, 8, -4, 3));
	expect([...scores]).toEqual([1, 0, 0, 0]);
	expect([...similarity(Float32Array.of(1, 0), Float32Array.of(-2, 0))]).toEqual([-1]);
	expect(similarity({data: new Float32Array(), rows: 0, width: 2}, matrix(1, 1, 2))).toHaveLength(
		0,
	);
});

describe('what is no matrix is refused:', () => {
	const data = new Float32Array(4);
	test.each([
		[null, 'OPTION_TYPE', 'got null'],
		[undefined, 'OPTION_TYPE', 'got nothing'],
		[7, 'OPTION_TYPE', 'got a number'],
		[[1, 2], 'OPTION_TYPE', 'got an object without such data'],
		[{data: [1, 2], rows: 1, width: 2}, 'OPTION_TYPE', 'got an object without such data'],
		[{data, width: 2}, 'OPTION_TYPE', 'a.rows: expected a whole number from 0, got nothing'],
		[{data, rows: 0.5, width: 8}, 'OPTION_RANGE', 'a.rows: expected a whole number from 0'],
		[{data, rows: -2, width: -2}, 'OPTION_RANGE', 'a.rows: expected a whole number from 0'],
		[{data, rows: 3, width: 2}, 'OPTION_RANGE', 'expected 6 numbers in 3 rows of 2 columns, got 4'],
		[{data, rows: 1, width: 2}, 'OPTION_RANGE', 'expected 2 numbers in 1 rows of 2 columns, got 4'],
	])('%j', (value, code, message) => {
		const call = () => similarity(value as Float32Array, Float32Array.of(1, 2));
		expect(call).toThrow(
			expect.objectContaining({
				name: 'EngineError',
				code,
				message: expect.stringContaining(message),
			}),
		);
	});
});

test('rows of another width are refused', () => {
	const call = () => similarity(matrix(1, 1, 2), matrix(1, 1, 2, 3));
	expect(call).toThrow('similarity: expected rows of 2 columns, got 3');
});
