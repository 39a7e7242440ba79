// What a run says of itself: every step's numbers, against plain arithmetic on encoded texts.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {infoNce} from '../../dist/loss/infonce.js';
import type {Loss} from '../../dist/loss/loss.js';
import type {EmbeddingModel} from '../../dist/model/embedding-model.js';
import type {StepMetrics} from '../../dist/train/metrics-log.js';
import {type TrainOptions, train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {hashOf, lines, loadTiny, metricsIn, quick, rowsOf, sha256, stoppingAt} from './tiny.js';

const {folder, put} = temporaryFolder();
const at = (name: string) => join(folder, name);

/** Trains the model, or one of its own; returns what was said of every step. */
async function stepsOf(options: Partial<TrainOptions>, model?: EmbeddingModel) {
	const steps: StepMetrics[] = [];
	const messages: string[] = [];
	const result = await train(model ?? (await loadTiny()), {
		...quick,
		...options,
		onStep: step => steps.push(step),
		onMessage: message => messages.push(message),
	});
	return {steps, messages, result};
}

/** The mean cosine of pairs of texts. */
async function meanCosine(model: EmbeddingModel, pairs: readonly [string, string][]) {
	const {data, width} = await model.encode(pairs.flat(), {normalize: true});
	const row = (n: number) => data.subarray(n * width, (n + 1) * width);
	const cosines = pairs.map((_, n) =>
		row(2 * n).reduce((s, x, i) => s + x * row(2 * n + 1)[i]!, 0),
	);
	return cosines.reduce((a, b) => a + b) / pairs.length;
}

test('metrics.jsonl has every field of every step, as onStep sees them', async () => {
	const {steps} = await stepsOf({output: at('fields')});
	expect(Object.keys(steps[0]!)).toEqual([
		...['step', 'epoch', 'loss', 'learningRate', 'gradientNorm', 'temperature', 'rows'],
		...['candidates', 'tokens', 'truncatedQueries', 'truncatedDocuments'],
		...['rowsPerSecond', 'tokensPerSecond', 'positiveCosine', 'negativeCosine'],
		...['cosineGap', 'inBatchCosine', 'negatives', 'gradientNorms', 'weightNorms'],
		'peakMemoryBytes',
	]);
	expect(metricsIn(at('fields'))).toEqual(steps);
	expect(steps.map(({step}) => step)).toEqual([1, 2, 3]);
	expect(steps.map(({learningRate}) => learningRate)).toEqual([0, 1e-3, 5e-4]);
});

test('only every n-th step is logged, and the last', async () => {
	const {steps} = await stepsOf({output: at('some'), steps: 7, loggingSteps: 3});
	expect(steps).toHaveLength(7);
	expect(metricsIn(at('some')).map(({step}) => step)).toEqual([3, 6, 7]);
});

describe('the cosines and candidates', () => {
	test('are those of the rows of the step', async () => {
		const rows = rowsOf(8);
		const model = await loadTiny();
		const near = await meanCosine(
			model,
			rows.map(({query, positive}) => [query, positive]),
		);
		const hard = rows.flatMap(({query, negatives}) =>
			negatives.map((text): [string, string] => [query, text]),
		);
		const far = await meanCosine(model, hard);
		const {steps} = await stepsOf({data: rows, dropout: 0, chunkTokens: 30}, model);
		expect(steps[0]!.positiveCosine).toBeCloseTo(near, 6);
		expect(steps[0]!.negativeCosine).toBeCloseTo(far, 6);
		expect(steps[0]!.candidates).toBe(8 + hard.length);
		expect(steps[0]!.temperature).toBe(0.05);
	});

	test('know no negative where there is none', async () => {
		const {steps} = await stepsOf({negatives: 0});
		expect(steps.map(({negativeCosine}) => negativeCosine)).toEqual([null, null, null]);
		expect(steps.map(({candidates}) => candidates)).toEqual([8, 8, 8]);
	});

	test('count what the loss is asked to meet', async () => {
		const loss = infoNce({candidates: ['ownHard']});
		const data = rowsOf(16).filter(({negatives}) => negatives.length === 1);
		const {steps} = await stepsOf({data, batchSize: 4, loss});
		expect(steps.map(({candidates}) => candidates)).toEqual([2, 2]);
	});
});

describe('the course of a run', () => {
	test('keeps the last partial batch and tells epochs as fractions', async () => {
		const {steps, result} = await stepsOf({data: rowsOf(19), epochs: 2});
		expect(steps.map(({rows}) => rows)).toEqual([8, 8, 3, 8, 8, 3]);
		const thirds = [1, 2, 3, 4, 5, 6].map(n => n / 3);
		for (const [n, {epoch}] of steps.entries()) expect(epoch).toBeCloseTo(thirds[n]!, 12);
		expect(result).toMatchObject({steps: 6, epochs: 2, rows: 38});
	});

	test('leaves out a row alone without negatives, and says so', async () => {
		const data = rowsOf(20).filter(({negatives}) => negatives.length === 0);
		const {steps, messages} = await stepsOf({data: data.slice(0, 9), epochs: 2});
		expect(steps.map(({rows}) => rows)).toEqual([8, 8]);
		expect(messages).toContain('2 rows left out: alone in their batch and without negatives');
	});

	test.each([
		[{steps: 5}, 5, 40 / 24],
		[{steps: 2}, 2, 16 / 24],
		[{epochs: 0.5}, 2, 0.5],
		[{epochs: 1.4}, 5, 1.4],
	])('with %j has %d steps', async (asked, steps, epochs) => {
		const {result} = await stepsOf(asked);
		expect(result.steps).toBe(steps);
		expect(result.epochs).toBeCloseTo(epochs, 12);
	});

	test('shuffles anew in each epoch and not at all in the order of the file', async () => {
		const seen: string[] = [];
		const model = await loadTiny();
		const {tokenizer} = model;
		const encode = tokenizer.encode.bind(tokenizer);
		tokenizer.encode = (texts, options) => {
			seen.push(texts[0]!);
			return encode(texts, options);
		};
		await stepsOf({data: rowsOf(8), epochs: 3, order: 'file'}, model);
		const queries = seen.filter((_, n) => n % 2 === 0);
		expect(new Set(queries)).toEqual(new Set([rowsOf(1)[0]!.query]));
		seen.length = 0;
		await stepsOf({data: rowsOf(8), epochs: 12}, model);
		expect(new Set(seen.filter((_, n) => n % 2 === 0)).size).toBeGreaterThan(2);
	});
});

test('tokens and cut texts are counted as they are encoded', async () => {
	const rows = rowsOf(8);
	const model = await loadTiny();
	const queries = await model.encode(
		rows.map(({query}) => `ask: ${query}`),
		{maxLength: 9},
	);
	const documents = await model.encode(
		rows.flatMap(({positive, negatives}) => [positive, ...negatives]),
		{maxLength: 12},
	);
	const {steps} = await stepsOf(
		{data: rows, queryMaxLength: 9, documentMaxLength: 12, queryPrompt: 'ask: '},
		model,
	);
	const total = [...queries.tokens, ...documents.tokens].reduce((a, b) => a + b);
	expect(queries.truncated).toBeGreaterThan(0);
	expect(documents.truncated).toBeGreaterThan(0);
	expect(steps[0]).toMatchObject({
		tokens: total,
		truncatedQueries: queries.truncated,
		truncatedDocuments: documents.truncated,
	});
});

describe('a custom loss', () => {
	const seen: {labels: number[]; scores: number[]}[] = [];
	const noting: Loss = (ops, {columns: [query, positive], labels = [], scores = []}) => {
		seen.push({labels: Array.from(labels), scores: Array.from(scores)});
		return ops.mean(ops.square(ops.subtract(query!, positive!)));
	};

	test('gets the labels and scores of its rows', async () => {
		const data = rowsOf(6).map((row, n) => ({...row, label: n % 2, score: n / 8}));
		await stepsOf({data, batchSize: 3, order: 'file', loss: noting});
		expect(seen).toEqual([
			{labels: [0, 1, 0], scores: [0, 0.125, 0.25]},
			{labels: [1, 0, 1], scores: [0.375, 0.5, 0.625]},
		]);
	});

	test('gets none where a row has none', async () => {
		seen.length = 0;
		const data = rowsOf(2).map((row, n) => (n === 0 ? {...row, label: 1} : row));
		const {steps} = await stepsOf({data, loss: noting});
		expect(seen).toEqual([{labels: [], scores: []}]);
		expect(steps[0]).toMatchObject({candidates: null, temperature: null});
	});

	test('is recorded by its name', async () => {
		await stepsOf({loss: noting, output: at('custom')});
		const {options} = JSON.parse(readFileSync(join(at('custom'), 'run.json'), 'utf8'));
		expect(options.loss).toEqual({name: 'noting'});
	});
});

describe('a learned temperature', () => {
	const learned = {
		...{loss: infoNce({temperature: 0.05, learnTemperature: true})},
		...{learningRate: 1e-3, warmupRatio: 0, saveSteps: 1, epochs: 2},
	};

	test('moves by the rate, and each step tells the one it used', async () => {
		const {steps} = await stepsOf(learned);
		const temperatures = steps.map(({temperature}) => temperature!);
		expect(temperatures[0]).toBeCloseTo(0.05, 8);
		expect(Math.abs(temperatures[1]! - temperatures[0]!)).toBeCloseTo(1e-3, 6);
		expect(new Set(temperatures).size).toBe(6);
	});

	test('survives resuming, with its moments', async () => {
		const {steps} = await stepsOf({...learned, output: at('learned')});
		const asked = {...learned, output: at('again')};
		const stopped = train(await loadTiny(), {...quick, ...asked, ...stoppingAt(3)});
		await expect(stopped).rejects.toThrow('stopped at 3');
		const rest = await stepsOf({...asked, resume: true});
		const tail = steps.slice(3).map(({loss, temperature}) => ({loss, temperature}));
		expect(rest.steps.map(({loss, temperature}) => ({loss, temperature}))).toEqual(tail);
		const weights = 'model.safetensors';
		expect(hashOf(join(at('again'), weights))).toBe(hashOf(join(at('learned'), weights)));
	});
});

test('run.json tells what was run, on what, by what', async () => {
	const text = lines(rowsOf(24));
	const data = put('rows.jsonl', text);
	const model = await loadTiny();
	const {result} = await stepsOf({data: `mine=${data}`, output: at('recorded')}, model);
	const record = JSON.parse(readFileSync(join(at('recorded'), 'run.json'), 'utf8'));
	expect(record).toMatchObject({
		options: {batchSize: 8, learningRate: 1e-3, loss: {name: 'infonce', temperature: 0.05}},
		data: [{name: 'mine', path: data, sha256: sha256(Buffer.from(text)), rows: 24}],
		model: {fingerprint: model.fingerprint, family: 'bert'},
		versions: {inbatch: expect.any(String), node: process.versions.node},
		device: 'cpu',
		kernels: model.computing.kernels,
		seed: 0,
		steps: 3,
		result: JSON.parse(JSON.stringify(result)),
	});
});
