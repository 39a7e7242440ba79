import {describe, expect, test} from 'vitest';
import {correlationMetrics, pairScores} from '../../dist/evaluate/pair-scores.js';

const first = Float32Array.of(1, 2, 0, 3, 4, 0, 0, 0, 0);
const second = Float32Array.of(2, 1, 2, 3, 4, 0, 1, 0, 0);

describe('the scores of pairs', () => {
	test('are those of the definitions, distances negative', async () => {
		const scores = await pairScores({first, second, width: 3});
		expect([...scores.dot]).toEqual([4, 25, 0]);
		expect([...scores.cosine]).toEqual([expect.closeTo(4 / Math.sqrt(45), 12), 1, 0]);
		expect([...scores.manhattan]).toEqual([-4, -0, -1]);
		expect([...scores.euclidean]).toEqual([-Math.sqrt(6), -0, -1]);
	});

	test('need two matrices of the same shape', async () => {
		const refused = expect.objectContaining({code: 'OP_INVALID'});
		const short = second.subarray(3);
		await expect(pairScores({first, second: short, width: 3})).rejects.toThrow(refused);
		await expect(pairScores({first, second, width: 4})).rejects.toThrow(refused);
	});
});

describe('their correlations', () => {
	test('have the names that reports use', async () => {
		const scores = await pairScores({first, second, width: 3});
		expect(Object.keys(await correlationMetrics([1, 2, 0], scores))).toEqual([
			...['spearman_cosine', 'pearson_cosine', 'spearman_dot', 'pearson_dot'],
			...['spearman_manhattan', 'pearson_manhattan', 'spearman_euclidean', 'pearson_euclidean'],
		]);
	});

	test('are positive when closer pairs have higher gold scores', async () => {
		const scores = await pairScores({first, second, width: 3});
		const metrics = await correlationMetrics([-4, 0, -1], scores);
		expect(metrics.spearman_manhattan).toBe(1);
		expect(metrics.pearson_manhattan).toBe(1);
	});

	test('are undefined for vectors that are all the same', async () => {
		const ones = new Float32Array(9).fill(1);
		const scores = await pairScores({first: ones, second: ones, width: 3});
		expect((await correlationMetrics([1, 2, 3], scores)).spearman_cosine).toBeNaN();
	});
});
