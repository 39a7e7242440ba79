// One optimizer step over a whole model, on the CPU and on a card: norm, clipping, decay, and fresh copies for
// the products.

import {describe, expect, test} from 'vitest';
import type {OptimizerName, UpdateSettings} from '../../dist/native.js';
import {devices} from '../support/cards.js';
import {type Matrix, matrixOf, normals, randomMatrix, rowsOf, zeros} from '../support/matrix.js';
import {forward64} from '../support/model64.js';
import {adamW, lion, mapped} from '../support/oracle.js';
import {adafactor, type Factored} from '../support/oracle-optimizers.js';
import {readParameters} from '../support/parameters.js';
import {readMatrix, tensorOf} from '../support/run-op.js';
import {
	batchOf,
	embeddingsOf,
	encode,
	gradients,
	layerNorm,
	readGradients,
	specOf,
	type TinyModel,
	tinyModel,
} from '../support/tiny-model.js';
import {expectClose, expectSameBits, type Round} from '../support/tolerance.js';

const spec = specOf({
	...{width: 24, heads: 3, norms: {after: layerNorm}, bias: true, activation: 'gelu'},
});
// 4608 elements, of which moments in 8 bits are kept, and three matrices in one.
const wide = specOf({
	...{width: 48, heads: 3, norms: {after: layerNorm}, bias: true, activation: 'gelu'},
});
const stacked = {name: 'blocks.0.attention.qkv.weight', parts: [2304, 2304, 2304]};

const batch = batchOf([3, 5, 9]);
const settings: UpdateSettings = {
	...{rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.1, clip: 0.5, step: 1},
};

async function weightsOf({core}: TinyModel): Promise<Map<string, Matrix>> {
	const values = await readParameters(core);
	const matrices = core.parameters().map(({name, rows, columns}) => {
		const own = values.get(name)!;
		return [name, matrixOf(rows, columns, at => own[at]!)] as const;
	});
	return new Map(matrices);
}

function normOf(found: Iterable<Matrix>): number {
	return Math.hypot(...[...found].flatMap(({values}) => [...values]));
}

