// How the embedded model is made: the loss and the batches of scripts/builtin.

import {expect, test} from 'vitest';
import {evaluateLoss} from '../../dist/index.js';
import {distil} from '../../scripts/builtin/distil.mjs';
import {orderedPairs} from '../../scripts/builtin/pairs.mjs';
import {uniforms} from '../../scripts/builtin/random.mjs';

const width = 4;
const count = 6;
const random = uniforms(5);

function unitRows(rows: number): Float32Array {
	const vectors = Array.from({length: rows}, () =>
		unit(Array.from({length: width}, () => random() - 0.5)),
	);
	return Float32Array.from(vectors.flat());
}

const dot = (a: number[], b: number[]) => a.reduce((sum, value, n) => sum + value * b[n]!, 0);
const unit = (row: number[]) => row.map(value => value / Math.sqrt(dot(row, row)));
const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const rowsOf = (data: Float32Array) =>
	Array.from({length: data.length / width}, (_, n) => [
		...data.subarray(n * width, (n + 1) * width),
	]);

/** −log of the softmax of `scores`, at each of them. */
function surprise(scores: number[]): number[] {
	const whole = Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0));
	return scores.map(score => whole - score);
}

test('the loss is the sum of its four parts, by their weights', async () => {
	const data = unitRows(count);
	const [query, positive] = [unitRows(3), unitRows(3)];
	const pairs = [
		{query: 0, positive: 3, paragraph: 3},
		{query: 1, positive: 4, paragraph: 3},
		{query: 2, positive: 5, paragraph: 5},
	];
	const weights = {near: 2, apart: 3, order: 5, found: 7};
	const loss = distil({teacher: {data, width}, pairs, weights, temperature: 0.1});
	const columns = [query, positive].map(column => ({data: column, rows: 3, width}));
	const {value} = await evaluateLoss(loss, {columns, labels: Float32Array.of(0, 1, 2)});

	const [is, shall] = [[...rowsOf(query), ...rowsOf(positive)], rowsOf(data)];
	const others = (rows: number[][], n: number) =>
		rows.filter((_, other) => other !== n).map(row => dot(rows[n]!, row) / 0.1);
	const near = mean(is.map((row, n) => 1 - dot(row, shall[n]!)));
	const apart = mean(
		is.flatMap((a, n) => is.map((b, m) => (dot(a, b) - dot(shall[n]!, shall[m]!)) ** 2)),
	);
	const order = mean(
		is.map((_, n) => {
			const target = surprise(others(shall, n)).map(bits => Math.exp(-bits));
			return dot(target, surprise(others(is, n)));
		}),
	);
	const paragraphs = [is[3]!, is[5]!];
	const asked: [number, number][] = [
		[0, 0],
		[1, 0],
		[2, 1],
	];
	const found = mean(
		asked.map(([n, own]) => surprise(paragraphs.map(row => dot(is[n]!, row) / 0.1))[own]!),
	);
	expect(value).toBeCloseTo(2 * near + 3 * apart + 5 * order + 7 * found, 4);
});

test('every pass has all paragraphs with a question in turn, and no batch a text twice', () => {
	const batchSize = 8;
	const pages = Array.from({length: 60}, (_, n) => {
		const at = n * 8;
		return {
			paragraph: at,
			questions: [at + 1, at + 2],
			sentences: [at + 3, at + 4, at + 5, at + 6, at + 7],
		};
	});
	const inference = Array.from({length: 40}, (_, n) => [480 + (n >> 2), 490 + n]);
	const teacher = {data: unitRows(530), width};
	const passes = 2;
	const pairs = orderedPairs({pages, inference}, {teacher, passes, batchSize, random});
	for (let at = 0; at < pairs.length; at += batchSize) {
		const texts = pairs.slice(at, at + batchSize).flatMap(pair => [pair.query, pair.positive]);
		expect(new Set(texts).size).toBe(texts.length);
	}

	const asked = pairs.filter(pair => pair.positive === pair.paragraph);
	expect(pairs.length % batchSize).toBe(0);
	expect(asked.length).toBeGreaterThan(passes * 60 - 2 * batchSize);
	expect(new Set(asked.map(pair => pair.query)).size).toBe(asked.length);
});
