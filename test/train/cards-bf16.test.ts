// The tiny BERT trained on a card as it is by default, in 16 bits: how near to float32 on the CPU, the same
// bits again and after going on, and what says what was computed in.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {infoNce} from '../../dist/loss/infonce.js';
import {type TrainOptions, train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {cardAddonPath} from '../support/emulated.js';
import {lazy} from '../support/matrix.js';
import {hashesOf, hashOf, loadTiny, rowsOf, stoppingAt} from './tiny.js';

process.env.INBATCH_NATIVE = cardAddonPath;

const {folder} = temporaryFolder();
const at = (name: string) => join(folder, name);

const options = {
	...{data: rowsOf(4), batchSize: 4, steps: 4, learningRate: 1e-3, warmupSteps: 0},
	...{dropout: 0.1, seed: 9, saveSteps: 2, keep: 9, loss: infoNce({temperature: 0.5})},
} as const;

async function runOf(device: {device: string; dtype?: string}, more: Partial<TrainOptions> = {}) {
	const model = await loadTiny(device);
	const losses: number[] = [];
	const onStep: TrainOptions['onStep'] = step => {
		losses.push(step.loss);
		more.onStep?.(step);
	};
	await train(model, {...options, ...more, onStep});
	return {losses, weights: await hashesOf(model)};
}

const onCard = lazy(() => runOf({device: 'cuda'}, {output: at('whole')}));

/**
An embedding of the three blocks of this model is off by no more than 2.7 % of its length (see nearness-bf16.ts: twice
2^-9 √(38/3)), two of them by √2 times that, and a score is a cosine over a temperature of 0.5. A loss is the mean of four
rows, off by less than the largest of its scores: 0.08. Weights that moved by that gradient are off by less.
*/
const lossLimit = (2 * 2 ** -9 * Math.sqrt(38 / 3) * Math.SQRT2) / 0.5;

test('loses as much as in float32 on the cpu', {timeout: 600_000}, async () => {
	const [{losses}, cpu] = [await onCard(), await runOf({device: 'cpu'})];
	expect(losses).toHaveLength(4);
	for (const [step, loss] of cpu.losses.entries()) {
		expect(Math.abs(losses[step]! - loss), `step ${step}`).toBeLessThan(lossLimit);
	}
	expect(losses.at(-1)).toBeLessThan(losses[0]! - lossLimit);
});

test('ends in the same bits when it goes on after a stop', {timeout: 600_000}, async () => {
	const whole = await onCard();
	const stopped = runOf({device: 'cuda'}, {output: at('stopped'), ...stoppingAt(3)});
	await expect(stopped).rejects.toThrow('stopped at 3');
	const model = await loadTiny({device: 'cuda'});
	await train(model, {...options, output: at('stopped'), resume: true});
	expect(await hashesOf(model)).toEqual(whole.weights);
	for (const file of ['model.safetensors', 'checkpoints/step-4/trainer/moments.safetensors']) {
		expect(hashOf(join(at('stopped'), file))).toBe(hashOf(join(at('whole'), file)));
	}
});

test.each([1, 30])(
	'has the same bits after two steps in chunks of %d tokens',
	{timeout: 600_000},
	async chunkTokens => {
		const whole = await onCard();
		const name = `chunks-${chunkTokens}`;
		const stopping = stoppingAt(2);
		const losses: number[] = [];
		const onStep: TrainOptions['onStep'] = step => {
			losses.push(step.loss);
			stopping.onStep?.(step);
		};
		const stopped = runOf({device: 'cuda'}, {...stopping, onStep, chunkTokens, output: at(name)});
		await expect(stopped).rejects.toThrow('stopped at 2');
		expect(losses).toEqual(whole.losses.slice(0, 2));
		for (const file of ['model.safetensors', 'trainer/moments.safetensors']) {
			const path = join('checkpoints', 'step-2', file);
			expect(hashOf(join(at(name), path)), file).toBe(hashOf(join(at('whole'), path)));
		}
	},
);

test('is not gone on with in another type', {timeout: 600_000}, async () => {
	await onCard();
	const model = await loadTiny({device: 'cuda', dtype: 'f32'});
	await expect(train(model, {...options, output: at('whole'), resume: true})).rejects.toThrow(
		'dtype: expected "bf16" as when the run began, got nothing',
	);
});

test('is recorded with what it computed in', {timeout: 600_000}, async () => {
	await onCard();
	const record: unknown = JSON.parse(readFileSync(at('whole/run.json'), 'utf8'));
	expect(record).toMatchObject({device: 'cuda:0', dtype: 'bf16'});
});

test('saves the weights of float32', async () => {
	const model = await loadTiny({device: 'cuda'});
	await model.save(at('saved'));
	expect(await hashesOf(await loadTiny({path: at('saved')}))).toEqual(
		await hashesOf(await loadTiny({device: 'cpu'})),
	);
});
