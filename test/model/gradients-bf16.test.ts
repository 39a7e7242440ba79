// Gradients of models that compute in 16 bits, which only cards do, beside those in float32; and what may
// not change a bit of them.

import {expect, test} from 'vitest';
import {passMemory} from '../../dist/model/activation-memory.js';
import type {ModelSpec} from '../../dist/model/spec.js';
import type {NativeDevice} from '../../dist/native.js';
import {onEveryCard, sameBitsOnCards} from '../support/cards.js';
import {normals, randomMatrix, rowsOf, sum} from '../support/matrix.js';
import {expectGradientNear} from '../support/nearness-bf16.js';
import {
	batchOf,
	embeddingsOf,
	gradients,
	layerNorm,
	select,
	specOf,
	type TinyModel,
	tinyModel,
} from '../support/tiny-model.js';
import {expectSameBits} from '../support/tolerance.js';

const shape = {width: 16, heads: 2, bias: true, activation: 'gelu'} as const;
const after = {...shape, norms: {after: layerNorm}};
const before = {...shape, norms: {before: layerNorm, inside: layerNorm}};
const dense = [{width: 12, bias: true, activation: 'tanh', norm: layerNorm} as const];

/**
The ways from rows of tokens to embeddings, and both places of norms. No maximum: where rounding gives it to another
row, that row is taught.
*/
const specs: {name: string; spec: ModelSpec}[] = [
	{name: 'norms after layers', spec: specOf(after)},
	{name: 'norms before and in layers', spec: specOf(before, {finalNorm: layerNorm})},
	{
		name: 'poolings side by side',
		spec: specOf(after, {head: {pooling: ['mean', 'cls'], dense, normalize: true}}),
	},
	{name: 'rows of tokens', spec: specOf(after, {head: {pooling: [], dense, normalize: true}})},
	{name: 'a mean of layers', spec: specOf(after, {layerMean: {start: 1}})},
];

const batch = batchOf([1, 14, 5, 9]);
const dropout = {seed: 3, step: 8, hidden: 0.1, attention: 0.1};

async function gradientsIn(
	computed: 'f32' | 'bf16',
	{device, spec, recompute = false}: {device: NativeDevice; spec: ModelSpec; recompute?: boolean},
) {
	const model = await tinyModel(spec, device, computed);
	const {rows, columns} = embeddingsOf(model, batch);
	const gradient = randomMatrix(rows, columns, normals(2));
	return gradients(model, [{batch, gradient}], dropout, recompute);
}

/** As many texts at a time as each of the sizes says. */
async function gradientsInPieces(model: TinyModel, sizes: readonly number[]) {
	const {rows, columns} = embeddingsOf(model, batch);
	const gradient = randomMatrix(rows, columns, normals(2));
	const steps = sizes.map((size, piece) => {
		const begin = sum(sizes.slice(0, piece));
		const places = [...batch.texts.keys()].slice(begin, begin + size);
		return {batch: select(batch, places), gradient: rowsOf(gradient, begin, begin + size)};
	});
	return gradients(model, steps, dropout);
}

onEveryCard('gradients in 16 bits', device => {
	test.each(specs)('are those in 32, up to their rounding, with $name', async ({spec}) => {
		const meaning = await gradientsIn('f32', {device, spec});
		expectGradientNear(await gradientsIn('bf16', {device, spec}), meaning, spec);
	});

	test.each(['f32', 'bf16'] as const)(
		'have the same bits in pieces as at once, in %s',
		async type => {
			for (const {spec} of [specs[1]!, specs[2]!, specs.at(-1)!]) {
				const model = await tinyModel(spec, device, type);
				const whole = await gradientsInPieces(model, [4]);
				const pieces = await gradientsInPieces(model, [1, 2, 1]);
				for (const [name, gradient] of whole) expectSameBits(pieces.get(name)!, gradient);
			}
		},
	);

	test('have the same bits when blocks are computed again', async () => {
		const {spec} = specs[1]!;
		const kept = await gradientsIn('bf16', {device, spec});
		const again = await gradientsIn('bf16', {device, spec, recompute: true});
		for (const [name, gradient] of kept) expectSameBits(again.get(name)!, gradient);
	});

	test.each([false, true])('take the memory that is said, recomputed: %s', async recompute => {
		const {spec} = specs[1]!;
		const model = await tinyModel(spec, device, 'bf16');
		const {rows, columns} = embeddingsOf(model, batch);
		const gradient = randomMatrix(rows, columns, normals(2));
		await gradients(model, [{batch, gradient}], dropout, recompute);
		const shape = {tokens: batch.ids.length, texts: rows, recompute, dtype: 'bf16'} as const;
		const ofBatch = 4 * (batch.ids.length + batch.offsets.length + rows);
		const more = model.core.statistics().savedPeak - passMemory(spec, shape).saved - ofBatch;
		// Each matrix begins on a cache line.
		expect(more).toBeGreaterThanOrEqual(0);
		expect(more).toBeLessThan(64 * 20 * (2 + spec.blocks.length));
	});

	test.each(['adamw', 'adamw8', 'lion', 'adafactor'] as const)(
		'move by %s what products read, as packing anew does',
		async optimizer => {
			const {spec} = specs[0]!;
			const model = await tinyModel(spec, device, 'bf16');
			await model.core.prepareTraining([], {optimizer});
			const {rows, columns} = embeddingsOf(model, batch);
			const gradient = randomMatrix(rows, columns, normals(2));
			const first = await gradients(model, [{batch, gradient}]);
			const how = {rate: 1e-2, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, decay: 0.1, clip: 0};
			await model.core.update({...how, step: 1}, []);
			const moved = await gradients(model, [{batch, gradient}]);
			await model.core.pack();
			const packed = await gradients(model, [{batch, gradient}]);
			for (const [name, own] of moved) expectSameBits(packed.get(name)!, own);
			expect(moved).not.toEqual(first);
		},
	);
});

sameBitsOnCards('the gradients of a model in 16 bits', async device => [
	...(await gradientsIn('bf16', {device, spec: specs[0]!.spec})).values(),
]);
