// Models that compute in 16 bits, which only cards do: how far from float64, and what may not change a bit.

import {expect, test} from 'vitest';
import type {ModelSpec} from '../../dist/model/spec.js';
import {type NativeDevice, native} from '../../dist/native.js';
import {onEveryCard, sameBitsOnCards} from '../support/cards.js';
import {rowsOf} from '../support/matrix.js';
import {forward64} from '../support/model64.js';
import {expectNear} from '../support/nearness-bf16.js';
import {newDevice} from '../support/run-op.js';
import {
	batchOf,
	encode,
	forward,
	layerNorm,
	select,
	specOf,
	tinyModel,
} from '../support/tiny-model.js';
import {expectSameBits} from '../support/tolerance.js';

const batch = batchOf([0, 1, 18, 5]);
const places = [...batch.texts.keys()];

function specWith(more: Partial<ModelSpec>, size = {width: 24, heads: 3}): ModelSpec {
	const norms = {before: layerNorm, inside: layerNorm};
	const shape = {...size, norms, bias: true, activation: 'gelu'} as const;
	return specOf(shape, {finalNorm: layerNorm, ...more});
}

const dense = [{width: 20, bias: true, activation: 'tanh', norm: layerNorm} as const];
/** Every way from rows of tokens to embeddings. */
const heads: {name: string; more: Partial<ModelSpec>}[] = [
	{name: 'its tokens', more: {head: {pooling: [], dense: [], normalize: false}}},
	{name: 'its tokens made narrow', more: {head: {pooling: [], dense, normalize: true}}},
	{name: 'poolings side by side', more: {head: {pooling: ['max', 'cls'], dense, normalize: true}}},
	{name: 'a generalised mean', more: {head: {pooling: ['gem'], dense: [], normalize: false}}},
	{name: 'a mean of its layers', more: {layerMean: {start: 1}}},
];

onEveryCard('a model in 16 bits', device => {
	test.each(heads)('embeds a text by $name as float64 does', async ({more}) => {
		const model = await tinyModel(specWith(more), device, 'bf16');
		const full = select(batch, places.slice(1));
		const meaning = forward64(model.spec, model.weights, full);
		expectNear(await encode(model, full), meaning, model.spec);
	});

	test.each(heads)('gives a text by $name the same bits alone and among others', async ({more}) => {
		const model = await tinyModel(specWith(more), device, 'bf16');
		const whole = await encode(model, batch);
		const rows = model.spec.head.pooling.length > 0 ? [...places, places.length] : batch.offsets;
		for (const place of places) {
			const alone = await encode(model, select(batch, [place]));
			expectSameBits(alone, rowsOf(whole, rows[place]!, rows[place + 1]!));
		}
	});

	test('embeds a text by heads that matrix cores have as float64 does', async () => {
		const model = await tinyModel(specWith({}, {width: 64, heads: 2}), device, 'bf16');
		const full = select(batch, places.slice(1));
		expectNear(await encode(model, full), forward64(model.spec, model.weights, full), model.spec);
	});

	test.each(heads.slice(1, 3))(
		'gives the same bits by $name in training, kept or not',
		async ({more}) => {
			const model = await tinyModel(specWith(more), device, 'bf16');
			const encoded = await encode(model, batch);
			for (const how of [{}, {keep: true}, {keep: true, recompute: true}]) {
				expectSameBits(await forward(model, batch, how), encoded);
			}
		},
	);
});

sameBitsOnCards('a model in 16 bits', async device => [
	await encode(await tinyModel(specWith({}), device, 'bf16'), batch),
]);

test('is refused by the CPU', () => {
	const device: NativeDevice = newDevice();
	expect(() => new (native().Model)(device, specWith({}), undefined, 'bf16')).toThrow(
		'model: expected to compute in f32, or on a card in bf16, got bf16',
	);
});
