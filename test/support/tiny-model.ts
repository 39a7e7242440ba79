// Small random models in the engine, driven by hand, with their weights at hand as matrices.

import {
	attention,
	type ModelSpec,
	mlp,
	type NormPlaces,
	type NormSpec,
} from '../../dist/model/spec.js';
import type {NativeDevice, NativeModel} from '../../dist/native.js';
import {libraryOf} from './emulated.js';
import {blank, type Matrix, matrixOf, normals, offsetsOf, sum, uniforms} from './matrix.js';
import {type Batch, type Dropout, noDropout} from './model64.js';
import {newDevice, readMatrix, tensorOf} from './run-op.js';

export type TinyModel = {
	spec: ModelSpec;
	device: NativeDevice;
	core: NativeModel;
	weights: Map<string, Matrix>;
};

export type Shape = {
	width: number;
	heads: number;
	norms: NormPlaces;
	bias: boolean;
	activation: 'gelu' | 'relu' | 'tanh';
};

export const layerNorm: NormSpec = {kind: 'layer', epsilon: 1e-5, offset: 0, bias: true};

const vocabulary = 17;
const longest = 70;

/** Two blocks, all alike. */
export function specOf(
	{width, heads, norms, bias, activation}: Shape,
	more: Partial<ModelSpec> = {},
): ModelSpec {
	const biases = {bias, outputBias: bias};
	const block = {
		attention: attention({heads, headWidth: width / heads, norms, ...biases}),
		mlp: mlp({width: 2 * width + 3, activation, norms, ...biases}),
	};
	const tables = {vocabulary, width, scale: 1, positions: longest, positionOffset: 0, types: 2};
	return {
		width,
		embedding: {...tables, norm: layerNorm},
		blocks: [0, 1].map(weights => ({weights, ...block})),
		head: {pooling: ['mean'], dense: [], normalize: true},
		...more,
	};
}

/** The same weights for the same spec, on any device. */
export async function tinyModel(
	spec: ModelSpec,
	device = newDevice(),
	computed: 'f32' | 'bf16' = 'f32',
): Promise<TinyModel> {
	const core = new (libraryOf(device).Model)(device, spec, undefined, computed);
	const random = normals(1);
	const weights = new Map<string, Matrix>();
	for (const {name, rows, columns} of core.parameters()) {
		const isScale = /(norm|before|inside|after|final|layers)\.weight$/.test(name);
		const spread = /^embedding\.[a-z]+$/.test(name) ? 1 : spreadOf(rows, columns);
		const mean = name === 'head.power' ? 3 : Number(isScale);
		const value = () => Math.fround(mean + spread * random());
		weights.set(name, matrixOf(rows, columns, value));
		core.write('weight', name, 0, Float32Array.from(weights.get(name)!.values));
	}
	await core.prepareTraining([]);
	return {spec, device, core, weights};
}

/** Products neither grow nor fade, so that nothing is ill-conditioned. */
function spreadOf(rows: number, columns: number): number {
	return rows === 1 ? 0.3 : 1 / Math.sqrt(columns);
}

export function batchOf(lengths: readonly number[], seed = 1): Batch {
	const uniform = uniforms(seed);
	const ids = Array.from({length: sum(lengths)}, () => Math.floor(vocabulary * uniform()));
	const texts = Int32Array.from(lengths, (_, text) => text);
	return {ids: Int32Array.from(ids), offsets: offsetsOf(lengths), texts};
}

/** The texts of a batch with the given places in it, in that order. */
export function select({ids, offsets, texts}: Batch, places: readonly number[]): Batch {
	const parts = places.map(place => ids.subarray(offsets[place]!, offsets[place + 1]!));
	return {
		ids: Int32Array.from(parts.flatMap(part => [...part])),
		offsets: offsetsOf(parts.map(part => part.length)),
		texts: Int32Array.from(places, place => texts[place]!),
	};
}

/** What the embeddings of a batch are written to. */
export function embeddingsOf({spec: {head, width}}: TinyModel, {ids, texts}: Batch): Matrix {
	const poolings = head.pooling.length;
	const rows = poolings > 0 ? texts.length : ids.length;
	return blank(
		rows,
		head.dense.findLast(layer => layer.width > 0)?.width ?? width * (poolings || 1),
	);
}

export async function encode(model: TinyModel, {ids, offsets}: Batch): Promise<Matrix> {
	const {rows, columns} = embeddingsOf(model, {ids, offsets, texts: offsets.slice(1)});
	const embeddings = new Float32Array(rows * columns);
	await model.core.encode({ids, offsets}, {}, embeddings);
	return {rows, columns, values: Float64Array.from(embeddings)};
}

/** A forward pass of training; with `keep` a backward pass must follow. */
export async function forward(
	model: TinyModel,
	batch: Batch,
	{keep = false, recompute = false, dropout = noDropout} = {},
): Promise<Matrix> {
	const embeddings = tensorOf(model.device, embeddingsOf(model, batch));
	model.core.forward(batch, {...dropout, keep, recompute}, embeddings);
	return readMatrix(model.device, embeddings);
}

export type Step = {batch: Batch; gradient: Matrix};

/** The gradients of all parameters after a forward and a backward pass for each of `steps`. */
export async function gradients(
	model: TinyModel,
	steps: readonly Step[],
	dropout: Dropout = noDropout,
	recompute = false,
): Promise<Map<string, Matrix>> {
	model.core.zeroGradients();
	for (const {batch, gradient} of steps) {
		await forward(model, batch, {keep: true, dropout, recompute});
		model.core.backward(tensorOf(model.device, gradient));
	}
	return readGradients(model);
}

/** Of all parameters that are trained. */
export async function readGradients({core}: TinyModel): Promise<Map<string, Matrix>> {
	const found = new Map<string, Matrix>();
	for (const {name, rows, columns} of core.parameters().filter(({trained}) => trained)) {
		const values = new Float32Array(rows * columns);
		await core.read('gradient', name, 0, values);
		found.set(name, {rows, columns, values: Float64Array.from(values)});
	}
	return found;
}
