// Runs with other optimizers, with means of weights and under attack against torch in float64, step by step. The
// limits for float32 are those of the fixture's README.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {describe, expect, test} from 'vitest';
import {readNpy} from '../../dist/files/npy.js';
import {infoNce} from '../../dist/loss/infonce.js';
import type {StepMetrics} from '../../dist/train/step-metrics.js';
import {type TrainOptions, train} from '../../dist/train/train.js';
import {loadTiny} from './tiny.js';

const limits = {loss: 1e-5, norm: 1e-4, embeddings: 3e-6};
const tiny = fileURLToPath(new URL('../fixtures/training-tiny/', import.meta.url));

type Step = {loss: number; gradientNorm: number; adversarialLoss?: number};
type Variant = {options: Partial<TrainOptions>; curve: Step[]};

const read = (name: string) => JSON.parse(readFileSync(join(tiny, name), 'utf8')) as unknown;
const {probes} = read('runs.json') as {probes: string[]};
const variants = Object.entries(read('variants.json') as Record<string, Variant>);

const common = {
	...{data: join(tiny, 'data.jsonl'), order: 'file', dropout: 0, batchSize: 8, steps: 10},
	...{learningRate: 5e-4, weightDecay: 0.01, warmupSteps: 2, schedule: 'linear'},
} as const;

describe.each(variants)('the tiny BERT with %s', (name, {options, curve: expected}) => {
	test.each(['auto', 60] as const)('follows torch in chunks of %s tokens', async chunkTokens => {
		const model = await loadTiny();
		const curve: StepMetrics[] = [];
		await train(model, {
			...common,
			...options,
			chunkTokens,
			loss: infoNce({temperature: 1 / 20}),
			onStep: step => curve.push(step),
		});
		expect(curve).toHaveLength(expected.length);
		for (const [n, {loss, gradientNorm, adversarialLoss}] of expected.entries()) {
			const step = curve[n]!;
			expect(Math.abs(step.loss - loss), `loss of step ${n}`).toBeLessThan(limits.loss);
			const apart = Math.abs(step.gradientNorm / gradientNorm - 1);
			expect(apart, `gradient norm of step ${n}`).toBeLessThan(limits.norm);
			const there = Math.abs((step.adversarialLoss ?? 0) - (adversarialLoss ?? 0));
			expect(there, `loss at moved weights of step ${n}`).toBeLessThan(limits.loss);
		}
		const [{data}, after] = [
			await model.encode(probes),
			await readNpy(join(tiny, 'variants', `${name}.npy`)),
		];
		const errors = data.map((value, at) => Math.abs(value - Number(after.data[at])));
		expect(errors.reduce((a, b) => Math.max(a, b))).toBeLessThan(limits.embeddings);
	});
});
