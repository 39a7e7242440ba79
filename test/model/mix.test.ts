// mixModels: the mean of models, tensor by tensor.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {beforeAll, describe, expect, test} from 'vitest';
import {EmbeddingModel} from '../../dist/model/embedding-model.js';
import {mixModels} from '../../dist/model/mix.js';
import {train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {bert, filesIn, loadTiny, quick, tensorsIn} from '../train/tiny.js';

const {folder} = temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
const models = [at('tuned'), at('plain'), at('tuned', 'checkpoints', 'step-3')];

beforeAll(async () => {
	const options = {pooling: 'mean', normalize: true} as const;
	for (const name of ['plain', 'tuned']) {
		const model = await EmbeddingModel.load(bert, options);
		const output = at(name);
		await (name === 'tuned' ? train(model, {...quick, output}) : model.save(output));
		await model.dispose();
	}
	const clipped = await EmbeddingModel.load(at('plain'), {pooling: 'cls'});
	await clipped.save(at('cls'));
	await clipped.dispose();
});

async function weightsIn(path: string): Promise<Map<string, Float32Array>> {
	const tensors = await tensorsIn(join(path, 'model.safetensors'));
	return new Map(
		[...tensors].map(([name, {buffer, byteOffset, byteLength}]) => [
			name,
			new Float32Array(buffer, byteOffset, byteLength / 4),
		]),
	);
}

/** The weighted sum in float64, rounded once. */
async function meanOf(paths: readonly string[], weights: readonly number[]) {
	const all = await Promise.all(paths.map(weightsIn));
	return new Map(
		[...all[0]!].map(([name, {length}]) => [
			name,
			Float32Array.from({length}, (_, n) =>
				all.reduce((sum, tensors, k) => sum + weights[k]! * tensors.get(name)![n]!, 0),
			),
		]),
	);
}

describe('a mixture', () => {
	test.each([
		[[0, 1], undefined, [0.5, 0.5]],
		[
			[0, 1],
			[0.7, 0.3],
			[0.7, 0.3],
		],
		[
			[0, 1, 2],
			[0.2, 0.5, 0.3],
			[0.2, 0.5, 0.3],
		],
		[
			[0, 1],
			[1.5, -0.5],
			[1.5, -0.5],
		],
	])(
		'of models %j with the weights %j is the mean of their tensors',
		async (numbers, weights, exact) => {
			const sources = numbers.map(n => models[n]!);
			const output = at(`mixed-${numbers.join('')}-${exact.join('')}`);
			const report = await mixModels(sources, {weights, output});
			expect(await weightsIn(output)).toEqual(await meanOf(sources, exact));
			expect(report.models.map(({path, weight}) => [path, weight])).toEqual(
				sources.map((path, n) => [path, exact[n]]),
			);
		},
	);

	test('of one model with itself is that model', async () => {
		await mixModels([models[0]!, models[0]!], {output: at('same')});
		expect(await weightsIn(at('same'))).toEqual(await weightsIn(models[0]!));
	});

	test('opens as a model, and its card says of what it is made', async () => {
		const {models: made} = await mixModels(models.slice(0, 2), {output: at('opened')});
		const model = await loadTiny({path: at('opened')});
		expect((await model.embed('what is the sign')).every(Number.isFinite)).toBe(true);
		const card = readFileSync(at('opened', 'README.md'), 'utf8');
		for (const {path, fingerprint} of made)
			expect(card).toContain(`0.5 × ${path} (${fingerprint})`);
		expect(filesIn(at('opened'))).toEqual(filesIn(at('plain')));
	});
});

describe('is refused', () => {
	const refusal = (code: string, message: string) =>
		expect.objectContaining({code, message: expect.stringContaining(message)});
	const families = join(bert, '..');

	test.each([
		[[0.5, 0.4], 'OPTION_RANGE', 'weights: expected a sum of 1, got 0.5 + 0.4 = 0.9'],
		[[1], 'OPTION_RANGE', 'weights: expected one for each of 2 models, got 1'],
		[[Number.NaN, 1], 'OPTION_RANGE', 'weights: expected finite numbers, got NaN'],
	])('with the weights %j', async (weights, code, message) => {
		const mixing = mixModels(models.slice(0, 2), {weights, output: at('no')});
		await expect(mixing).rejects.toThrow(refusal(code, message));
	});

	test('one model alone', async () => {
		const mixing = mixModels(models.slice(0, 1), {output: at('no')});
		await expect(mixing).rejects.toThrow(refusal('OPTION_MISSING', 'two models or more, got 1'));
	});

	test('a model of another shape, by the tensor', async () => {
		const sources = [at('plain'), join(families, 'roberta')];
		const mixing = mixModels(sources, {output: at('no'), pooling: 'mean', normalize: true});
		const named = 'expected tensor "embeddings.word_embeddings.weight" of 403 × 64 as in';
		await expect(mixing).rejects.toThrow(refusal('MODEL_TENSOR', named));
	});

	test('a model of other pooling', async () => {
		const mixing = mixModels([at('plain'), at('cls')], {output: at('no')});
		await expect(mixing).rejects.toThrow(
			refusal('MODEL_CONFIG', 'expected head {"pooling":["mean"]'),
		);
	});

	test('an output that holds one of the models, though it may be overwritten', async () => {
		const [tuned, plain, checkpoint] = models as [string, string, string];
		const mixing = mixModels([checkpoint, plain], {output: tuned, overwrite: true});
		await expect(mixing).rejects.toThrow(refusal('OPTION_CONFLICT', `which holds ${checkpoint}`));
	});
});
