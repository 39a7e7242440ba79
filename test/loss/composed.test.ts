// Losses that are made of others: their values by hand, what they report, and what they refuse.

import {describe, expect, test} from 'vitest';
import {evaluateLoss, type PlainColumn} from '../../dist/loss/evaluate.js';
import {losses} from '../../dist/loss/index.js';
import type {Loss} from '../../dist/loss/loss.js';
import {lossFor} from '../../dist/loss/loss-for.js';
import {matryoshka} from '../../dist/loss/matryoshka.js';
import {rDrop} from '../../dist/loss/r-drop.js';
import {weightedSum} from '../../dist/loss/weighted-sum.js';
import {normals} from '../support/matrix.js';

const random = normals(5);
const drawn = (rows: number, width = 6): PlainColumn => ({
	data: Float32Array.from({length: rows * width}, random),
	rows,
	width,
});
const below = (...parts: PlainColumn[]): PlainColumn => ({
	data: Float32Array.from(parts.flatMap(({data}) => [...data])),
	rows: parts.reduce((sum, {rows}) => sum + rows, 0),
	width: parts[0]!.width,
});
const some = ({data, width}: PlainColumn, rows: number[]): PlainColumn => ({
	data: Float32Array.from(rows.flatMap(row => [...data.subarray(row * width, (row + 1) * width)])),
	rows: rows.length,
	width,
});
const rowsIn = ({data, rows, width}: PlainColumn) =>
	Array.from({length: rows}, (_, row) => [...data.subarray(row * width, (row + 1) * width)]);
const dot = (a: number[], b: number[]) => a.reduce((sum, x, n) => sum + x * b[n]!, 0);
const cosine = (a: number[], b: number[]) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
const mean = (list: number[]) => list.reduce((sum, x) => sum + x, 0) / list.length;

describe('R-Drop', () => {
	const passes = [0, 1].map(() => [drawn(4), drawn(4), drawn(4)]);
	const both = [0, 1, 2].map(n => below(passes[0]![n]!, passes[1]![n]!));

	/** The softmax of a query over documents, those left out far below. */
	function shares(
		columns: PlainColumn[],
		{temperature = 0.05, meets = (_: number, __: number) => true},
	) {
		const [query, ...documents] = columns.map(rowsIn);
		const all = documents.flat();
		return query!.map((row, n) => {
			const scores = all.map((document, m) =>
				meets(n, m) ? Math.exp(cosine(row, document) / temperature) : 0,
			);
			const sum = scores.reduce((a, b) => a + b, 0);
			return scores.map(score => score / sum);
		});
	}

	/** The mean over rows of KL(p‖q) + KL(q‖p). */
	function apart(p: number[][], q: number[][]): number {
		const kl = (a: number[], b: number[]) =>
			a.reduce((sum, x, n) => (x > 0 ? sum + x * Math.log(x / b[n]!) : sum), 0);
		return mean(p.map((row, n) => kl(row, q[n]!) + kl(q[n]!, row)));
	}

	const own = (n: number, m: number) => m % 4 === n;

	test.each([
		['all documents', {temperature: 0.3}, {temperature: 0.3}],
		['the own group', {temperature: 0.3, candidates: ['ownHard']}, {temperature: 0.3, meets: own}],
		[
			'other positives and the own hard negative',
			{candidates: ['inBatchPositives', 'ownHard']},
			{meets: (n: number, m: number) => m < 4 || own(n, m)},
		],
	] as const)('adds a quarter of alpha times the divergences over %s', async (_, options, met) => {
		const base = losses.infonce(options as object);
		const each = await Promise.all(passes.map(async columns => evaluateLoss(base, {columns})));
		const {value, reports} = await evaluateLoss(rDrop(base, {alpha: 3}), {columns: both});
		const [p, q] = passes.map(columns => shares(columns, met)) as [number[][], number[][]];
		const losses2 = mean(each.map(one => one.value));
		const size = losses2 + 0.75 * apart(p, q);
		expect(value / size).toBeCloseTo(1, 5);
		expect(reports['losses.infonce']! / losses2).toBeCloseTo(1, 5);
		expect((2 * reports['losses.rdrop']!) / apart(p, q)).toBeCloseTo(1, 5);
	});

	test('takes squares of scores where pairs are scored', async () => {
		const scores = Float32Array.of(0.1, 0.7, 0.3, 0.9);
		const pairs = passes.map(columns => columns.slice(0, 2));
		const each = await Promise.all(
			pairs.map(columns => evaluateLoss(losses.cosent(), {columns, scores})),
		);
		const {value} = await evaluateLoss(rDrop(losses.cosent(), {alpha: 4}), {
			columns: both.slice(0, 2),
			scores: Float32Array.of(...scores, ...scores),
		});
		const cosines = pairs.map(([a, b]) => rowsIn(a!).map((row, n) => cosine(row, rowsIn(b!)[n]!)));
		const squares = mean(cosines[0]!.map((x, n) => (x - cosines[1]![n]!) ** 2));
		expect(value).toBeCloseTo(mean(each.map(one => one.value)) + 2 * squares, 4);
	});

	test('takes the distance of embeddings of texts alone', async () => {
		const loss = losses.distillvectors();
		const [one, two] = passes.map(columns => columns[0]!) as [PlainColumn, PlainColumn];
		const teacher = drawn(4);
		const each = await Promise.all(
			[one, two].map(text => evaluateLoss(loss, {columns: [text], teacher})),
		);
		const twice = {columns: [below(one, two)], teacher: below(teacher, teacher)};
		const {value} = await evaluateLoss(rDrop(loss, {alpha: 4}), twice);
		const squares = mean(rowsIn(one).map((row, n) => 2 - 2 * cosine(row, rowsIn(two)[n]!)));
		expect(value).toBeCloseTo(mean(each.map(({value}) => value)) + 2 * squares, 4);
	});

	test.each([
		['triplet', {margin: 0.3}, 0.05, own],
		[
			'triplet',
			{form: 'logSigmoid', temperature: 0.2},
			0.2,
			(n: number, m: number) => m >= 4 || m === n,
		],
		['klonscores', {studentTemperature: 0.4}, 0.4, own],
		['distill', {temperature: 0.5, studentTemperature: 0.5}, 0.25, own],
	] as const)(
		'of %s %j is over what a query is compared with',
		async (name, options, temperature, meets) => {
			const base = (losses[name] as (options: object) => Loss)(options);
			const scores = Float32Array.of(2, 1, 1, 2, 3, 1, 0, 1);
			const given = {
				columns: both,
				...(base.needs?.scores && {scores: Float32Array.of(...scores, ...scores)}),
			};
			const {reports} = await evaluateLoss(rDrop(base), given);
			const [p, q] = passes.map(columns => shares(columns, {temperature, meets})) as [
				number[][],
				number[][],
			];
			expect((2 * reports['losses.rdrop']!) / apart(p, q)).toBeCloseTo(1, 4);
		},
	);

	test('of two equal passes is the loss', async () => {
		const twice = passes[0]!.map(column => below(column, column));
		for (const loss of [losses.infonce(), losses.triplet()]) {
			const {value} = await evaluateLoss(loss, {columns: passes[0]!});
			const dropped = await evaluateLoss(rDrop(loss), {columns: twice});
			expect(dropped.value).toBe(value);
			expect(dropped.reports['losses.rdrop']).toBe(0);
		}
	});

	test.each([
		['kl of texts alone', () => rDrop(losses.distillvectors(), {divergence: 'kl'})],
		[
			'several losses of token vectors',
			() => rDrop(weightedSum([{loss: losses.lateinteraction()}])),
		],
		['R-Drop in itself', () => rDrop(rDrop(losses.infonce()))],
		['squares of classes', () => rDrop(losses.softmax(), {divergence: 'squares'})],
	])('refuses %s', (_, make) => {
		expect(make).toThrow(expect.objectContaining({code: 'OPTION_CONFLICT'}));
	});

	test('refuses an odd number of rows', async () => {
		const columns = [drawn(3), drawn(3)];
		await expect(evaluateLoss(rDrop(losses.infonce()), {columns})).rejects.toThrow(
			'rdrop: expected the rows of two passes, got 3',
		);
	});
});

