// Several batches a step: as one pool, or as separate pools whose losses are averaged.

import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {infoNce} from '../../dist/loss/infonce.js';
import type {StepMetrics} from '../../dist/train/metrics-log.js';
import {train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {filesIn, hashesOf, hashOf, loadTiny, quick, rowsOf, stoppingAt, trained} from './tiny.js';

const {folder} = temporaryFolder();
const separate = {accumulation: 'separate'} as const;
const still = {order: 'file', dropout: 0} as const;

async function bitsOf(options: Parameters<typeof trained>[0]) {
	const {model, losses} = await trained(options);
	return {losses, weights: await hashesOf(model)};
}

async function stepsOf(options: Parameters<typeof trained>[0]): Promise<StepMetrics[]> {
	const steps: StepMetrics[] = [];
	await trained({...options, onStep: step => void steps.push(step)});
	return steps;
}

describe('pooled batches', () => {
	test('are one batch of as many rows, bit for bit', async () => {
		const data = rowsOf(28);
		const large = await bitsOf({data, batchSize: 12, dropout: 0.1, epochs: 2});
		const pooled = {accumulate: 3, accumulation: 'pooled'} as const;
		expect(await bitsOf({data, batchSize: 4, dropout: 0.1, epochs: 2, ...pooled})).toEqual(large);
		expect(await bitsOf({data, batchSize: 4, dropout: 0.1, epochs: 2, accumulate: 3})).toEqual(
			large,
		);
	});
});

describe('separate batches', () => {
	/** At a rate of next to nothing every step sees the weights as they were loaded. */
	const frozen = {...still, learningRate: 1e-30, schedule: 'constant', warmupSteps: 0} as const;

	test('have the mean of their losses, in the last step of what is left', async () => {
		const options = {...frozen, data: rowsOf(22), batchSize: 4};
		const alone = await stepsOf(options);
		const steps = await stepsOf({...options, ...separate, accumulate: 4});
		const mean = (part: StepMetrics[]) => part.reduce((sum, {loss}) => sum + loss, 0) / part.length;
		expect(alone).toHaveLength(6);
		expect(steps.map(({rows}) => rows)).toEqual([16, 6]);
		expect(steps[0]!.loss).toBeCloseTo(mean(alone.slice(0, 4)), 5);
		expect(steps[1]!.loss).toBeCloseTo(mean(alone.slice(4)), 5);
		expect(steps.map(({epoch}) => epoch)).toEqual([4 / 6, 1]);
	});

	test('meet no documents of one another', async () => {
		const options = {...frozen, data: rowsOf(16), batchSize: 4};
		const [step] = await stepsOf({...options, ...separate, accumulate: 4});
		const [pooled] = await stepsOf({...options, accumulate: 4});
		expect([step!.candidates, pooled!.candidates]).toEqual([4 + 2, 16 + 8]);
		expect(step!.positiveCosine).toBe(pooled!.positiveCosine);
	});

	test('say together how many pairs masks took out', async () => {
		const data = rowsOf(16).map(row => ({...row, query: 'what is the age'}));
		const loss = infoNce({mask: ['same-query']});
		const options = {...frozen, data, loss, allowDuplicates: true, batchSize: 4};
		const [step] = await stepsOf({...options, ...separate, accumulate: 4});
		expect(step!.masked).toEqual({'same-query': 4 * 4 * 3});
	});

	test('count one step each for schedule, steps and epochs', async () => {
		const options = {data: rowsOf(20), batchSize: 4, ...separate, accumulate: 2};
		const rates = (await stepsOf({...options, schedule: 'linear', warmupSteps: 0, epochs: 2})).map(
			({learningRate}) => learningRate,
		);
		expect(rates).toHaveLength(6);
		for (const [n, rate] of rates.entries()) expect(rate).toBeCloseTo(1e-3 * (1 - n / 6), 12);
		expect(await stepsOf({...options, steps: 4})).toHaveLength(4);
		expect(await stepsOf({...options, epochs: 1.4})).toHaveLength(4);
	});

	test('have the same bits in any chunks, for any number of threads', async () => {
		const options = {data: rowsOf(20), dropout: 0.1, batchSize: 4, ...separate, accumulate: 3};
		const whole = await bitsOf(options);
		expect(await bitsOf({...options, chunkTokens: 50})).toEqual(whole);
		expect(await bitsOf({...options, threads: 1, recompute: 'blocks'})).toEqual(whole);
		expect(await bitsOf({...options, accumulation: 'pooled'})).not.toEqual(whole);
	});

	test('fill a queue together, and go on where they were', async () => {
		const loss = infoNce({queue: 12});
		const options = {
			...quick,
			loss,
			batchSize: 4,
			...separate,
			accumulate: 2,
			saveSteps: 1,
			keep: 9,
		};
		const [whole, stopped] = [join(folder, 'whole'), join(folder, 'stopped')];
		const steps: StepMetrics[] = [];
		const onStep = (step: StepMetrics) => void steps.push(step);
		await train(await loadTiny(), {...options, onStep, output: whole});
		expect(steps.map(({queue}) => queue!.documents)).toEqual([0, 8, 12]);
		const half = train(await loadTiny(), {...options, output: stopped, ...stoppingAt(2)});
		await expect(half).rejects.toThrow('stopped at 2');
		await train(await loadTiny(), {...options, output: stopped, resume: true});
		const last = join(whole, 'checkpoints', 'step-3');
		const again = join(stopped, 'checkpoints', 'step-3');
		for (const file of filesIn(last).filter(name => name.endsWith('.safetensors'))) {
			expect(hashOf(join(again, file))).toBe(hashOf(join(last, file)));
		}
	});
});

test('a way to accumulate without batches to accumulate is refused', async () => {
	await expect(trained({...separate})).rejects.toThrow(
		'train: expected accumulation beside accumulate of 2 or more, got 1',
	);
});
