// One optimizer step over a whole model: norm, clipping, decay, and fresh copies for the products.

import {expect, test} from 'vitest';
import type {UpdateSettings} from '../../dist/native.js';
import {type Matrix, matrixOf, normals, randomMatrix, zeros} from '../support/matrix.js';
import {forward64} from '../support/model64.js';
import {adamW, lion} from '../support/oracle.js';
import {readMatrix, tensorOf} from '../support/run-op.js';
import {
	batchOf,
	embeddingsOf,
	encode,
	gradients,
	layerNorm,
	specOf,
	type TinyModel,
	tinyModel,
} from '../support/tiny-model.js';
import {expectClose, expectSameBits, type Round} from '../support/tolerance.js';

const spec = specOf({
	...{width: 24, heads: 3, norms: {after: layerNorm}, bias: true, activation: 'gelu'},
});
const batch = batchOf([3, 5, 9]);
const settings: UpdateSettings = {
	...{rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.1, clip: 0.5, step: 1},
};

async function prepare() {
	const model = await tinyModel(spec);
	const {rows, columns} = embeddingsOf(model, batch);
	const gradient = randomMatrix(rows, columns, normals(2));
	return {model, found: await gradients(model, [{batch, gradient}])};
}

async function weightsOf({core}: TinyModel): Promise<Map<string, Matrix>> {
	const weights = new Map<string, Matrix>();
	for (const {name, rows, columns} of core.parameters()) {
		const values = new Float32Array(rows * columns);
		await core.read('weight', name, 0, values);
		weights.set(
			name,
			matrixOf(rows, columns, at => values[at]!),
		);
	}
	return weights;
}

function normOf(found: Iterable<Matrix>): number {
	return Math.hypot(...[...found].flatMap(({values}) => [...values]));
}

test('returns the norm of all gradients before they are clipped', async () => {
	const {model, found} = await prepare();
	const norm = await model.core.update(settings, []);
	const expected = normOf(found.values());
	expect(expected).toBeGreaterThan(settings.clip);
	expectClose(
		matrixOf(1, 1, () => norm),
		round => matrixOf(1, 1, () => round(expected)),
	);
});

test('takes one step of AdamW with the clipped gradients, decaying matrices only', async () => {
	const {model, found} = await prepare();
	const norm = normOf(found.values());
	await model.core.update(settings, []);
	const after = await weightsOf(model);
	const gradientScale = settings.clip / (norm + 1e-6);
	for (const {name, rows, columns} of model.core.parameters()) {
		const moments = {first: zeros(rows, columns), second: zeros(rows, columns)};
		const decay = /(embedding\.[a-z]+|(qkv|output|up|down)\.weight)$/.test(name) ? 0.1 : 0;
		const weight = model.weights.get(name)!;
		const options = {...settings, decay, gradientScale};
		expectClose(
			after.get(name)!,
			(round: Round) => adamW({weight, ...moments}, found.get(name)!, options, round).weight,
		);
	}
});

test('takes gradients below the clip as they are', async () => {
	const {model, found} = await prepare();
	const norm = await model.core.update({...settings, clip: 1e9}, []);
	expect(norm).toBeCloseTo(normOf(found.values()), 5);
	const free = await prepare();
	await free.model.core.update({...settings, clip: 0}, []);
	const [clipped, unclipped] = [await weightsOf(model), await weightsOf(free.model)];
	for (const [name, weight] of clipped) expectSameBits(weight, unclipped.get(name)!);
});

test('is what the next pass computes with', async () => {
	const {model} = await prepare();
	await model.core.update(settings, []);
	const weights = await weightsOf(model);
	expectClose(await encode(model, batch), round => forward64(spec, weights, batch, {round}), {
		scale: 4 * spec.blocks.length,
	});
});

