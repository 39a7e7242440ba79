// The layers behind pooling: the config.json of Dense and of LayerNorm, read and written.

import {join} from 'node:path';
import {EngineError} from '../errors.js';
import {isObject, type JsonObject, readJsonObject} from './config.js';
import {type Activation, type DenseSpec, layerNorm} from './spec.js';

/** A file of a layer and what its tensors are called in front of `weight` and `bias`. */
export type PoolerFile = {name: string; prefix: string};

/** A layer behind pooling. */
export type HeadLayer = {
	kind: 'Dense' | 'LayerNorm';
	spec: DenseSpec;
	/** Columns of what goes in. */
	inputs: number;
	/** The folder its weights lie in; none: they begin anew. */
	folder: string | undefined;
	/** Their file, where they are no module of sentence-transformers. */
	pooler?: PoolerFile | undefined;
	/** That folder in a saved model. */
	place: string;
};

/** By their classes in torch; `torch.nn.Tanh` is the same class as the one of its module. */
const activations: Readonly<Record<string, Activation>> = {
	'torch.nn.modules.activation.Tanh': 'tanh',
	'torch.nn.modules.linear.Identity': 'none',
	'torch.nn.modules.activation.ReLU': 'relu',
	'torch.nn.modules.activation.GELU': 'gelu',
	'torch.nn.modules.activation.Sigmoid': 'sigmoid',
	'torch.nn.modules.activation.SiLU': 'silu',
};

/** The epsilon that torch's LayerNorm has, which no file says. */
const epsilon = 1e-5;

type Layer = Pick<HeadLayer, 'inputs' | 'spec'>;

export async function readDense(folder: string, isOfTokens = false): Promise<Layer> {
	const path = join(folder, 'config.json');
	const config = await moduleConfig(folder);
	expectEmbedding(config, path, isOfTokens);
	const {in_features: inputs, out_features: width, bias = true} = config;
	if (!isWidth(inputs) || !isWidth(width) || typeof bias !== 'boolean') {
		throw new EngineError('MODEL_CONFIG', `${path}: expected in_features, out_features and bias`);
	}
	if (config['use_residual'] === true) {
		throw new EngineError('MODEL_MODULE', `${path}: expected a dense layer without "use_residual"`);
	}
	const activation = activationOf(config, path);
	return {inputs, spec: {width, bias, activation}};
}

function activationOf(config: JsonObject, path: string): Activation {
	const {activation_function: name = 'torch.nn.modules.activation.Tanh'} = config;
	const found = Object.keys(activations).find(
		known => known === name || name === `torch.nn.${known.split('.').at(-1)}`,
	);
	if (found) return activations[found]!;
	throw new EngineError(
		'MODEL_CONFIG',
		`${path}: expected activation_function of ${Object.keys(activations).join(', ')}, got ${name}`,
	);
}

export async function readLayerNorm(folder: string): Promise<Layer> {
	const path = join(folder, 'config.json');
	const {dimension} = await moduleConfig(folder);
	if (!isWidth(dimension)) {
		const got = dimension === undefined ? 'nothing' : JSON.stringify(dimension);
		throw new EngineError('MODEL_CONFIG', `${path}: expected "dimension", got ${got}`);
	}
	const spec = {width: 0, bias: false, activation: 'none', norm: layerNorm(epsilon)} as const;
	return {inputs: dimension, spec};
}

/** Refuses a module that reads or writes anything but the embedding of a text, or those of its tokens. */
export function expectEmbedding(config: JsonObject, path: string, isOfTokens: boolean): void {
	const embedding = isOfTokens ? 'token_embeddings' : 'sentence_embedding';
	for (const key of ['module_input_name', 'module_output_name']) {
		const name = config[key] ?? embedding;
		if (name === embedding) continue;
		throw new EngineError(
			'MODEL_MODULE',
			`${path}: expected "${key}" of "${embedding}", got ${JSON.stringify(name)}, which is not supported`,
		);
	}
}

/** The configuration of a layer as every version reads it. */
export function layerConfig({kind, spec, inputs}: HeadLayer): JsonObject {
	if (kind === 'LayerNorm') return {dimension: inputs};
	const name = Object.keys(activations).find(known => activations[known] === spec.activation);
	if (name === undefined)
		throw new EngineError('INTERNAL', `save: no name for the activation ${spec.activation}`);
	return {
		in_features: inputs,
		out_features: spec.width,
		bias: spec.bias,
		activation_function: name,
	};
}

function isWidth(value: unknown): value is number {
	return typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= 2 ** 20;
}

/** The config.json of a module that cannot do without it. */
export async function moduleConfig(folder: string, name = 'config.json'): Promise<JsonObject> {
	const path = join(folder, name);
	const config = await readJsonObject(path);
	if (isObject(config)) return config;
	throw new EngineError(
		'MODEL_CONFIG',
		`${path}: expected the configuration of a module, got no file`,
	);
}
