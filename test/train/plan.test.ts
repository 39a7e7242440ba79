// What a run is said to take beside what it takes, and the refusal of what cannot fit.

import {describe, expect, test} from 'vitest';
import {losses} from '../../dist/loss/index.js';
import {infoNce} from '../../dist/loss/infonce.js';
import type {Loss} from '../../dist/loss/loss.js';
import {rDrop} from '../../dist/loss/r-drop.js';
import {planTraining} from '../../dist/train/plan.js';
import type {TrainOptions} from '../../dist/train/train.js';
import {hashesOf, loadTiny, quick, rowsOf, trained} from './tiny.js';

const data = rowsOf(30);

async function planned(options: Partial<TrainOptions> = {}) {
	return planTraining(await loadTiny(), {...quick, data, ...options});
}

describe('A plan', () => {
	test('counts steps, rows, tokens and cut texts as the run does', async () => {
		const options = {data, epochs: 2, queryMaxLength: 6};
		const sums = {steps: 0, rows: 0, tokens: 0, truncatedQueries: 0, truncatedDocuments: 0};
		await trained({
			...options,
			onStep(step) {
				sums.steps++;
				for (const name of ['rows', 'tokens', 'truncatedQueries', 'truncatedDocuments'] as const) {
					sums[name] += step[name];
				}
			},
		});
		expect(sums.truncatedQueries).toBeGreaterThan(0);
		const found = await planned(options);
		expect(found).toMatchObject({...sums, surveyedSteps: 8});
		// As many as a few seconds hold, which is the machine's affair.
		expect(found.measuredSteps).toBeGreaterThan(0);
		expect(found.measuredSteps).toBeLessThanOrEqual(8);
	});

	test('leaves the model as it was, and trains to the same bits after it', async () => {
		const model = await loadTiny();
		const before = await hashesOf(model);
		const {seconds, fits} = await planTraining(model, {...quick, data, dropout: 0.1});
		expect(await hashesOf(model)).toEqual(before);
		expect(seconds).toBeGreaterThan(0);
		expect(fits).toBe(true);
	});

	test('adds its parts up, fewer of them with less to keep', async () => {
		const plain = (await planned()).memory;
		const {peak, ...parts} = plain;
		expect(Object.values(parts).reduce((sum, part) => sum + part, 0)).toBe(peak);
		const small = (await planned({optimizer: 'lion', recompute: 'blocks', chunkTokens: 60})).memory;
		expect(small.optimizer).toBe(plain.optimizer / 2);
		expect(small.activations).toBeLessThan(plain.activations / 2);
		expect(small).toMatchObject({weights: plain.weights, gradients: plain.gradients});
		const averaged = (await planned({ema: 0.9})).memory;
		expect(averaged.optimizer).toBe(1.5 * plain.optimizer);
	});

	test('computes nothing where the run does not fit', async () => {
		const plan = await planned({memoryLimit: 0.001});
		expect(plan).toMatchObject({fits: false, seconds: null, measuredSteps: 0});
		expect(plan.memoryLimit).toBe(0.001 * 2 ** 30);
	});
});

test('a run that cannot fit is refused with the numbers', async () => {
	await expect(trained({memoryLimit: 0.001})).rejects.toMatchObject({
		code: 'OUT_OF_MEMORY',
		message: expect.stringMatching(
			/at most 0\.00 GiB.*weights .*gradients .*activations .*--chunk-tokens.*--recompute.*--batch-size/,
		),
	});
});

describe('The matrices of a step', () => {
	const cases: [string, Loss][] = [
		['infonce', infoNce()],
		['symmetric infonce', infoNce({directions: ['qd', 'dq']})],
		['triplet', losses.triplet({form: 'logSigmoid'})],
		['R-Drop', rDrop(infoNce())],
	];

	test.each(cases)('of %s are counted as the engine takes them', async (_, loss) => {
		const threads = 3; // nobody else here uses the engine of three threads
		const model = await loadTiny({threads});
		const rows = rowsOf(64).map(row => ({...row, negatives: [`this is not ${row.query}`]}));
		const options = {...quick, data: rows, loss, batchSize: 64, dropout: 0.1};
		const {memory} = await planTraining(model, options);
		const taken = model.computing.native.statistics().bytes;
		// Beside them there is what passes need on their way, in blocks of a MiB at least.
		expect(taken - memory.loss).toBeGreaterThan(0);
		expect(taken - memory.loss).toBeLessThan(memory.activations + threads * 2 ** 21);
	});
});
