// Blocks that are computed again in backward: the same bits as when they are kept, in less memory.

import {describe, expect, test} from 'vitest';
import type {BlockSpec, ModelSpec} from '../../dist/model/spec.js';
import {cards} from '../support/cards.js';
import {normals, randomMatrix, sum} from '../support/matrix.js';
import type {Batch} from '../support/model64.js';
import {newDevice} from '../support/run-op.js';
import {
	batchOf,
	embeddingsOf,
	forward,
	gradients,
	layerNorm,
	select,
	specOf,
	type TinyModel,
	tinyModel,
} from '../support/tiny-model.js';
import {expectSameBits} from '../support/tolerance.js';
import {hashesOf, rowsOf as recordsOf, trained} from '../train/tiny.js';
import {familyFolders, fixtures, goldenBatch, loadFamily, sharedFixtures} from './families.js';

const dropout = {seed: 3, step: 8, hidden: 0.1, attention: 0.1};

/** The embeddings and gradients of a batch that goes through in pieces. */
async function stepOf(model: TinyModel, batch: Batch, sizes: readonly number[], again: boolean) {
	const {columns} = embeddingsOf(model, batch);
	const ends = sizes.map((_, piece) => sum(sizes.slice(0, piece + 1)));
	const steps = ends.map((end, piece) => {
		const part = select(batch, [...batch.texts.keys()].slice(end - sizes[piece]!, end));
		const {rows} = embeddingsOf(model, part);
		return {batch: part, gradient: randomMatrix(rows, columns, normals(piece))};
	});
	const settings = {keep: true, recompute: again, dropout};
	const embeddings = await forward(model, batch, settings);
	return {embeddings, gradients: await gradients(model, steps, dropout, again)};
}

async function expectSameStep(model: TinyModel, batch: Batch, sizes: readonly number[]) {
	const kept = await stepOf(model, batch, sizes, false);
	const again = await stepOf(model, batch, sizes, true);
	expectSameBits(again.embeddings, kept.embeddings);
	for (const [name, gradient] of kept.gradients) {
		expectSameBits(again.gradients.get(name)!, gradient);
	}
}

const families = [...familyFolders(fixtures), ...familyFolders(sharedFixtures)];

test.each(families)('$name has the same bits, whole and in chunks, with dropout', async family => {
	const {model} = await loadFamily(family.path);
	const batch = await goldenBatch(family.path);
	const count = batch.texts.length;
	await expectSameStep(model, batch, [count]);
	await expectSameStep(model, batch, [3, count - 4, 1]);
});

/** So many blocks of one shape. */
function deep(blocks: number, {positions = 70} = {}): ModelSpec {
	const shape = {width: 24, heads: 3, norms: {after: layerNorm}, bias: true} as const;
	const {blocks: two, embedding, ...spec} = specOf({...shape, activation: 'gelu'});
	const block = (_: unknown, weights: number): BlockSpec => ({...two[0]!, weights});
	const embedded = {...embedding, positions};
	return {...spec, embedding: embedded, blocks: Array.from({length: blocks}, block)};
}

test('a text that attention streams has the same bits', async () => {
	const model = await tinyModel(deep(2, {positions: 1300}), newDevice(2));
	await expectSameStep(model, batchOf([1200, 3, 600]), [2, 1]);
});

test.each(cards)('a tiny model on $name has the same bits', async ({open}) => {
	const model = await tinyModel(deep(2), open());
	await expectSameStep(model, batchOf([4, 0, 5]), [2, 1]);
});

describe('the memory of what is kept', () => {
	const batch = batchOf([40, 30, 58]);

	async function peakOf(blocks: number, recompute: boolean): Promise<number> {
		const model = await tinyModel(deep(blocks), newDevice(1));
		await stepOf(model, batch, [3], recompute);
		return model.core.statistics().savedPeak;
	}

	test('grows by one matrix of tokens by width with each block', async () => {
		const [few, many] = [await peakOf(3, true), await peakOf(11, true)];
		const matrix = 128 * 24 * 4;
		expect(many - few).toBe(8 * matrix);
	});

	test('is that of all blocks when they are not computed again', async () => {
		const [few, many] = [await peakOf(3, false), await peakOf(11, false)];
		const block = (await peakOf(2, false)) - (await peakOf(1, false));
		expect(many - few).toBe(8 * block);
		expect(await peakOf(11, true)).toBeLessThan(few);
	});
});

test('a run has the same losses and weights in any chunks, in less memory', async () => {
	const run = async (options: object) => {
		const {model, losses} = await trained({data: recordsOf(16), dropout: 0.1, ...options});
		return {bits: {losses, weights: await hashesOf(model)}, model};
	};
	const kept = await run({recompute: 'none'});
	for (const chunkTokens of ['auto', 60] as const) {
		const again = await run({recompute: 'blocks', chunkTokens});
		expect(again.bits).toEqual(kept.bits);
		const peaks = [again, kept].map(({model}) => model.core.statistics().savedPeak);
		expect(peaks[0]).toBeLessThan(peaks[1]!);
	}
});

test('a pass that no backward followed leaves nothing behind', async () => {
	const model = await tinyModel(deep(2), newDevice(1));
	const batch = batchOf([9, 4]);
	const whole = await stepOf(model, batch, [2], false);
	await forward(model, batch, {keep: true, recompute: true, dropout});
	const again = await stepOf(model, batch, [2], true);
	expectSameBits(again.embeddings, whole.embeddings);
});
