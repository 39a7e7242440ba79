// Passes that a card is asked for with one call: recorded when their shape has come often enough, the
// same bits with and without, whatever came between.

import {describe, expect, test} from 'vitest';
import {attention, type ModelSpec, mlp} from '../../dist/model/spec.js';
import {cards} from '../support/cards.js';
import {
	batchOf,
	encode,
	layerNorm,
	specOf,
	type TinyModel,
	tinyModel,
} from '../support/tiny-model.js';

const norms = {after: layerNorm};
const plain = specOf({width: 24, heads: 2, norms, bias: true, activation: 'gelu'});
const short: ModelSpec = {...plain, embedding: {...plain.embedding, positions: 5}};
const rotary: ModelSpec = {
	...plain,
	embedding: {...plain.embedding, positions: 0},
	blocks: plain.blocks.map(({weights}) => ({
		weights,
		attention: attention({
			...{heads: 2, headWidth: 12, norms},
			rotary: {frequencies: [1, 0.1, 0.01], magnitude: 1},
		}),
		mlp: mlp({width: 32, activation: 'gelu', norms}),
	})),
};
const often = [1, 2, 3, 4, 5];

async function repeated(model: TinyModel, lengths: readonly number[]) {
	const batch = batchOf(lengths);
	const first = await encode(model, batch);
	for (const _ of often) expect(await encode(model, batch)).toEqual(first);
	return {batch, first};
}

describe.each(cards)('on $name', ({open}) => {
	test.each([
		['texts of several lengths', plain, [3, 1, 9]],
		['a text of no tokens', plain, [0, 2, 0]],
		['a whole bucket', plain, [16]],
		['more filling than one text may have', short, [5, 5, 5, 2]],
		['turns of places', rotary, [5, 4]],
	] as const)('a recorded pass gives the same bits: %s', async (_, spec, lengths) => {
		const model = await tinyModel(spec, open());
		await repeated(model, lengths);
		expect(model.core.statistics().recordings).toBe(1);
	});

	test('a recorded pass in bf16 gives the same bits', async () => {
		const model = await tinyModel(plain, open(), 'bf16');
		await repeated(model, [3, 1, 9]);
		expect(model.core.statistics().recordings).toBe(1);
	});

	test('a recording serves all batches of its bucket', async () => {
		const model = await tinyModel(plain, open());
		const lengths = [
			[1, 2],
			[2, 1],
			[9, 2],
			[5, 5],
			[8, 3],
		];
		const alone = await tinyModel(plain, open());
		const expected = [];
		for (const each of lengths) expected.push(await encode(alone, batchOf(each)));
		await repeated(model, [3, 3]);
		for (const [n, each] of lengths.entries()) {
			expect(await encode(model, batchOf(each))).toEqual(expected[n]);
		}
		expect(model.core.statistics().recordings).toBe(1);
	});

	test('is recorded anew when scratch has moved, and when tables have', async () => {
		const model = await tinyModel(rotary, open());
		const {batch, first} = await repeated(model, [5, 4]);
		await encode(model, batchOf([513]));
		expect(model.core.statistics().recordings).toBe(0);
		for (const _ of often) expect(await encode(model, batch)).toEqual(first);
		expect(model.core.statistics().recordings).toBe(1);
	});

	test('leading tokens that are not pooled, rows of tokens and fewer columns have their own', async () => {
		const model = await tinyModel(plain, open());
		const {ids, offsets} = batchOf([4, 3]);
		const kinds = [
			{batch: {ids, offsets, skip: Int32Array.of(1, 2)}, rows: 2, settings: {}},
			{batch: {ids, offsets, unpooled: true}, rows: 7, settings: {}},
			{batch: {ids, offsets}, rows: 2, settings: {dimensions: 10}},
			{batch: {ids, offsets}, rows: 2, settings: {normalize: false}},
		];
		for (const {batch, rows, settings} of kinds) {
			const run = async () => {
				const out = new Float32Array(rows * (settings.dimensions ?? plain.width));
				await model.core.encode(batch, settings, out);
				return out;
			};
			const first = await run();
			for (const _ of often) expect(await run()).toEqual(first);
		}
		expect(model.core.statistics().recordings).toBe(kinds.length);
	});

	test('follows the weights', async () => {
		const model = await tinyModel(plain, open());
		const {batch, first} = await repeated(model, [3, 3]);
		const bias = new Float32Array(plain.width).fill(0.5);
		model.core.write('weight', 'embedding.norm.bias', 0, bias);
		const after = await encode(model, batch);
		expect(after).not.toEqual(first);
		const other = await tinyModel(plain, open());
		other.core.write('weight', 'embedding.norm.bias', 0, bias);
		expect(after).toEqual(await encode(other, batch));
	});
});
