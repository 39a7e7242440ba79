// What may not change a bit: companions, order, chunks, threads, what happens between two passes.

import {expect, test} from 'vitest';
import type {ModelSpec, Pooling} from '../../dist/model/spec.js';
import {onEveryPath, sameBitsEverywhere} from '../support/kernel-paths.js';
import {type Matrix, normals, randomMatrix, rowsOf, uniforms} from '../support/matrix.js';
import type {Batch} from '../support/model64.js';
import {newDevice} from '../support/run-op.js';
import {
	batchOf,
	embeddingsOf,
	encode,
	forward,
	gradients,
	layerNorm,
	readGradients,
	select,
	specOf,
	type TinyModel,
	tinyModel,
} from '../support/tiny-model.js';
import {expectSameBits} from '../support/tolerance.js';

const uniform = uniforms(5);
const lengths = [0, 1, 70, ...Array.from({length: 61}, () => 1 + Math.floor(60 * uniform()))];
const batch = batchOf(lengths);
const places = lengths.map((_, place) => place);
const dropout = {seed: 3, step: 8, hidden: 0.1, attention: 0.1};

function specWith(pooling?: Pooling): ModelSpec {
	const norms = {before: layerNorm, inside: layerNorm};
	const shape = {width: 24, heads: 3, norms, bias: true, activation: 'gelu'} as const;
	const dense = [{width: 20, bias: true, activation: 'tanh'} as const];
	return specOf(shape, {
		finalNorm: layerNorm,
		head: {pooling: pooling ? [pooling] : [], dense, normalize: true},
	});
}

/** Rows of a whole batch's embeddings that belong to texts. */
function rowsOfTexts(whole: Matrix, chosen: readonly number[]): Matrix {
	const rows = chosen.map(place => rowsOf(whole, place, place + 1).values);
	const values = Float64Array.from(rows.flatMap(row => [...row]));
	return {rows: chosen.length, columns: whole.columns, values};
}

/** The gradients of all parameters when the batch goes through in pieces. */
function gradientsOf(model: TinyModel, pieces: readonly (readonly number[])[], draw = dropout) {
	const {columns} = embeddingsOf(model, batch);
	const whole = randomMatrix(lengths.length, columns, normals(2));
	const steps = pieces.map(piece => ({
		batch: select(batch, piece),
		gradient: rowsOfTexts(whole, piece),
	}));
	return gradients(model, steps, draw);
}

function expectSameGradients(actual: Map<string, Matrix>, expected: Map<string, Matrix>): void {
	expect([...actual.keys()]).toEqual([...expected.keys()]);
	for (const [name, gradient] of expected) expectSameBits(actual.get(name)!, gradient);
}

onEveryPath('embeddings', () => {
	test('of a text are the same alone and among others', async () => {
		const model = await tinyModel(specWith('mean'));
		const whole = await encode(model, batch);
		for (const place of places) {
			const alone = await encode(model, select(batch, [place]));
			expectSameBits(alone, rowsOfTexts(whole, [place]));
		}
	});

	test('do not depend on order and companions', async () => {
		const model = await tinyModel(specWith('last'));
		const whole = await encode(model, batch);
		const shuffled = places.toSorted((a, b) => ((a * 37) % 64) - ((b * 37) % 64));
		const some = places.filter(place => place % 3 === 1);
		for (const chosen of [places.toReversed(), shuffled, some, [], [5, 5, 5]]) {
			expectSameBits(await encode(model, select(batch, chosen)), rowsOfTexts(whole, chosen));
		}
	});

	test('do not depend on the number of threads', async () => {
		const whole = await encode(await tinyModel(specWith('mean'), newDevice(1)), batch);
		for (const threads of [2, 3]) {
			const model = await tinyModel(specWith('mean'), newDevice(threads));
			expectSameBits(await encode(model, batch), whole);
			const few = places.slice(0, 4);
			expectSameBits(await encode(model, select(batch, few)), rowsOfTexts(whole, few));
		}
	});

	test('of a text longer than what one thread takes at once are the same', async () => {
		const {embedding, ...rest} = specWith('mean');
		const model = await tinyModel({...rest, embedding: {...embedding, positions: 0}}, newDevice(2));
		const long = batchOf([900, 3, 400, 384]);
		const whole = await encode(model, long);
		for (const place of [0, 1, 2, 3]) {
			const alone = await encode(model, select(long, [place]));
			expectSameBits(alone, rowsOfTexts(whole, [place]));
		}
	});

	test.each([undefined, 'cls', 'mean', 'last'] as const)(
		'are the same in training, kept or not, pooling by %s',
		async pooling => {
			const model = await tinyModel(specWith(pooling), newDevice(2));
			const encoded = await encode(model, batch);
			expectSameBits(await forward(model, batch), encoded);
			expectSameBits(await forward(model, batch, {keep: true}), encoded);
		},
	);

	test('of a pass with dropout are the same in chunks and kept or not', async () => {
		const model = await tinyModel(specWith('mean'), newDevice(2));
		const whole = await forward(model, batch, {dropout, keep: true});
		for (const chosen of [places, places.slice(0, 7), places.slice(7), places.toReversed()]) {
			const chunk = await forward(model, select(batch, chosen), {dropout});
			expectSameBits(chunk, rowsOfTexts(whole, chosen));
		}
	});
});