describe('a weighted sum', () => {
	const columns = [drawn(5), drawn(5)];
	const scores = Float32Array.of(0.1, 0.7, 0.3, 0.9, 0.5);

	test('is the sum of the losses by their weights, each reported', async () => {
		const one = await evaluateLoss(losses.infonce(), {columns});
		const two = await evaluateLoss(losses.cosent(), {columns, scores});
		const loss = weightedSum([{loss: losses.infonce()}, {loss: losses.cosent(), weight: 0.5}]);
		const {value, gradients, reports} = await evaluateLoss(loss, {columns, scores});
		expect(value).toBeCloseTo(one.value + 0.5 * two.value, 4);
		const expected = one.gradients[0]!.map((x, n) => x + 0.5 * two.gradients[0]![n]!);
		for (const [n, x] of expected.entries()) expect(gradients[0]![n]).toBeCloseTo(x, 5);
		expect(reports).toEqual({
			...one.reports,
			'losses.infonce': one.value,
			'losses.cosent': two.value,
		});
	});

	test('of one loss at weight 1 is that loss', async () => {
		const {value} = await evaluateLoss(losses.infonce(), {columns});
		const alone = await evaluateLoss(weightedSum([{loss: losses.infonce()}]), {columns});
		expect(alone.value).toBe(value);
	});

	test('numbers what has the same name, and keeps what each learns', async () => {
		const learned = (temperature: number) => losses.infonce({learnTemperature: true, temperature});
		const loss = weightedSum([{loss: learned(0.1)}, {loss: learned(0.5)}]);
		const {reports, parameterGradients} = await evaluateLoss(loss, {columns});
		expect(Object.keys(reports)).toEqual(
			expect.arrayContaining(['losses.infonce', 'losses.infonce-2']),
		);
		expect(reports.temperature).toBeCloseTo(0.1, 6);
		expect(Object.keys(parameterGradients)).toEqual([
			'infonce.temperature',
			'infonce-2.temperature',
		]);
	});

	test.each([
		['no losses', () => weightedSum([])],
		['no function', () => weightedSum([{loss: 'infonce' as unknown as Loss}])],
	])('refuses %s', (_, make) => {
		expect(make).toThrow(expect.objectContaining({code: 'LOSS_INVALID'}));
	});

	test.each([
		['texts and pairs', [losses.infonce(), losses.arcface()]],
		['scores of rows and of candidates', [losses.cosent(), losses.distill()]],
		['no negatives and some', [losses.cosent(), losses.triplet()]],
		['two queues', [losses.infonce({queue: 4}), losses.infonce({queue: 4})]],
		['R-Drop of a part', [losses.infonce(), rDrop(losses.infonce())]],
		['labels of classes and of pairs', [losses.softmax({row: 'pair'}), losses.marginranking()]],
	])('refuses %s', (_, parts) => {
		expect(() => weightedSum(parts.map(loss => ({loss})))).toThrow(
			expect.objectContaining({code: 'OPTION_CONFLICT'}),
		);
	});

	test('needs what all parts need', () => {
		const loss = weightedSum([{loss: losses.cosent()}, {loss: losses.bce()}]);
		expect(loss.needs).toMatchObject({scores: {of: 'row', from: 0, to: 1}, negatives: 'none'});
		expect(weightedSum([{loss: losses.mse()}, {loss: losses.infonce()}]).needs).toMatchObject({
			across: 'texts',
		});
	});
});

