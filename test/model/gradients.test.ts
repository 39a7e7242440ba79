// Whole models against the float64 model: their embeddings, and their gradients against its central
// differences.

import {describe, expect, test} from 'vitest';
import {
	type AttentionSpec,
	type DenseSpec,
	type MlpSpec,
	type ModelSpec,
	type NormPlaces,
	type NormSpec,
	type Pooling,
	poolings,
} from '../../dist/model/spec.js';
import type {NativeDevice} from '../../dist/native.js';
import {devices} from '../support/cards.js';
import {grid, largest, type Matrix, normals, randomMatrix} from '../support/matrix.js';
import {type Batch, type Dropout, forward64, noDropout} from '../support/model64.js';
import {newDevice} from '../support/run-op.js';
import {
	batchOf,
	embeddingsOf,
	encode,
	forward,
	gradients,
	layerNorm,
	type Shape,
	specOf,
	type TinyModel,
	tinyModel,
} from '../support/tiny-model.js';
import {expectClose, expectSameBits, gradientLimit} from '../support/tolerance.js';

const lengths = [1, 5, 3];
const reach = 1e-5;

type Case = {
	model: TinyModel;
	batch: Batch;
	gradient: Matrix;
	dropout: Dropout;
	/** Derivatives by parameter and direction: no device changes them. */
	derivatives: Map<string, number>;
};

const derivativesOf = new Map<string, Case['derivatives']>();

function sharedDerivatives(spec: ModelSpec, batch: Batch, dropout: Dropout): Case['derivatives'] {
	const key = JSON.stringify([spec, batch.skip, dropout]);
	const known = derivativesOf.get(key) ?? new Map<string, number>();
	derivativesOf.set(key, known);
	return known;
}

async function prepareOn(device: NativeDevice, spec: ModelSpec, dropout: Dropout): Promise<Case> {
	const model = await tinyModel(spec, device);
	const batch = batchOf(lengths);
	const {rows, columns} = embeddingsOf(model, batch);
	const gradient = randomMatrix(rows, columns, normals(2));
	return {model, batch, dropout, gradient, derivatives: sharedDerivatives(spec, batch, dropout)};
}

/** Every op rounds what the one below made; a block has seven. */
function expectSameEmbeddings(embeddings: Matrix, {model, batch, dropout}: Case): void {
	const {spec, weights} = model;
	const ops = 3 + 7 * spec.blocks.length + spec.head.dense.length;
	expectClose(embeddings, round => forward64(spec, weights, batch, {dropout, round}), {
		scale: ops * largest(embeddings),
	});
}

type Directions = ReadonlyMap<string, Float64Array>;

/** Of sum(embeddings * gradient), as parameters move along directions. */
function derivative({model, batch, gradient, dropout}: Case, directions: Directions): number {
	const most = Math.max(...[...directions.values()].map(values => largest({values})));
	const [above, below] = [reach / most, -reach / most].map(step => {
		const moved = new Map(model.weights);
		for (const [name, direction] of directions) {
			const weight = model.weights.get(name)!;
			const values = weight.values.map((value, at) => value + step * direction[at]!);
			moved.set(name, {...weight, values});
		}
		return dotOf(forward64(model.spec, moved, batch, {dropout}).values, gradient.values);
	});
	return (above! - below!) / (2 * (reach / most));
}

function derivativeAlong(one: Case, name: string, label: string, direction: Float64Array): number {
	const key = `${name} ${label}`;
	const expected = one.derivatives.get(key) ?? derivative(one, new Map([[name, direction]]));
	one.derivatives.set(key, expected);
	return expected;
}

function dotOf(a: Float64Array, b: Float64Array): number {
	return a.reduce((total, value, at) => total + value * b[at]!, 0);
}

/** One direction through all parameters, in which each counts by its number of elements. */
async function expectGradient(one: Case): Promise<void> {
	const found = await gradients(one.model, [one], one.dropout);
	const random = normals(3);
	const directions = new Map<string, Float64Array>();
	let actual = 0;
	let allowed = 0;
	for (const [name, gradient] of found) {
		const limit = gradientLimit(gradient, found.values());
		const direction = gradient.values.map(() => random() / limit);
		directions.set(name, direction);
		actual += dotOf(gradient.values, direction);
		allowed += direction.length;
	}
	const error = Math.abs(actual - derivative(one, directions));
	expect(error, `in units of the limit of ${allowed} elements`).toBeLessThan(Math.sqrt(allowed));
}

