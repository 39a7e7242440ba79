// What holds for every family: it learns, what is saved is what was there, and a text's embedding and
// gradients depend on nothing but the text.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {sameBitsEverywhere} from '../support/kernel-paths.js';
import {normals, randomMatrix, rowsOf as rowsFrom, sum} from '../support/matrix.js';
import {embeddingsOf, encode, gradients, select} from '../support/tiny-model.js';
import {expectSameBits, gradientLimit, worstError} from '../support/tolerance.js';
import {loadTiny, rowsOf} from '../train/tiny.js';
import {familyFolders, fixtures, goldenBatch, type LoadedFamily, loadFamily} from './families.js';
import {load, weightsOf} from './folders.js';

const {folder} = temporaryFolder();
const texts = ['the symptom', '', 'What is the age of all the others?', 'this '.repeat(120)];

/** Embeddings of all texts, and all gradients when they go through in pieces. */
async function stepOf({model}: LoadedFamily, path: string, sizes: readonly number[]) {
	const batch = await goldenBatch(path);
	const {rows, columns} = embeddingsOf(model, batch);
	const gradient = randomMatrix(rows, columns, normals(2));
	const ends = sizes.map((_, piece) => sum(sizes.slice(0, piece + 1)));
	const steps = ends.map((end, piece) => {
		const begin = end - sizes[piece]!;
		const places = [...batch.texts.keys()].slice(begin, end);
		return {batch: select(batch, places), gradient: rowsFrom(gradient, begin, end)};
	});
	const dropout = {seed: 3, step: 8, hidden: 0.1, attention: 0.1};
	const found = await gradients(model, steps, dropout);
	return [await encode(model, batch), ...found.values()];
}

describe.each(familyFolders(fixtures))('$name', ({name, path}) => {
	test('learns a batch of eight', async () => {
		const model = await loadTiny({path, threads: 2});
		const losses: number[] = [];
		await train(model, {
			...{data: rowsOf(8), batchSize: 8, steps: 30, learningRate: 1e-2, dropout: 0},
			...{schedule: 'constant', warmupSteps: 0, onStep: ({loss}) => losses.push(loss)},
		});
		expect(losses.at(-1)! / losses[0]!).toBeLessThan(0.25);
	});

	test('gives the same bits when it is saved and loaded, in a file of the same tensors', async () => {
		const model = await load(path, {pooling: 'mean'});
		const saved = join(folder, name);
		await model.save(saved);
		const again = await load(saved);
		expect(again).toMatchObject({fingerprint: model.fingerprint, maxLength: model.maxLength});
		expect((await again.encode(texts)).data).toEqual((await model.encode(texts)).data);
		expect([...(await weightsOf(saved))].toSorted()).toEqual(
			[...(await weightsOf(path))].toSorted(),
		);
		const config = (place: string) => JSON.parse(readFileSync(join(place, 'config.json'), 'utf8'));
		expect(config(saved)).toEqual(config(path));
	});

	test('gives the same bits alone and among others', async () => {
		const {model} = await loadFamily(path, {pooling: 'mean'});
		const batch = await goldenBatch(path);
		const whole = await encode(model, batch);
		for (const place of batch.texts) {
			const alone = await encode(model, select(batch, [place]));
			expectSameBits(alone, rowsFrom(whole, place, place + 1));
		}
	});

	sameBitsEverywhere('it', async device =>
		stepOf(await loadFamily(path, {pooling: 'mean', device}), path, [12]),
	);
});

/** Blocks that share parameters add to them one after the other, in pieces in another order. */
const sharing = ['albert', 'mpnet', 't5', 't5_v1_1'];
const folders = familyFolders(fixtures);

test.each(folders.filter(({name}) => !sharing.includes(name)))(
	'$name gives the same bits in pieces as at once',
	async ({path}) => {
		const loaded = await loadFamily(path, {pooling: 'mean'});
		const whole = await stepOf(loaded, path, [12]);
		const pieces = await stepOf(loaded, path, [1, 4, 7]);
		for (const [index, matrix] of whole.entries()) expectSameBits(pieces[index]!, matrix);
	},
);

test.each(folders.filter(({name}) => sharing.includes(name)))(
	'$name, whose blocks share parameters, gives the same gradients in pieces up to rounding',
	async ({path}) => {
		const loaded = await loadFamily(path, {pooling: 'mean'});
		const whole = await stepOf(loaded, path, [12]);
		const pieces = await stepOf(loaded, path, [1, 4, 7]);
		expectSameBits(pieces[0]!, whole[0]!);
		for (const [index, matrix] of whole.entries()) {
			const {error, where} = worstError(pieces[index]!, matrix);
			expect(error, where).toBeLessThan(gradientLimit(matrix, whole.slice(1)));
		}
	},
);
