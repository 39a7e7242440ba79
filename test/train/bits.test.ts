// What may not change a bit of a trained model: chunks, threads, repetition; and what memory a run takes.

import {describe, expect, test} from 'vitest';
import {train} from '../../dist/train/train.js';
import {readParameters} from '../support/parameters.js';
import {hashesOf, loadTiny, quick, rowsOf, trained} from './tiny.js';

const drops = {dropout: 0.1, seed: 5};

/** The losses and weights of a run. */
async function bitsOf(options: Parameters<typeof trained>[0]) {
	const {model, losses} = await trained(options);
	return {losses, weights: await hashesOf(model)};
}

describe('the bits of a trained model', () => {
	test('do not depend on the chunks that a step is cut into', async () => {
		const whole = await bitsOf({...drops, chunkTokens: 'auto'});
		for (const chunkTokens of [1, 40, 200]) {
			expect(await bitsOf({...drops, chunkTokens})).toEqual(whole);
		}
	});

	test('do not depend on the number of threads', async () => {
		const alone = await bitsOf({...drops, threads: 1, chunkTokens: 90});
		for (const threads of [2, 3]) {
			expect(await bitsOf({...drops, threads, chunkTokens: 90})).toEqual(alone);
		}
	});

	test('are the same for the same seed and others for another', async () => {
		const first = await bitsOf(drops);
		expect(await bitsOf(drops)).toEqual(first);
		const other = await bitsOf({...drops, seed: 6});
		expect(other.losses).not.toEqual(first.losses);
		expect(other.weights).not.toEqual(first.weights);
	});

	test('depend on the seed by dropout alone when the order is that of the file', async () => {
		const still = {order: 'file', dropout: 0} as const;
		expect(await bitsOf({...still, seed: 1})).toEqual(await bitsOf({...still, seed: 2}));
		const dropped = {order: 'file', dropout: 0.1} as const;
		expect(await bitsOf({...dropped, seed: 1})).not.toEqual(await bitsOf({...dropped, seed: 2}));
	});

	test('are those of a fresh model when another run came before', async () => {
		const fresh = await bitsOf({steps: 4});
		const model = await loadTiny();
		const start = await readParameters(model.core);
		await train(model, {...quick, ...drops, freeze: ['embeddings']});
		for (const [name, values] of start) model.core.write('weight', name, 0, values);
		await model.core.pack();
		const losses: number[] = [];
		await train(model, {...quick, steps: 4, onStep: ({loss}) => losses.push(loss)});
		expect({losses, weights: await hashesOf(model)}).toEqual(fresh);
	});
});

/** Rows of texts of equal length, so that every step has the same shape. */
const alike = Array.from({length: 24}, (_, n) => ({
	query: `what is ${10 + n}`,
	positive: `${10 + n} is the age of all`,
	negatives: [`${10 + n} is not the age`],
}));

describe('the memory of a run', () => {
	test('falls with the chunk', async () => {
		const peaks: number[] = [];
		for (const chunkTokens of ['auto', 200, 40] as const) {
			const {model} = await trained({data: rowsOf(16), batchSize: 16, chunkTokens});
			peaks.push(model.core.statistics().savedPeak);
		}
		const [whole, some, few] = peaks as [number, number, number];
		expect(some).toBeLessThan(whole / 1.5);
		expect(few).toBeLessThan(some / 2);
	});

	test.each(['auto', 60] as const)(
		'does not grow after the first step, in chunks of %s tokens',
		async chunkTokens => {
			const model = await loadTiny();
			const taken: object[] = [];
			await train(model, {
				...quick,
				data: alike,
				epochs: 3,
				chunkTokens,
				onStep() {
					const {allocations, bytes} = model.computing.native.statistics();
					taken.push({allocations, bytes, saved: model.core.statistics().allocations});
				},
			});
			expect(taken).toHaveLength(9);
			expect(taken.slice(2)).toEqual(taken.slice(1, -1));
		},
	);
});
