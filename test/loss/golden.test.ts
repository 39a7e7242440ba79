// Golden values of losses, recomputed in plain Python from the definitions of five systems.

import {describe, expect, test} from 'vitest';
import {evaluateLoss, type PlainInputs} from '../../dist/loss/evaluate.js';
import {type LossName, losses} from '../../dist/loss/index.js';
import type {Loss} from '../../dist/loss/loss.js';
import {matryoshka} from '../../dist/loss/matryoshka.js';

type Inputs = Omit<PlainInputs, 'columns'>;

const column = (...rows: number[][]) => ({
	data: Float32Array.from(rows.flat()),
	rows: rows.length,
	width: rows[0]!.length,
});
const queries = column([1, 2, 0, 1], [0, 1, 2, -1]);
const positives = column([1, 1, 0, 1], [0, 1, 1, 0]);
const negatives = column([1, -1, 1, 0], [1, 1, 1, 1]);
const triplets = [queries, positives, negatives];

async function expectValue(
	[name, options]: readonly [LossName, object],
	inputs: PlainInputs,
	expected: number,
): Promise<void> {
	const loss = (losses[name] as (options: object) => Loss)(options);
	const size = Math.max(1, Math.abs(expected));
	expect((await evaluateLoss(loss, inputs)).value / size).toBeCloseTo(expected / size, 5);
}

/** Pairs of unit vectors with these cosines, or of width 1 with these dot products. */
const withCosines = (...cosines: number[]) => [
	column(...cosines.map(() => [1, 0])),
	column(...cosines.map(cosine => [cosine, Math.sqrt(1 - cosine ** 2)])),
];
const withDots = (...dots: number[]) => [
	column(...dots.map(() => [1])),
	column(...dots.map(dot => [dot])),
];

describe('triplets', () => {
	const logSigmoid = {form: 'logSigmoid', temperature: 0.1};

	test.each([
		['triplet', logSigmoid, 0.065271],
		['triplet', {...logSigmoid, margin: 0.1}, -0.03666],
		['triplet', {margin: 0.5}, 0.021111],
		['hinge', {margin: 0.5}, 0.021111],
		['logistic', {temperature: 0.1}, 0.005116],
		['contrastive', {margin: 0.5}, 0.02122],
	] as const)('%s %j is %d', async (name, options, expected) => {
		await expectValue([name, options], {columns: triplets}, expected);
	});

	test('contrastive of four labelled pairs is 0.021220', async () => {
		const both = (a: typeof queries, b: typeof queries) =>
			column(...[a, b].flatMap(({data}) => [[...data.slice(0, 4)], [...data.slice(4)]]));
		const columns = [both(queries, queries), both(positives, negatives)];
		const given: Inputs = {labels: Float32Array.of(1, 1, 0, 0)};
		await expectValue(['contrastive', {margin: 0.5}], {columns, ...given}, 0.02122);
	});
});

describe('scored pairs', () => {
	const pairs = [queries, positives];
	const mixed = withCosines(0.2, 0.9, 0.5);
	const turned = withCosines(0.9, 0.2, 0.5);
	const rising = withCosines(0.1, 0.4, 0.9);
	const logits = withDots(1, -0.5, 0.3);

	test.each([
		['cosent', {scale: 1}, {columns: mixed}, [0, 1, 0.5], 1.06737],
		['cosent', {}, {columns: mixed}, [0, 1, 0.5], 0.002811],
		['cosent', {}, {columns: turned}, [0, 1, 0.5], 14.002811],
		['pearson', {}, {columns: rising}, [0, 0.5, 1], 0.010257],
		['marginmse', {}, {columns: triplets}, [0.3, 0.3], 0.398338],
		[
			'klonscores',
			{group: 'batch', studentTemperature: 0.1, teacherTemperature: 0.1},
			...([{columns: pairs}, [0.8, 0.2], 0.182885] as const),
		],
	] as const)('%s %j is the golden value %#', async (name, options, given, scores, expected) => {
		await expectValue([name, options], {...given, scores: Float32Array.from(scores)}, expected);
	});

	test('circle is 1.397230', async () => {
		const given = {columns: logits, labels: Float32Array.of(1, 0, 0)};
		await expectValue(['circle', {similarity: 'dot', scale: 1}], given, 1.39723);
	});
});

/** Two queries of two documents whose scores, by dot products, are those of LLM-Embedder's example. */
const scored = {
	columns: [column([1, 0], [0, 1]), column([2, 0.5], [0, 3]), column([1, 0], [-1, 1])],
};
const shares = [0.7, 0.3, 0.6, 0.4];

describe('a teacher of each query’s documents', () => {
	const options = {similarity: 'dot', studentTemperature: 1, teacherTemperature: 1};

	const stable = {similarity: 'dot', temperature: 1, method: 'stable'};
	const both = {similarity: 'dot', temperature: 1, contrastiveWeight: 0.2};
	const alone = {...both, distillWeight: 0};

	test.each([
		['stable, of scores', stable, shares, 0.431778],
		['stable, of logarithms', stable, shares.map(Math.log), 0.422306],
		['kl', {similarity: 'dot', temperature: 1}, shares, 0.190061],
		['kl beside the softmax', both, shares, 0.2 * 0.338503 + 0.190061],
		['the softmax alone, unweighted', alone, shares, 0.338503],
	])('distill by %s', async (_, how, scores, expected) => {
		const given = {...scored, scores: Float32Array.from(scores)};
		await expectValue(['distill', how], given, expected);
	});

	test.each([
		['scores', shares, 0.190061],
		['logarithms', shares.map(Math.log), 0.128157],
	])('klonscores of %s', async (_, scores, expected) => {
		const given = {...scored, scores: Float32Array.from(scores)};
		await expectValue(['klonscores', options], given, expected);
	});
});