describe.each(devices)('on $name', ({open}) => {
	async function prepare(optimizer: OptimizerName = 'adamw') {
		const model = await tinyModel(spec, open());
		await model.core.prepareTraining([], {optimizer});
		const {rows, columns} = embeddingsOf(model, batch);
		const gradient = randomMatrix(rows, columns, normals(2));
		return {model, found: await gradients(model, [{batch, gradient}])};
	}

	test('returns the norm of all gradients before they are clipped', async () => {
		const {model, found} = await prepare();
		const {norm} = await model.core.update(settings, []);
		const expected = normOf(found.values());
		expect(expected).toBeGreaterThan(settings.clip);
		expectClose(
			matrixOf(1, 1, () => norm),
			round => matrixOf(1, 1, () => round(expected)),
		);
	});

	test('returns the sum of squares of each gradient, those outside the model behind them', async () => {
		const {model, found} = await prepare();
		const [value, gradient, first, second] = [4, 3, 0, 0].map(x =>
			tensorOf(
				model.device,
				matrixOf(1, 1, () => x),
			),
		) as [never, never, never, never];
		const {norm, squares} = await model.core.update(settings, [{value, gradient, first, second}]);
		const expected = model.core.parameters().map(({name}) => normOf([found.get(name)!]) ** 2);
		expect(squares).toHaveLength(expected.length + 1);
		for (const [n, each] of [...expected, 9].entries()) {
			expect(Math.abs(squares[n]! - each)).toBeLessThanOrEqual(1e-5 * each);
		}
		expect(norm).toBeCloseTo(Math.sqrt(squares.reduce((a, b) => a + b)), 12);
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
		const {norm} = await model.core.update({...settings, clip: 1e9}, []);
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
		expect((await model.core.update(settings, [])).norm).toBeNaN();
		const after = await weightsOf(model);
		for (const [name, weight] of model.weights) expectSameBits(after.get(name)!, weight);
	});

	test('moves a matrix outside the model too, without decay, and counts it in the norm', async () => {
		const {model, found} = await prepare();
		const weight = matrixOf(1, 1, () => 20);
		const gradient = matrixOf(1, 1, () => 3);
		const tensors = [weight, gradient, zeros(1, 1), zeros(1, 1)].map(m =>
			tensorOf(model.device, m),
		);
		const [value, slope, first, second] = tensors as [never, never, never, never];
		const {norm} = await model.core.update(settings, [{value, gradient: slope, first, second}]);
		expect(norm).toBeCloseTo(Math.hypot(normOf(found.values()), 3), 5);
		const moments = {weight, first: zeros(1, 1), second: zeros(1, 1)};
		const options = {...settings, decay: 0, gradientScale: settings.clip / (norm + 1e-6)};
		expectClose(
			await readMatrix(model.device, value),
			round => adamW(moments, gradient, options, round).weight,
		);
	});

	test.each(['adam', 'lion'] as const)('takes one step of %s', async optimizer => {
		const {model, found} = await prepare(optimizer);
		await model.core.update({...settings, clip: 0}, []);
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

	/** The state of each of some parameters, in words. */
	async function stateIn(optimizer: OptimizerName, average = false): Promise<Map<string, string>> {
		const {core} = await tinyModel(wide, open());
		await core.prepareTraining(['embedding.types'], {optimizer, average, stacked: [stacked]});
		return new Map(
			core
				.parameters()
				.map(({name, state}) => [
					name,
					state
						.map(({part, rows, columns, type}) => `${part} ${rows}x${columns} ${type}`)
						.join(', '),
				]),
		);
	}

	test.each([
		['adamw', 'first 144x48 f32, second 144x48 f32', 'first 1x144 f32, second 1x144 f32'],
		['lion', 'first 144x48 f32', 'first 1x144 f32'],
		[
			'adamw8',
			'first 144x48 u8, second 144x48 u8, firstScale 1x27 f32, secondScale 1x27 f32',
			'first 1x144 f32, second 1x144 f32',
		],
		['adafactor', 'rowSquares 1x144 f32, columnSquares 3x48 f32', 'columnSquares 1x144 f32'],
	] as const)('keeps of %s what it reads again', async (optimizer, ofMatrix, ofBias) => {
		const state = await stateIn(optimizer);
		expect(state.get(stacked.name)).toBe(ofMatrix);
		expect(state.get('blocks.0.attention.qkv.bias')).toBe(ofBias);
		expect(state.get('embedding.types')).toBe('');
	});

	test('takes three steps of Adafactor with each stacked matrix by itself', async () => {
		const model = await tinyModel(wide, open());
		const {core} = model;
		await core.prepareTraining([], {optimizer: 'adafactor', stacked: [stacked]});
		const {rows, columns} = embeddingsOf(model, batch);
		const {name} = stacked;
		const plain = [0, 1, 2].map(part => ({
			weight: rowsOf(model.weights.get(name)!, 48 * part, 48 * (part + 1)),
			rows: zeros(1, 48),
			columns: zeros(1, 48),
		}));
		const gradientsOf: Matrix[] = [];
		for (const step of [1, 2, 3]) {
			const gradient = randomMatrix(rows, columns, normals(step));
			const found = await gradients(model, [{batch, gradient}]);
			gradientsOf.push(found.get(name)!);
			await core.update({...settings, clip: 0, step}, []);
		}
		const after = (await weightsOf(model)).get(name)!;
		for (const [part, start] of plain.entries()) {
			const [begin, end] = [48 * part, 48 * (part + 1)];
			expectClose(rowsOf(after, begin, end), round => {
				let state: Factored = start;
				for (const [n, gradient] of gradientsOf.entries()) {
					const options = {rate: 0.01, decay: 0.1, gradientScale: 1, step: n + 1};
					state = adafactor(state, rowsOf(gradient, begin, end), options, round);
				}
				return state.weight;
			});
		}
	});

	test('clips each element of the gradients, and tells their norm before', async () => {
		const {model, found} = await prepare('adam');
		const bound = 0.01;
		const {norm} = await model.core.update({...settings, clip: 0, clipValue: bound}, []);
		expect(norm).toBeCloseTo(normOf(found.values()), 5);
		const after = await readGradients(model);
		for (const [name, {values}] of found) {
			const clipped = values.map(value =>
				Math.min(Math.max(value, -Math.fround(bound)), Math.fround(bound)),
			);
			expect(after.get(name)!.values).toEqual(clipped);
		}
	});

	test('keeps the mean of the weights, which may change places with them', async () => {
		const model = await tinyModel(spec, open());
		const {core, weights: start} = model;
		await core.prepareTraining([], {average: true});
		const all: Map<string, Matrix>[] = [start];
		for (const [n, averageShare] of [0.25, 0.25, 0].entries()) {
			const {rows, columns} = embeddingsOf(model, batch);
			await gradients(model, [{batch, gradient: randomMatrix(rows, columns, normals(n))}]);
			await core.update({...settings, step: n + 1, averageShare}, []);
			all.push(await weightsOf(model));
		}
		core.exchangeAverages();
		await core.pack();
		const means = await weightsOf(model);
		for (const [name, mean] of means) {
			const [zero, one, two] = all.map(weights => weights.get(name)!);
			expectClose(mean, round => {
				const towards = (from: Matrix, to: Matrix) =>
					mapped(from, (x, at) => round(x + round(0.25 * round(to.values[at]! - x))));
				return towards(towards(zero!, one!), two!);
			});
		}
		expectClose(await encode(model, batch), round => forward64(spec, means, batch, {round}), {
			scale: 4 * spec.blocks.length,
		});
		core.exchangeAverages();
		await core.pack();
		for (const [name, weight] of await weightsOf(model)) expectSameBits(weight, all[3]!.get(name)!);
	});
});
