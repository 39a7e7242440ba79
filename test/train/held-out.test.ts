// Validation loss, evaluations of one's own, and what they decide.

import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {infoNce} from '../../dist/loss/infonce.js';
import {triplet} from '../../dist/loss/triplet.js';
import type {EmbeddingModel} from '../../dist/model/embedding-model.js';
import {waitingAfter} from '../../dist/train/patience.js';
import {type TrainOptions, train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {hashOf, lines, loadTiny, metricsIn, quick, type Row, rowsOf, stoppingAt} from './tiny.js';

const {folder, put} = temporaryFolder();
const at = (name: string) => join(folder, name);
const heldOut = rowsOf(60).slice(50);
const file = put('held-out.jsonl', lines(heldOut));

async function run(name: string, options: Partial<TrainOptions>, model?: EmbeddingModel) {
	return train(model ?? (await loadTiny()), {
		...quick,
		output: at(name),
		report: false,
		...options,
	});
}

/** The values of one metric by the steps of its evaluations. */
const valuesOf = (name: string, set: string, metric: string) =>
	metricsIn(at(name)).flatMap(({step, evaluation}) =>
		evaluation ? [{step: step!, value: evaluation[set]![metric]!}] : [],
	);

/** Loss and accuracy of one batch in plain arithmetic. */
async function plainly(model: EmbeddingModel, rows: readonly Row[], temperature: number) {
	const texts = [
		...rows.map(({query}) => query),
		...rows.map(({positive}) => positive),
		...rows.flatMap(({negatives}) => negatives),
	];
	const {data, width} = await model.encode(texts, {normalize: true});
	const vector = (n: number) => Array.from(data.subarray(n * width, (n + 1) * width));
	const dot = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
	const documents = texts.slice(rows.length).map((_, n) => vector(rows.length + n));
	const losses = rows.map((_, n) => {
		const scores = documents.map(document => dot(vector(n), document) / temperature);
		const sum = scores.reduce((total, score) => total + Math.exp(score), 0);
		const isFirst = scores.every((score, m) => m === n || score < scores[n]!);
		return {loss: Math.log(sum) - scores[n]!, hit: isFirst ? 1 : 0};
	});
	const mean = (of: (row: {loss: number; hit: number}) => number) =>
		losses.map(of).reduce((a, b) => a + b, 0) / rows.length;
	return {loss: mean(row => row.loss), accuracy: mean(row => row.hit)};
}

describe('the loss of held-out rows', () => {
	test('is of the first records alone, where so many are asked for', async () => {
		const asked = async (evalLoss: Row[], evalLossRows?: number) => {
			const {evaluation} = await train(await loadTiny(), {
				...quick,
				evalLoss: {some: evalLoss},
				evalLossRows,
			});
			return evaluation.before;
		};
		expect(await asked(heldOut, 4)).toEqual(await asked(heldOut.slice(0, 4)));
		expect(await asked(heldOut, 4)).not.toEqual(await asked(heldOut));
		await expect(train(await loadTiny(), {...quick, evalLossRows: 4})).rejects.toThrow(
			/eval-loss-rows: expected --eval-loss beside it/,
		);
	});

	test('is that of a batch without dropout, with the share of queries that find their own', async () => {
		const model = await loadTiny();
		await train(model, {...quick, epochs: 3, learningRate: 3e-3});
		const expected = await plainly(model, heldOut, 0.05);
		expect(expected.accuracy).toBeGreaterThan(0);
		expect(expected.accuracy).toBeLessThan(1);
		const options = {batchSize: 12, evalLoss: `kept=${file}`, dropout: 0.3, chunkTokens: 40};
		const {evaluation} = await run('plain', options, model);
		expect(evaluation.before['kept']!['loss']).toBeCloseTo(expected.loss, 4);
		expect(evaluation.before['kept']!['accuracy']).toBeCloseTo(expected.accuracy, 10);
		const after = await plainly(model, heldOut, 0.05);
		expect(evaluation.after['kept']!['loss']).toBeCloseTo(after.loss, 4);
		expect(after.loss).not.toBeCloseTo(expected.loss, 3);
	});

	test('weighs batches by their rows', async () => {
		const one = await run('pieces', {evalLoss: {kept: heldOut}, batchSize: 4, seed: 3});
		const model = await loadTiny();
		const each = heldOut.map(row => ({...row, negatives: []}));
		const alone = await run('alone', {evalLoss: {kept: each}, batchSize: 4, seed: 3}, model);
		expect(one.evaluation.before['kept']).not.toEqual(alone.evaluation.before['kept']);
		expect(Object.keys(one.evaluation.before['kept']!)).toEqual(['loss', 'accuracy']);
	});

	test('of a loss that sees own negatives alone counts those', async () => {
		const data = rowsOf(24).filter(({negatives}) => negatives.length > 0);
		const kept = heldOut.filter(({negatives}) => negatives.length > 0);
		const model = await loadTiny();
		const {data: vectors, width} = await model.encode(
			kept.flatMap(({query, positive, negatives}) => [query, positive, negatives[0]!]),
		);
		const dot = (a: number, b: number) =>
			Array.from(
				{length: width},
				(_, i) => vectors[a * width + i]! * vectors[b * width + i]!,
			).reduce((x, y) => x + y);
		const hits = kept.filter((_, n) => dot(3 * n, 3 * n + 1) > dot(3 * n, 3 * n + 2)).length;
		const options = {data, evalLoss: {kept}, loss: triplet({margin: 0.3})};
		const {evaluation} = await run('triplets', options, model);
		expect(evaluation.before['kept']!['accuracy']).toBeCloseTo(hits / kept.length, 10);
	});

	test('decides by being small, and the same when the run was stopped in between', async () => {
		const options = {
			...{evalLoss: `kept=${file}`, metric: 'kept/loss', evalSteps: 2, epochs: 4},
			...{saveBest: true, keepBest: 2, keep: 1, saveSteps: 3, learningRate: 3e-3},
			loss: infoNce({learnTemperature: true}),
		};
		const result = await run('least', options);
		const values = valuesOf('least', 'kept', 'loss').slice(1);
		const ranked = [...values].sort((a, b) => a.value - b.value || a.step - b.step);
		expect(result.evaluation.after['kept']!['loss']).toBe(ranked[0]!.value);
		const kept = [...new Set([12, ranked[0]!.step, ranked[1]!.step])].map(step => `step-${step}`);
		expect(readdirSync(join(at('least'), 'checkpoints')).sort()).toEqual(kept.sort());
		await expect(run('parts', {...options, ...stoppingAt(5)})).rejects.toThrow('stopped at 5');
		await run('parts', {...options, resume: true});
		expect(valuesOf('parts', 'kept', 'loss')).toEqual(valuesOf('least', 'kept', 'loss'));
		expect(readdirSync(join(at('parts'), 'checkpoints')).sort()).toEqual(kept.sort());
		const [whole, parts] = ['least', 'parts'].map(name => join(at(name), 'model.safetensors'));
		expect(hashOf(parts!)).toBe(hashOf(whole!));
	});

	test('changed rows are another run', async () => {
		const changing = put('changing.jsonl', lines(heldOut));
		const options = {evalLoss: `kept=${changing}`, epochs: 2};
		await expect(run('changed', {...options, ...stoppingAt(2)})).rejects.toThrow('stopped');
		put('changing.jsonl', lines(heldOut.slice(1)));
		await expect(run('changed', {...options, resume: true})).rejects.toMatchObject({
			code: 'RESUME_CHANGED',
			message: expect.stringContaining('evalLoss'),
		});
	});
});

describe("an evaluation of one's own", () => {
	test('is asked at every evaluation, with the model as it is', async () => {
		const seen: number[] = [];
		const evaluators = {
			length: async (model: EmbeddingModel, {step}: {step: number}) => {
				seen.push(step);
				const vector = await model.embed('what is the symptom 3', {normalize: false});
				return {first: vector[0]!};
			},
		};
		await run('own', {evaluators, evalSteps: 1, learningRate: 3e-3});
		expect(seen).toEqual([0, 1, 2, 3]);
		expect(new Set(valuesOf('own', 'length', 'first').map(({value}) => value)).size).toBe(3);
		const {options} = JSON.parse(readFileSync(join(at('own'), 'run.json'), 'utf8'));
		expect(options.evaluators).toEqual(['length']);
	});

	test.each([
		[undefined, 3],
		[false, 2],
	])('decides on the best with greaterIsBetter %s', async (greaterIsBetter, best) => {
		const values = [0, 5, 1, 7, 2];
		const evaluators = {own: (_: EmbeddingModel, {step}: {step: number}) => ({x: values[step]!})};
		const options = {evaluators, evalSteps: 1, epochs: 1, saveBest: true, metric: 'own/x'};
		const name = `own-${greaterIsBetter}`;
		const result = await run(name, {...options, greaterIsBetter, data: rowsOf(32)});
		expect(result.evaluation.after['own']!['x']).toBe(values[best]);
	});

	test.each([
		[() => ({}), 'expected finite numbers by name from own, got none'],
		[() => ({x: Number.NaN}), 'got x: NaN'],
		[() => ({y: 1}), 'expected x from own, got y'],
	])('must return what decides, before the first step', async (own, message) => {
		const evaluators = {own} as unknown as NonNullable<TrainOptions['evaluators']>;
		const failing = run('wrong', {evaluators, metric: 'own/x', saveBest: true});
		await expect(failing).rejects.toMatchObject({
			code: 'EVALUATOR_INVALID',
			message: expect.stringContaining(message),
		});
	});
});

describe('patience that counts significant rises', () => {
	const options = {
		evalSteps: 1,
		epochs: 8,
		patience: 2,
		learningRate: 3e-3,
		evalLoss: `kept=${file}`,
	};
	const asked = {...options, metric: 'kept/loss', patienceSignificant: true};

	test('does not wait for rises that may be chance', async () => {
		const free = await run('chance', {...options, metric: 'kept/loss'});
		const strict = await run('strict', asked);
		expect(strict.steps).toBeLessThan(free.steps);
		const tested = metricsIn(at('strict')).filter(({p}) => p !== undefined);
		expect(tested.length).toBeGreaterThan(0);
		for (const {p, waited} of tested) expect([p! >= 0.05, waited! > 0]).toEqual([true, true]);
	});

	test.each([
		['of all queries', 1, 0, 0],
		['of one query', 0, 20, 1],
	])('takes a rise %s for what it is', async (_, shift, single, waited) => {
		const before = Array.from({length: 40}, (_, n) => Math.sin(n));
		const after = before.map((value, n) => value + shift + (n === 7 ? single : 0));
		const rule = {
			patience: 2,
			minDelta: undefined,
			evalSteps: 1,
			patienceSignificant: true,
			seed: 0,
		};
		const deciding = {name: 'kept', metric: 'accuracy', greater: true};
		const known = {value: 0.1, step: 1, sample: before, waited: 0};
		const next = {value: 0.6, step: 2, sample: {values: after}};
		const {waiting, p} = await waitingAfter(known, next, {rule, deciding, signal: undefined});
		expect(waiting.waited).toBe(waited);
		expect(p! < 0.05).toBe(waited === 0);
	});

	test('goes on to the same end when it was stopped in between', async () => {
		const whole = metricsIn(at('strict')).filter(({evaluation}) => evaluation);
		await expect(run('again', {...asked, ...stoppingAt(2)})).rejects.toThrow('stopped');
		await run('again', {...asked, resume: true});
		expect(metricsIn(at('again')).filter(({evaluation}) => evaluation)).toEqual(whole);
	});

	test.each([
		[{patienceSignificant: true}, 'patience-significant: expected --patience'],
		[{keepBest: 2, evalLoss: `kept=${file}`}, 'keep-best: expected --eval-steps'],
		[{keepBest: 2, evalSteps: 2}, 'keep-best: expected --eval'],
		[{greaterIsBetter: true}, 'greater-is-better: expected an evaluation'],
		[
			{
				...{patience: 1, evalSteps: 1, patienceSignificant: true},
				...{metric: 'own/x', evaluators: {own: () => ({x: 1})}},
			},
			'patience-significant: expected a metric of queries or pairs',
		],
	])('%j is refused', async (asked, message) => {
		await expect(run('refused', asked)).rejects.toMatchObject({
			code: 'OPTION_CONFLICT',
			message: expect.stringContaining(message),
		});
	});
});