describe('a loss for each data set', () => {
	const columns = [drawn(5), drawn(5)];
	const scores = Float32Array.of(0.4, 0.2, 0.9);
	const sets = ['b', 'a', 'b', 'a', 'b'];
	const loss = lossFor({a: losses.infonce(), b: losses.cosent()});

	test('is that of the rows of each set alone, by their share', async () => {
		const of = (rows: number[]) => columns.map(column => some(column, rows));
		const a = await evaluateLoss(losses.infonce(), {columns: of([1, 3])});
		const b = await evaluateLoss(losses.cosent(), {columns: of([0, 2, 4]), scores});
		const {value, gradients, reports} = await evaluateLoss(loss, {columns, scores, sets});
		expect(value).toBeCloseTo((2 * a.value + 3 * b.value) / 5, 5);
		expect(reports).toMatchObject({'losses.a': a.value, 'losses.b': b.value, candidates: 2});
		const [query] = gradients;
		for (const [n, x] of a.gradients[0]!.subarray(0, 6).entries()) {
			expect(query![6 + n]).toBeCloseTo(0.4 * x, 6);
		}
	});

	test('is the loss of the set where a batch is of one', async () => {
		const alone = await evaluateLoss(losses.infonce(), {columns});
		const {value} = await evaluateLoss(loss, {columns, sets: Array(5).fill('a')});
		expect(value).toBe(alone.value);
	});

	test('takes another for sets that are not named', async () => {
		const given = {columns, sets: ['x', 'x', 'y', 'y', 'y']};
		const {reports} = await evaluateLoss(
			lossFor({x: losses.infonce()}, {otherwise: losses.ntxent()}),
			given,
		);
		expect(Object.keys(reports)).toEqual(expect.arrayContaining(['losses.x', 'losses.y']));
		await expect(evaluateLoss(lossFor({x: losses.infonce()}), given)).rejects.toThrow(
			'lossfor: expected rows of x, got some of y',
		);
	});

	test.each([
		['no sets of rows', {columns}, 'expected the data set of each of 5 rows, got none'],
		['scores of other rows', {columns, scores: Float32Array.of(1), sets}, 'expected 3 scores'],
	])('refuses %s', async (_, given, message) => {
		await expect(evaluateLoss(loss, given)).rejects.toThrow(message);
	});

	test('refuses rows of two kinds, queues and what is no loss', () => {
		const conflict = expect.objectContaining({code: 'OPTION_CONFLICT'});
		expect(() => lossFor({a: losses.infonce(), b: losses.arcface()})).toThrow(conflict);
		expect(() => lossFor({a: losses.infonce({queue: 4})})).toThrow(conflict);
		expect(() => lossFor({})).toThrow(expect.objectContaining({code: 'LOSS_INVALID'}));
	});
});

test('combinators go into one another', async () => {
	const wide = matryoshka(losses.infonce(), {widths: [6, 3]});
	const sum = weightedSum([{loss: wide}, {loss: losses.ntxent(), weight: 0.2}]);
	const loss = lossFor({a: rDrop(sum)}, {otherwise: rDrop(losses.infonce())});
	const columns = [drawn(12), drawn(12)];
	const sets = ['a', 'b', 'a', 'a', 'b', 'b', 'a', 'b', 'a', 'a', 'b', 'b'];
	const {value, reports} = await evaluateLoss(loss, {columns, sets});
	expect(Number.isFinite(value)).toBe(true);
	expect(reports).toMatchObject({
		'losses.a': expect.any(Number),
		'losses.b': expect.any(Number),
		'losses.rdrop': expect.any(Number),
		'losses.matryoshka': expect.any(Number),
	});
});