/** Each parameter's gradient along a direction of its own. */
async function expectGradients(one: Case): Promise<void> {
	const found = await gradients(one.model, [one], one.dropout);
	const random = normals(3);
	for (const [name, gradient] of found) {
		const direction = gradient.values.map(random);
		const expected = derivativeAlong(one, name, 'at random', direction);
		const error = Math.abs(dotOf(gradient.values, direction) - expected);
		const limit = gradientLimit(gradient, found.values()) * Math.sqrt(direction.length);
		expect(error, `${name}: ${expected} along a direction`).toBeLessThan(limit);
	}
}

/** Some elements of each parameter's gradient, all of them where they are few. */
async function expectElements(one: Case): Promise<void> {
	const found = await gradients(one.model, [one], one.dropout);
	for (const [name, gradient] of found) {
		const limit = gradientLimit(gradient, found.values());
		const stride = Math.ceil(gradient.values.length / 24);
		for (let at = 0; at < gradient.values.length; at += stride) {
			const direction = gradient.values.map((_, index) => Number(index === at));
			const expected = derivativeAlong(one, name, `element ${at}`, direction);
			const error = Math.abs(gradient.values[at]! - expected);
			expect(error, `${name}, element ${at}`).toBeLessThan(limit);
		}
	}
}

const places = {
	after: (norm: NormSpec): NormPlaces => ({after: norm}),
	before: (norm: NormSpec): NormPlaces => ({before: norm}),
	'before and inside': (norm: NormSpec): NormPlaces => ({before: norm, inside: norm}),
	'all places': (norm: NormSpec): NormPlaces => ({before: norm, inside: norm, after: norm}),
	'no place': (): NormPlaces => ({}),
};

const heads = {
	nothing: [],
	tanh: [{width: 5, bias: true, activation: 'tanh'}],
	'two layers': [
		{width: 11, bias: false, activation: 'gelu'},
		{width: 6, bias: true, activation: 'none'},
	],
} satisfies Record<string, DenseSpec[]>;

type Parts = {
	place: keyof typeof places;
	kind: NormSpec['kind'];
	bias: boolean;
	pooling: Pooling | 'none';
	dense: keyof typeof heads;
	normalize: boolean;
	isFinal: boolean;
};

function specOfParts({place, kind, bias, pooling, dense, normalize, isFinal}: Parts): ModelSpec {
	const norm = {kind, bias, epsilon: 1e-6, offset: 0};
	const shape = {width: 8, heads: 2, norms: places[place](norm), bias, activation: 'gelu'} as const;
	return specOf(shape, {
		...(isFinal && {finalNorm: norm}),
		head: {pooling: [pooling].filter(name => name !== 'none'), dense: heads[dense], normalize},
	});
}

const parts = grid<Parts>({
	place: Object.keys(places) as Parts['place'][],
	kind: ['layer', 'rms'],
	bias: [true, false],
	pooling: ['cls', 'mean', 'last', 'none'],
	dense: Object.keys(heads) as Parts['dense'][],
	normalize: [true, false],
	isFinal: [true, false],
});

test.each(parts.filter(({place}) => place !== 'all places'))(
	'$kind norms at $place, final: $isFinal; biases: $bias; pooling $pooling, then $dense, unit length: $normalize',
	async one => {
		const given = await prepareOn(newDevice(), specOfParts(one), noDropout);
		expectSameEmbeddings(await encode(given.model, given.batch), given);
		await expectGradient(given);
	},
);