describe('classes', () => {
	const weight = Float32Array.of(1, 0, 0, 0, 0, 1, 0, 1);

	test.each([
		['the first query in class 1', 0, 1, 0.034098],
		['the second query in class 0', 1, 0, 14.382767],
	])('arcface of %s', async (_, row, label, expected) => {
		const x = column([...queries.data.slice(4 * row, 4 * row + 4)]);
		const given = {labels: Float32Array.of(label), parameters: {weight}};
		await expectValue(['arcface', {}], {columns: [x], ...given}, expected);
	});

	test('a margin holds for its epoch, and the last for all that follow', async () => {
		const loss = losses.arcface({margin: [0.1, 0.2, 0.4]});
		const given = {columns: [queries], labels: Float32Array.of(0, 1), parameters: {weight}};
		const margins = [0, 1, 2, 7].map(async epoch => {
			const {reports} = await evaluateLoss(loss, {...given, epoch});
			return reports.margin;
		});
		expect(await Promise.all(margins)).toEqual([0.1, 0.2, 0.4, 0.4]);
	});

	test('focal with gamma 0 is the cross-entropy', async () => {
		const given = {columns: [queries], labels: Float32Array.of(0, 1)};
		const {value} = await evaluateLoss(losses.softmax(), given);
		await expectValue(['softmax', {form: 'focal', gamma: 0}], given, value);
	});
});

describe('a teacher’s vectors', () => {
	/** Three unit vectors with the cosines of (1, 2), (1, 3) and (2, 3). */
	const withPairs = (a: number, b: number, c: number) => {
		const [y, across] = [Math.sqrt(1 - a * a), (c - a * b) / Math.sqrt(1 - a * a)];
		return column([1, 0, 0], [a, y, 0], [b, across, Math.sqrt(1 - b * b - across * across)]);
	};
	const none = {cosineWeight: 0, similarityWeight: 0, tripletWeight: 0};
	const student = withPairs(0.5, 0.6, 0.1);
	const teacher = withPairs(0.9, 0.2, 0.4);

	test.each([
		[{...none, tripletWeight: 1}, 0.21],
		[{...none, similarityWeight: 1}, 0.091111],
		[{...none, similarityWeight: 200, tripletWeight: 20}, 200 * 0.0911111 + 20 * 0.21],
	])('distillvectors %j', async (options, expected) => {
		const given = {columns: [student], teacher};
		await expectValue(['distillvectors', options], given, expected);
	});

	test('ties of the teacher count as rising', async () => {
		const given = {columns: [withPairs(0.5, 0.3, 0.1)], teacher: withPairs(0.4, 0.4, 0.4)};
		await expectValue(
			['distillvectors', {...none, tripletWeight: 3, margin: 0}],
			given,
			0.2 + 0.4 + 0.2,
		);
	});

	test.each([1, 2])('of %d texts have no pairs of pairs', async rows => {
		const texts = column(
			...[
				[1, 2],
				[2, 3],
			].slice(0, rows),
		);
		const {value, gradients} = await evaluateLoss(losses.distillvectors(), {
			columns: [texts],
			teacher: column(
				...[
					[3, 1],
					[1, 1],
				].slice(0, rows),
			),
		});
		expect([value, ...gradients[0]!].every(Number.isFinite)).toBe(true);
	});
});

describe('nested widths', () => {
	const all = losses.infonce({temperature: 0.1, similarity: 'dot'});

	/** Rows of length 1. */
	const unit = ({data, rows, width}: typeof queries) =>
		column(
			...Array.from({length: rows}, (_, n) => {
				const row = [...data.subarray(n * width, (n + 1) * width)];
				return row.map(value => value / Math.hypot(...row));
			}),
		);

	test('2 and 4, their mean, brought to length 1, are 0.134003', async () => {
		const loss = matryoshka(losses.infonce({temperature: 0.1}), {widths: [2, 4], reduce: 'mean'});
		const {value} = await evaluateLoss(loss, {columns: [queries, positives]});
		expect(value).toBeCloseTo(0.134003, 6);
	});

	test('4 and 2 of vectors of length 1 as they are, are 0.746710', async () => {
		const loss = matryoshka(all, {widths: [4, 2], renormalize: false});
		const {value, reports} = await evaluateLoss(loss, {columns: triplets.map(unit)});
		expect(value).toBeCloseTo(0.74671, 5);
		expect(reports).toMatchObject({candidates: 4, temperature: expect.closeTo(0.1, 6)});
	});

	test('weigh what their weights say', async () => {
		const columns = [queries, positives];
		const at = async (widths: number[], weights: number[]) =>
			(await evaluateLoss(matryoshka(losses.cosent(), {widths, weights}), {...{columns}, scores}))
				.value;
		const scores = Float32Array.of(0.2, 0.9);
		const [both, wide, narrow] = [
			await at([4, 2], [3, 0.5]),
			await at([4], [1]),
			await at([2], [1]),
		];
		expect(both).toBeCloseTo(3 * wide + 0.5 * narrow, 4);
	});
});
