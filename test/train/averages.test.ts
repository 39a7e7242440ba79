// Means of the weights over the steps: what they are, and that they are the model that is evaluated and saved.

import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {averageShares, averageWarning} from '../../dist/train/averages.js';
import {train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {hashesOf, loadTiny, quick, sha256, tensorsIn} from './tiny.js';

const {folder} = temporaryFolder();
const at = (name: string) => join(folder, name);

/** The mean that shares make of numbers, one after each step. */
function meanOf(shares: (step: number) => number, start: number, values: readonly number[]) {
	return values.reduce((mean, value, n) => mean + shares(n + 1) * (value - mean), start);
}

describe('the shares', () => {
	test('of an exponential mean give its closed form', () => {
		const [start, one, two, three] = [3, 5, -1, 7];
		const mean = meanOf(averageShares({ema: 0.9}, 3)!, start, [one, two, three]);
		const closed = 0.9 ** 3 * start + 0.1 * (0.9 ** 2 * one + 0.9 * two + three);
		expect(mean).toBeCloseTo(closed, 12);
	});

	test.each([
		[{averageFrom: 0.5}, [6, 7, 8, 9, 10]],
		[{averageFrom: 0}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
		[{averageFrom: 0.29}, [3, 4, 5, 6, 7, 8, 9, 10]],
		[{averageFrom: 0.5, averageEvery: 2}, [6, 8, 10]],
		[{averageFrom: 0.99}, [10]],
	])('of %j give the equal mean of steps %j of ten', (asked, steps) => {
		const values = Array.from({length: 10}, (_, n) => (n + 1) ** 2);
		const mean = meanOf(averageShares(asked, 10)!, 100, values);
		expect(mean).toBeCloseTo(steps.reduce((sum, step) => sum + step ** 2, 0) / steps.length, 12);
	});

	test('of 0.29 of a hundred steps begin with the thirtieth', () => {
		const shares = averageShares({averageFrom: 0.29}, 100)!;
		expect([29, 30, 31].map(shares)).toEqual([1, 1, 0.5]);
	});

	test('say when a mean hardly leaves the start', () => {
		expect(averageWarning({ema: 0.999}, 100)).toContain('still has 90 % of the weights');
		expect(averageWarning({ema: 0.9}, 100)).toBeUndefined();
		expect(averageWarning({}, 1)).toBeUndefined();
	});
});

const weightsIn = async (path: string) =>
	new Map(
		[...(await tensorsIn(path))].map(([name, bytes]) => [
			name,
			new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4),
		]),
	);

describe('a run with --ema', () => {
	const asked = {...quick, ema: 0.6, saveSteps: 1, keep: 10} as const;

	test('saves the mean of the weights that its checkpoints keep beside it', async () => {
		const model = await loadTiny();
		const table = 'embeddings.word_embeddings.weight';
		const start = (await weightsIn(join(model.folder.path, 'model.safetensors'))).get(table)!;
		await train(model, {...asked, output: at('mean')});
		const folders = [1, 2, 3].map(step => at(join('mean', 'checkpoints', `step-${step}`)));
		const raw = await Promise.all(
			folders.map(async one => {
				const path = join(one, 'trainer', 'moments.safetensors');
				return (await weightsIn(path)).get('weight.embedding.tokens')!;
			}),
		);
		const saved = await Promise.all(
			[...folders, at('mean')].map(
				async one => (await weightsIn(join(one, 'model.safetensors'))).get(table)!,
			),
		);
		for (const [n, mean] of saved.slice(0, 3).entries()) {
			const exact = start.map((first, place) =>
				meanOf(
					() => 0.4,
					first,
					raw.slice(0, n + 1).map(weights => weights[place]!),
				),
			);
			const apart = mean.map((value, place) => Math.abs(value - exact[place]!));
			expect(apart.reduce((a, b) => Math.max(a, b))).toBeLessThan(2 ** -22);
		}
		expect(saved[3]).toEqual(saved[2]);
		expect(saved[2]).not.toEqual(raw[2]);
	});

	test('trains as one without, and leaves the mean in the model', async () => {
		const [plain, mean] = [await loadTiny(), await loadTiny()];
		await train(plain, {...asked, ema: undefined, output: at('plain')});
		await train(mean, {...asked, output: at('beside')});
		const path = (name: string) => at(join(name, 'checkpoints', 'step-3', 'trainer'));
		const trained = await tensorsIn(join(path('beside'), 'moments.safetensors'));
		const kept = [...(await hashesOf(plain))].map(([name, hash]) => [`weight.${name}`, hash]);
		const found = kept.map(([name]) => [name, sha256(trained.get(name!)!)]);
		expect(found).toEqual(kept);
		expect(await hashesOf(mean)).not.toEqual(await hashesOf(plain));
		const opened = await loadTiny({path: at('beside')});
		expect(await hashesOf(opened)).toEqual(await hashesOf(mean));
	});

	test('evaluates the mean', async () => {
		const seen: Float32Array[] = [];
		const evaluators = {
			probe: async (model: Awaited<ReturnType<typeof loadTiny>>) => {
				seen.push(await model.embed('what is the symptom'));
				return {nothing: 0};
			},
		};
		await train(await loadTiny(), {...asked, output: at('seen'), evaluators, evalSteps: 2});
		const opened = await Promise.all(
			[join('seen', 'checkpoints', 'step-2'), 'seen'].map(async name => {
				const model = await loadTiny({path: at(name)});
				return model.embed('what is the symptom');
			}),
		);
		expect(seen.slice(1)).toEqual(opened);
	});
});

test.each([
	[{ema: 0.9, averageFrom: 0.5}, 'average-from: expected this or --ema, got both'],
	[{averageEvery: 2}, 'average-every: expected --average-from beside it, got none'],
	[{ema: 0.9, averageEvery: 2}, 'average-every: expected --average-from beside it, got none'],
])('%j is refused', async (asked, message) => {
	await expect(train(await loadTiny(), {...quick, ...asked})).rejects.toThrow(
		expect.objectContaining({code: 'OPTION_CONFLICT', message}),
	);
});