describe.each(devices)('on $name', ({open}) => {
	const prepare = (spec: ModelSpec, dropout = noDropout) => prepareOn(open(), spec, dropout);

	const some = parts.filter(
		({pooling, dense, normalize, isFinal}) =>
			dense === 'tanh' && normalize && pooling === 'mean' && isFinal,
	);

	test.each(some)('every parameter by itself: $kind norms at $place; biases: $bias', async one => {
		await expectGradients(await prepare(specOfParts(one)));
	});

	test.each(some.filter(({kind, bias}) => kind === 'layer' && bias))(
		'single elements: norms at $place',
		async one => {
			await expectElements(await prepare(specOfParts(one)));
		},
	);

	const learned: Record<string, Partial<ModelSpec>> = {
		'a generalised mean': {head: {pooling: ['gem'], dense: [], normalize: false}},
		'a generalised mean, Dense and unit length': {
			head: {pooling: ['gem'], dense: heads.tanh, normalize: true},
		},
		'a mean of all layers': {layerMean: {start: 0}},
		'a mean of layers from the first block on': {layerMean: {start: 1}},
		'a mean of the last layer alone': {layerMean: {start: 2}},
		'a mean of layers, with a final norm': {layerMean: {start: 0}, finalNorm: layerNorm},
		'a generalised mean of a mean of layers': {
			layerMean: {start: 1},
			head: {pooling: ['gem'], dense: [], normalize: true},
		},
	};

	test.each(Object.entries(learned))('every parameter of %s', async (_, more) => {
		const norms = {after: layerNorm};
		const spec = specOf({width: 8, heads: 2, norms, bias: true, activation: 'gelu'}, more);
		const given = await prepare(spec);
		expectSameEmbeddings(await encode(given.model, given.batch), given);
		await expectGradients(given);
		await expectElements(given);
	});

	const shape: Shape = {
		...{width: 24, heads: 3, norms: {after: layerNorm}, bias: true, activation: 'gelu'},
	};

	const plainDense = {bias: true, activation: 'none'} as const;
	const rms: NormSpec = {kind: 'rms', epsilon: 1e-6, offset: 1, bias: false};
	const turns = {frequencies: [1, 0.3, 0.05, 0.01], magnitude: 1};
	const grouped = {heads: 4, keyHeads: 2, headWidth: 5};

	const bodies: Record<string, ModelSpec> = {
		'a width of 24 and 3 heads': specOf(shape),
		'1 head of an odd width': specOf({...shape, width: 13, heads: 1}),
		'heads of width 1': specOf({...shape, width: 8, heads: 8}),
		relu: specOf({...shape, activation: 'relu'}),
		tanh: specOf({...shape, activation: 'tanh'}),
		silu: blocksOf({mlp: {activation: 'silu'}}),
		'no blocks': specOf(shape, {blocks: []}),
		'positions from 2': embeddingOf({positionOffset: 2}),
		'no positions': embeddingOf({positions: 0}),
		'no types': embeddingOf({types: 0}),
		'no norm of the embedding': specOf(shape, {embedding: withoutNorm()}),
		'narrow tables': embeddingOf({width: 7}),
		'tokens scaled': embeddingOf({scale: 3.5}),
		'rotary positions': blocksOf({attention: {rotary: turns}}),
		'rotary positions, stretched, of a part of each head': blocksOf({
			attention: {rotary: {frequencies: [1, 0.2], magnitude: 1.3}},
		}),
		'attention that sees nothing later': blocksOf({attention: {causal: true}}),
		'attention with a window': blocksOf({attention: {window: 1}}),
		'attention with a window that sees nothing later': blocksOf({
			attention: {window: 1, causal: true},
		}),
		'scores that fall with the distance': blocksOf({attention: {alibi: true}}),
		'scores that fall with the distance, 8 heads': blocksOf({
			attention: {alibi: true, heads: 8, keyHeads: 8, headWidth: 2},
		}),
		'a bias by distance for all blocks': specOf(shape, {relativeBias: {buckets: 8, furthest: 4}}),
		'queries in groups': blocksOf({attention: {...grouped, bias: true, outputBias: false}}),
		'heads with norms': blocksOf({
			attention: {...grouped, headNorm: rms, rotary: {...turns, frequencies: [0.7, 0.1]}},
		}),
		'heads with layer norms': blocksOf({attention: {headNorm: layerNorm}}),
		'a gate in the first half': blocksOf({mlp: {gate: 'first', activation: 'gelu', bias: false}}),
		'a gate in the second half': blocksOf({
			mlp: {gate: 'second', activation: 'silu', outputBias: false},
		}),
		'a gate of tanh-GELU': blocksOf({mlp: {gate: 'first', activation: 'geluTanh'}}),
		'blocks that share their weights': blocksOf({weights: 0}),
		'norms with an offset': specOf({...shape, norms: {before: rms, inside: rms}}, {finalNorm: rms}),
		'a norm alone behind the pooling': headOf({
			dense: [{...plainDense, width: 0, norm: layerNorm}],
		}),
		'dense layers with norms': headOf({
			dense: [
				{...plainDense, width: 9, norm: layerNorm},
				{...plainDense, width: 6, activation: 'sigmoid', bias: false},
			],
		}),
		'all poolings side by side': headOf({pooling: poolings}),
		...Object.fromEntries(poolings.map(kind => [`pooling by ${kind}`, headOf({pooling: [kind]})])),
	};

	type Change = {
		attention?: Partial<AttentionSpec>;
		mlp?: Partial<MlpSpec>;
		weights?: number;
	};

	function blocksOf({attention, mlp, ...rest}: Change): ModelSpec {
		const spec = specOf(shape);
		const blocks = spec.blocks.map(block => ({
			...block,
			...rest,
			attention: {...block.attention, ...attention},
			mlp: {...block.mlp, ...mlp},
		}));
		return {...spec, blocks};
	}

	function headOf(change: Partial<ModelSpec['head']>): ModelSpec {
		const spec = specOf(shape);
		return {...spec, head: {...spec.head, ...change}};
	}

	function embeddingOf(change: Partial<ModelSpec['embedding']>): ModelSpec {
		const spec = specOf(shape);
		return {...spec, embedding: {...spec.embedding, ...change}};
	}

	function withoutNorm(): ModelSpec['embedding'] {
		const {norm: _, ...embedding} = specOf(shape).embedding;
		return embedding;
	}

	test.each(Object.keys(bodies))('embeddings and every parameter by itself: %s', async name => {
		const given = await prepare(bodies[name]!);
		expectSameEmbeddings(await encode(given.model, given.batch), given);
		await expectGradients(given);
	});

	test.each([...poolings])('tokens of a prompt left out of pooling by %s', async kind => {
		const given = await prepare(headOf({pooling: [kind]}));
		const batch = {...given.batch, skip: Int32Array.of(1, 2, 0)};
		const derivatives = sharedDerivatives(given.model.spec, batch, noDropout);
		const one = {...given, batch, derivatives};
		expectSameEmbeddings(await forward(one.model, batch), one);
		await expectGradients(one);
	});

	const drops = grid<{place: Parts['place']; hidden: number; attention: number}>({
		place: Object.keys(places) as Parts['place'][],
		hidden: [0, 0.2],
		attention: [0, 0.3],
	});

	test.each(drops)(
		'dropping $hidden of the rows and $attention of the attention, norms at $place',
		async ({place, ...rates}) => {
			const dropout = {seed: 9, step: 4, ...rates};
			const given = await prepare(specOf({...shape, norms: places[place](layerNorm)}), dropout);
			expectSameEmbeddings(await forward(given.model, given.batch, {dropout}), given);
			await expectGradients(given);
		},
	);

	test('a frozen parameter has no gradient, and all others have theirs to the bit', async () => {
		const one = await prepare(specOf(shape));
		const all = await gradients(one.model, [one]);
		const frozen = [...all.keys()].filter(name => /^(embedding|blocks\.0)\./.test(name));
		await one.model.core.prepareTraining(frozen);
		const rest = await gradients(one.model, [one]);
		expect([...rest.keys()]).toEqual([...all.keys()].filter(name => !frozen.includes(name)));
		for (const [name, gradient] of rest) expectSameBits(gradient, all.get(name)!);
		const values = new Float32Array(24);
		expect(() => one.model.core.read('gradient', 'embedding.tokens', 0, values)).toThrow(
			expect.objectContaining({code: 'OP_INVALID'}),
		);
	});
});