test('changes nothing when the norm is not finite', async () => {
	const {model} = await prepare();
	const {rows, columns} = embeddingsOf(model, batch);
	const gradient = matrixOf(rows, columns, () => Number.NaN);
	await gradients(model, [{batch, gradient}]);
	expect(await model.core.update(settings, [])).toBeNaN();
	const after = await weightsOf(model);
	for (const [name, weight] of model.weights) expectSameBits(after.get(name)!, weight);
});

test('moves a matrix outside the model too, without decay, and counts it in the norm', async () => {
	const {model, found} = await prepare();
	const weight = matrixOf(1, 1, () => 20);
	const gradient = matrixOf(1, 1, () => 3);
	const tensors = [weight, gradient, zeros(1, 1), zeros(1, 1)].map(m => tensorOf(model.device, m));
	const [value, slope, first, second] = tensors as [never, never, never, never];
	const norm = await model.core.update(settings, [{value, gradient: slope, first, second}]);
	expect(norm).toBeCloseTo(Math.hypot(normOf(found.values()), 3), 5);
	const moments = {weight, first: zeros(1, 1), second: zeros(1, 1)};
	const options = {...settings, decay: 0, gradientScale: settings.clip / (norm + 1e-6)};
	expectClose(
		await readMatrix(model.device, value),
		round => adamW(moments, gradient, options, round).weight,
	);
});

test.each(['adam', 'lion'] as const)('takes one step of %s', async optimizer => {
	const {model, found} = await prepare();
	await model.core.update({...settings, optimizer, clip: 0}, []);
	const after = await weightsOf(model);
	const plain = {
		adam: (given: Parameters<typeof adamW>) =>
			adamW(given[0], given[1], {...given[2], coupled: true}, given[3]).weight,
		lion: (given: Parameters<typeof adamW>) => lion(...given).weight,
	}[optimizer];
	for (const {name, rows, columns, decay: decays} of model.core.parameters()) {
		const moments = {first: zeros(rows, columns), second: zeros(rows, columns)};
		const weight = model.weights.get(name)!;
		const options = {...settings, decay: decays ? settings.decay : 0, gradientScale: 1};
		expectClose(after.get(name)!, round =>
			plain([{weight, ...moments}, found.get(name)!, options, round]),
		);
	}
});

test('multiplies the rate of each parameter by a factor of its own', async () => {
	const {model} = await prepare();
	const names = model.core.parameters().map(({name}) => name);
	const factors = names.map((_, n) => n % 3);
	await model.core.update({...settings, factors}, []);
	const after = await weightsOf(model);
	for (const factor of [0, 1, 2]) {
		const other = (await prepare()).model;
		await other.core.update({...settings, rate: settings.rate * factor}, []);
		const expected = await weightsOf(other);
		const own = names.filter((_, n) => factors[n] === factor);
		for (const name of own) expectSameBits(after.get(name)!, expected.get(name)!);
	}
});

test('refuses factors of another number than there are parameters', async () => {
	const {model} = await prepare();
	await expect(model.core.update({...settings, factors: [1]}, [])).rejects.toThrow(
		'update: expected a factor for each parameter, got 1',
	);
});

test('does without second moments where Lion is all that updates', async () => {
	const {model} = await prepare();
	await model.core.update({...settings, optimizer: 'lion'}, []);
	const bare = await tinyModel(spec);
	await bare.core.prepareTraining([], false);
	expect(new Set(bare.core.parameters().map(({moments}) => moments))).toEqual(new Set([1]));
	const {rows, columns} = embeddingsOf(bare, batch);
	await gradients(bare, [{batch, gradient: randomMatrix(rows, columns, normals(2))}]);
	await expect(bare.core.update(settings, [])).rejects.toThrow(
		'update: expected training prepared with second moments, got one without',
	);
	await bare.core.update({...settings, optimizer: 'lion'}, []);
	const [with2, without] = [await weightsOf(model), await weightsOf(bare)];
	for (const [name, weight] of with2) expectSameBits(weight, without.get(name)!);
});