onEveryPath('gradients', () => {
	const draws = [dropout, {...dropout, hidden: 0, attention: 0}];

	test.each(draws)('are the same in chunks as at once, dropping $hidden', async draw => {
		const model = await tinyModel(specWith('mean'), newDevice(2));
		const whole = await gradientsOf(model, [places], draw);
		for (const cut of [1, 2, 20, 63]) {
			const pieces = [places.slice(0, cut), places.slice(cut)];
			expectSameGradients(await gradientsOf(model, pieces, draw), whole);
		}
		const single = places.map(place => [place]);
		expectSameGradients(await gradientsOf(model, single, draw), whole);
	});

	test.each(draws)('do not depend on the number of threads, dropping $hidden', async draw => {
		const whole = await gradientsOf(await tinyModel(specWith('cls'), newDevice(1)), [places], draw);
		for (const threads of [2, 3]) {
			const model = await tinyModel(specWith('cls'), newDevice(threads));
			expectSameGradients(await gradientsOf(model, [places], draw), whole);
		}
	});

	test('do not depend on what runs between forward and backward', async () => {
		const model = await tinyModel(specWith('mean'), newDevice(2));
		const whole = await gradientsOf(model, [places]);
		const {core, device} = model;
		const shape = embeddingsOf(model, batch);
		const gradient = device.tensor(shape.rows, shape.columns, 'f32');
		const values = randomMatrix(shape.rows, shape.columns, normals(2)).values;
		device.write(gradient, Float32Array.from(values));
		core.zeroGradients();
		await forward(model, batch, {keep: true, dropout});
		await encode(model, select(batch, places.slice(9)));
		await forward(model, select(batch, places.slice(3, 30)), {dropout});
		core.backward(gradient);
		expectSameGradients(await readGradients(model), whole);
	});

	test('forget a pass that no backward followed', async () => {
		const model = await tinyModel(specWith('mean'));
		const whole = await gradientsOf(model, [places]);
		await forward(model, batch, {keep: true, dropout});
		expectSameGradients(await gradientsOf(model, [places]), whole);
	});
});

sameBitsEverywhere('a model', async device => {
	const model = await tinyModel(specWith('mean'), device);
	const embeddings = await encode(model, batch);
	return [embeddings, ...(await gradientsOf(model, [places])).values()];
});

test.each([1, 2])(
	'a second step of the same shape takes no memory with %d threads',
	async threads => {
		const model = await tinyModel(specWith('mean'), newDevice(threads));
		const taken = () => ({
			device: model.device.statistics().allocations,
			model: model.core.statistics().allocations,
		});
		const shape = embeddingsOf(model, batch);
		const embeddings = model.device.tensor(shape.rows, shape.columns, 'f32');
		const step = async (number: number, {ids, offsets, texts}: Batch) => {
			model.core.zeroGradients();
			const settings = {...dropout, step: number, keep: true};
			model.core.forward({ids, offsets, texts}, settings, embeddings);
			model.core.backward(embeddings);
			const rates = {rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.01, clip: 1};
			await model.core.update({...rates, step: number}, []);
		};
		await step(1, batch);
		const before = taken();
		await step(2, batch);
		await step(3, select(batch, places.toReversed()));
		expect(taken()).toEqual(before);
	},
);
