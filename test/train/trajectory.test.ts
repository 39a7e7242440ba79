// Whole runs against sentence-transformers in float64, step by step. The limits for float32 are those of
// the fixtures' READMEs.

import {existsSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {describe, expect, test} from 'vitest';
import {readNpy} from '../../dist/files/npy.js';
import {cosent} from '../../dist/loss/cosent.js';
import {infoNce} from '../../dist/loss/infonce.js';
import type {Loss} from '../../dist/loss/loss.js';
import {matryoshka} from '../../dist/loss/matryoshka.js';
import {triplet} from '../../dist/loss/triplet.js';
import type {EmbeddingModel} from '../../dist/model/embedding-model.js';
import type {StepMetrics} from '../../dist/train/metrics-log.js';
import {type TrainOptions, train} from '../../dist/train/train.js';
import {loadTiny} from './tiny.js';

const limits = {loss: 1e-5, norm: 1e-4, embeddings: 3e-6};

type Step = {loss: number; gradientNorm: number; learningRate: number};

/** A run in file order without dropout, as the fixtures are made. */
async function curveOf(model: EmbeddingModel, options: TrainOptions): Promise<StepMetrics[]> {
	const curve: StepMetrics[] = [];
	await train(model, {order: 'file', dropout: 0, ...options, onStep: step => curve.push(step)});
	return curve;
}

function expectCurve(curve: readonly Step[], expected: readonly Step[]): void {
	expect(curve).toHaveLength(expected.length);
	for (const [n, {loss, gradientNorm, learningRate}] of expected.entries()) {
		const step = curve[n]!;
		expect(Math.abs(step.loss - loss), `loss of step ${n}`).toBeLessThan(limits.loss);
		const apart = Math.abs(step.gradientNorm / gradientNorm - 1);
		expect(apart, `gradient norm of step ${n}`).toBeLessThan(limits.norm);
		expect(step.learningRate).toBeCloseTo(learningRate, 15);
	}
}

async function expectEmbeddings(model: EmbeddingModel, texts: string[], path: string) {
	const [{data}, expected] = [await model.encode(texts), await readNpy(path)];
	expect(data).toHaveLength(expected.data.length);
	const errors = data.map((value, at) => Math.abs(value - Number(expected.data[at])));
	expect(errors.reduce((a, b) => Math.max(a, b))).toBeLessThan(limits.embeddings);
}

type TinyRun = {
	schedule: 'linear' | 'cosine';
	lr: number;
	weight_decay: number;
	batch: number;
	accumulate?: number;
	steps: number;
	scale: number;
	warmup: number;
	clip: number;
	curve: Step[];
};

const tiny = fileURLToPath(new URL('../fixtures/training-tiny/', import.meta.url));
const {probes, runs} = JSON.parse(readFileSync(join(tiny, 'runs.json'), 'utf8')) as {
	probes: string[];
	runs: Record<string, TinyRun>;
};

describe.each(Object.entries(runs))('the tiny BERT in the run %s', (name, run) => {
	test.each(['auto', 60] as const)('follows torch in chunks of %s tokens', async chunkTokens => {
		const model = await loadTiny();
		const curve = await curveOf(model, {
			data: join(tiny, 'data.jsonl'),
			chunkTokens,
			loss: infoNce({temperature: 1 / run.scale}),
			batchSize: run.batch,
			...(run.accumulate && {accumulate: run.accumulate, accumulation: 'separate'}),
			steps: run.steps,
			learningRate: run.lr,
			weightDecay: run.weight_decay,
			warmupSteps: run.warmup,
			schedule: run.schedule,
			clip: run.clip,
		});
		expectCurve(curve, run.curve);
		await expectEmbeddings(model, probes, join(tiny, `${name}.npy`));
	});
});

const shared = fileURLToPath(
	new URL(`${process.env.INBATCH_SHARED ?? '../shared'}/`, new URL('../../', import.meta.url)),
);
const minilm = join(shared, 'models', 'all-MiniLM-L6-v2');
const golden = join(shared, 'fixtures', 'training');
const isMissing = !existsSync(join(minilm, 'model.safetensors')) || !existsSync(golden);
const why = isMissing ? ' (skipped: INBATCH_SHARED has no fixtures of training)' : '';

type GoldenSettings = {
	scale: number;
	margin: number;
	dims: number[];
	weights: number[];
	batch: number;
	steps: number;
	lr: number;
	warmup_steps: number;
	clip_norm: number;
	max_length: number;
	optimizer: {weight_decay: number};
};

const softmax = ({scale}: GoldenSettings): Loss => infoNce({temperature: 1 / scale});

const textsOf = (path: string) =>
	readFileSync(path, 'utf8')
		.trim()
		.split('\n')
		.map(line => (JSON.parse(line) as {text: string}).text);

async function followMiniLm(name: string, chunkTokens: number | 'auto', make = softmax) {
	const folder = join(golden, name);
	const read = (file: string): unknown => JSON.parse(readFileSync(join(folder, file), 'utf8'));
	const settings = read('settings.json') as GoldenSettings;
	const model = await loadTiny({path: minilm, maxLength: settings.max_length});
	const curve = await curveOf(model, {
		data: join(folder, 'data.jsonl'),
		chunkTokens,
		loss: make(settings),
		batchSize: settings.batch,
		steps: settings.steps,
		learningRate: settings.lr,
		weightDecay: settings.optimizer.weight_decay,
		warmupSteps: settings.warmup_steps,
		clip: settings.clip_norm,
	});
	const {steps} = read('curve.json') as {
		steps: {loss: number; gradient_norm: number; lr: number}[];
	};
	const expected = steps.map(({loss, gradient_norm: gradientNorm, lr: learningRate}) => ({
		...{loss, gradientNorm, learningRate},
	}));
	expectCurve(curve, expected);
	await expectEmbeddings(
		model,
		textsOf(join(golden, 'texts.jsonl')),
		join(folder, 'embeddings.npy'),
	);
}

describe('all-MiniLM-L6-v2', () => {
	test.skipIf(isMissing)(`follows MultipleNegativesRankingLoss${why}`, {timeout: 600_000}, () =>
		followMiniLm('mnr', 'auto'),
	);

	test.skipIf(isMissing)(`follows CoSENTLoss${why}`, {timeout: 600_000}, () =>
		followMiniLm('cosent', 'auto', ({scale}) => cosent({scale})),
	);

	test.skipIf(isMissing)(`follows TripletLoss${why}`, {timeout: 600_000}, () =>
		followMiniLm('triplet', 512, ({margin}) => triplet({margin})),
	);

	test.skipIf(isMissing)(`follows MatryoshkaLoss${why}`, {timeout: 600_000}, () =>
		followMiniLm('matryoshka', 'auto', ({dims: widths, weights, ...settings}) =>
			matryoshka(softmax({dims: widths, weights, ...settings}), {widths, weights}),
		),
	);

	const isQuick = process.env.INBATCH_SLOW === undefined;
	const patience = isQuick ? ' (skipped: set INBATCH_SLOW, it takes minutes)' : '';
	const slow = isMissing ? why : patience;
	test.skipIf(isMissing || isQuick).each([
		['mnr_hard', 'auto', 'explicit negatives'],
		['cached', 512, 'CachedMultipleNegativesRankingLoss'],
	] as const)(`follows %s in chunks of %s tokens: %s${slow}`, {timeout: 1_200_000}, followMiniLm);
});
