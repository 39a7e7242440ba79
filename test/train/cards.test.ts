// The tiny BERT on a card in float32, by the library as it is used: vectors and a training, beside those of
// the CPU. Both are devices of one add-on, whose card is emulated unless EMULATOR=off.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {expect, test} from 'vitest';
import {devices} from '../../dist/device.js';
import {infoNce} from '../../dist/loss/infonce.js';
import {triplet} from '../../dist/loss/triplet.js';
import type {EmbeddingModel} from '../../dist/model/embedding-model.js';
import {planTraining} from '../../dist/train/plan.js';
import {train} from '../../dist/train/train.js';
import {cardAddonPath} from '../support/emulated.js';
import {lazy} from '../support/matrix.js';
import {loadTiny, rowsOf, stoppingAt} from './tiny.js';

process.env.INBATCH_NATIVE = cardAddonPath;

// What the README of the fixtures allows float32.
const limits = {loss: 1e-5, norm: 1e-4, embeddings: 3e-6};
const texts = rowsOf(5).map(({positive}) => positive);

function expectNear(actual: Float32Array, expected: Float32Array): void {
	expect(actual).toHaveLength(expected.length);
	const errors = actual.map((value, at) => Math.abs(value - expected[at]!));
	expect(errors.reduce((a, b) => Math.max(a, b))).toBeLessThan(limits.embeddings);
}

async function vectorsOf(model: EmbeddingModel, options = {}): Promise<Float32Array> {
	return (await model.encode(texts, options)).data;
}

type Step = {loss: number; gradientNorm: number};

function expectSteps(steps: readonly Step[], expected: readonly Step[]): void {
	expect(steps).toHaveLength(expected.length);
	for (const [n, {loss, gradientNorm}] of expected.entries()) {
		expect(Math.abs(steps[n]!.loss - loss), `loss of step ${n}`).toBeLessThan(limits.loss);
		const apart = Math.abs(steps[n]!.gradientNorm / gradientNorm - 1);
		expect(apart, `gradient norm of step ${n}`).toBeLessThan(limits.norm);
	}
}

async function stepsOn(device: string): Promise<{steps: Step[]; vectors: Float32Array}> {
	const model = await loadTiny({device, dtype: 'f32'});
	const steps: Step[] = [];
	await train(model, {
		data: rowsOf(4).map(row => ({...row, negatives: ['this is not a pattern']})),
		...{batchSize: 2, steps: 2, learningRate: 1e-3, chunkTokens: 40},
		loss: triplet({margin: 5}),
		onStep: ({loss, gradientNorm}) => steps.push({loss, gradientNorm}),
	});
	return {steps, vectors: await vectorsOf(model)};
}

const onCard = lazy(() => stepsOn('cuda'));

test('is listed among the devices', () => {
	const [cpu, card] = devices();
	expect(cpu).toMatchObject({name: 'cpu', available: true});
	expect(card).toMatchObject({name: 'cuda:0', available: true, card: 'emulated card'});
});

test('counts of a run what lies on the card', async () => {
	const model = await loadTiny({device: 'cuda'});
	const options = {data: rowsOf(4), batchSize: 2, memoryLimit: 1e-6};
	const {memory, fits} = await planTraining(model, options);
	const {weights, gradients, state} = model.core.trainingMemory([], {
		...{optimizer: 'adamw', average: false, stacked: []},
	});
	expect(memory).toMatchObject({weights, gradients, optimizer: state, data: 0, node: 0});
	expect(fits).toBe(false);
});

test('encodes as the cpu does, cut to the first columns too', async () => {
	const [cpu, card] = [
		await loadTiny({device: 'cpu'}),
		await loadTiny({device: 'cuda:0', dtype: 'f32'}),
	];
	expect([cpu.device, card.device]).toEqual(['cpu', 'cuda:0']);
	for (const options of [{}, {dimensions: 10}]) {
		expectNear(await vectorsOf(card, options), await vectorsOf(cpu, options));
	}
});

test('gives a text the same bits whatever it is encoded with', async () => {
	const card = await loadTiny({device: 'cuda', dtype: 'f32'});
	const together = await vectorsOf(card, {batchTokens: 16});
	for (const [at, text] of texts.entries()) {
		const {data, width} = await card.encode(text);
		expect(data).toEqual(together.subarray(at * width, (at + 1) * width));
	}
});

test('trains as the cpu does, dropout and all', {timeout: 600_000}, async () => {
	const [{steps, vectors}, cpu] = [await onCard(), await stepsOn('cpu')];
	expectSteps(steps, cpu.steps);
	expectNear(vectors, cpu.vectors);
});

test('trains to the same bits again', {timeout: 600_000}, async () => {
	const [first, again] = [await onCard(), await stepsOn('cuda')];
	expect(again).toEqual(first);
});

const tiny = fileURLToPath(new URL('../fixtures/training-tiny/', import.meta.url));
const {runs} = JSON.parse(readFileSync(join(tiny, 'runs.json'), 'utf8')) as {
	runs: {linear: {curve: readonly Step[]}};
};

// The first steps of the run of ten: the emulator takes its time.
test('follows torch by the in-batch loss', {timeout: 600_000}, async () => {
	const model = await loadTiny({device: 'cuda', dtype: 'f32'});
	const {signal, onStep} = stoppingAt(3);
	const steps: Step[] = [];
	const stopped = train(model, {
		...{data: join(tiny, 'data.jsonl'), order: 'file', dropout: 0, batchSize: 8, steps: 10},
		...{learningRate: 5e-4, weightDecay: 0.01, warmupSteps: 2, schedule: 'linear', clip: 1},
		loss: infoNce({temperature: 1 / 20}),
		signal,
		onStep: step => {
			steps.push(step);
			onStep?.(step);
		},
	});
	await expect(stopped).rejects.toThrow('stopped at 3');
	expectSteps(steps, runs.linear.curve.slice(0, 3));
});

test('refuses what a card does not compute in, and cards that are not there', async () => {
	await expect(loadTiny({device: 'cuda', dtype: 'int8'})).rejects.toThrow(
		'dtype: expected bf16 or f32 on a card, got int8',
	);
	await expect(loadTiny({device: 'cuda:7'})).rejects.toThrow(
		"device 'cuda:7' is not available: expected a card below 1",
	);
});
