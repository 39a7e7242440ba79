// The modules of a sentence-transformers folder: what comes after the transformer. Reads the shapes of
// all versions (spec: modules.json, <n>_Pooling/config.json, <n>_Dense/config.json).

import {join, normalize as normalizePath} from 'node:path';
import {EngineError, kindOf} from '../errors.js';
import {isObject, type JsonObject, readJson, readJsonObject} from './config.js';
import type {Activation, DenseSpec, Pooling} from './spec.js';

/** A dense layer and the folder its weights lie in. */
export type DenseModule = DenseSpec & {folder: string; inputs: number};

export type ModuleChain = {
	/** Undefined: the folder does not say. */
	pooling?: Pooling;
	/** Whether a prompt's tokens take part in pooling. */
	includePrompt: boolean;
	dense: DenseModule[];
	normalize: boolean;
};

const activations: Readonly<Record<string, Activation>> = {
	'torch.nn.modules.activation.Tanh': 'tanh',
	'torch.nn.modules.linear.Identity': 'none',
};

/** The chain of modules.json; without that file nothing is said but that there is a transformer. */
export async function readModules(folder: string): Promise<ModuleChain> {
	const path = join(folder, 'modules.json');
	const list = await readJson(path);
	const chain: ModuleChain = {includePrompt: true, dense: [], normalize: false};
	if (list === undefined) return chain;
	if (!Array.isArray(list) || list.length === 0) {
		throw new EngineError(
			'MODEL_MODULE',
			`${path}: expected a list of modules, got ${kindOf(list)}`,
		);
	}
	for (const [index, module] of list.entries()) {
		await addModule(chain, {folder, path, index, module});
	}
	return chain;
}

type Place = {folder: string; path: string; index: number; module: unknown};

async function addModule(chain: ModuleChain, {folder, path, index, module}: Place): Promise<void> {
	const where = `${path}: module ${index}`;
	const {type, path: place} = isObject(module) ? module : {};
	if (typeof type !== 'string' || typeof place !== 'string') {
		throw new EngineError(
			'MODEL_MODULE',
			`${where}: expected "type" and "path", got ${kindOf(module)}`,
		);
	}
	if (!type.startsWith('sentence_transformers.')) {
		throw new EngineError(
			'MODEL_MODULE',
			`${where}: expected a class of sentence_transformers, got ${type}, which needs remote code; it is never run`,
		);
	}
	const kind = type.slice(type.lastIndexOf('.') + 1);
	const inside = join(folder, insideOf(place, where));
	if ((kind === 'Transformer') !== (index === 0)) {
		throw new EngineError(
			'MODEL_MODULE',
			`${where}: expected the transformer first and once, got ${type}`,
		);
	}
	if (kind === 'Transformer' || kind === 'Dropout') return;
	if ((kind === 'Pooling') !== (chain.pooling === undefined)) {
		const got = kind === 'Pooling' ? 'another' : `${kind} without it`;
		throw new EngineError(
			'MODEL_MODULE',
			`${where}: expected Pooling once and before the rest, got ${got}`,
		);
	}
	if (kind === 'Pooling') return readPooling(chain, inside);
	if (chain.normalize) {
		throw new EngineError(
			'MODEL_MODULE',
			`${where}: expected nothing after Normalize, got ${kind}`,
		);
	}
	if (kind === 'Dense') chain.dense.push(await readDense(inside));
	else if (kind === 'Normalize') chain.normalize = true;
	else {
		throw new EngineError(
			'MODEL_MODULE',
			`${where}: expected Transformer, Pooling, Dense, Dropout or Normalize, got ${type}`,
		);
	}
}

/** A path inside the folder; one that leaves it is refused. */
function insideOf(place: string, where: string): string {
	const path = normalizePath(place);
	if (!path.startsWith('..') && !path.startsWith('/')) return path;
	throw new EngineError(
		'MODEL_MODULE',
		`${where}: expected a path inside the folder, got ${place}`,
	);
}

async function readPooling(chain: ModuleChain, folder: string): Promise<void> {
	const path = join(folder, 'config.json');
	const config = await required(path);
	const modes = poolingModes(config);
	const known: Readonly<Record<string, Pooling>> = {cls: 'cls', mean: 'mean', lasttoken: 'last'};
	const [mode] = modes;
	if (modes.length !== 1 || mode === undefined || !Object.hasOwn(known, mode)) {
		throw new EngineError(
			'MODEL_POOLING',
			`${path}: expected one of cls, mean, lasttoken, got ${modes.join(' + ') || 'none'}`,
		);
	}
	chain.pooling = known[mode]!;
	chain.includePrompt = config['include_prompt'] !== false;
}

/** The names of the modes that are on, by the newer key or by the older booleans. */
function poolingModes(config: JsonObject): string[] {
	const mode = config['pooling_mode'];
	if (mode !== undefined) return [mode].flat().map(String);
	return Object.keys(config)
		.filter(key => key.startsWith('pooling_mode_') && config[key] === true)
		.map(key =>
			key.slice('pooling_mode_'.length).replace('cls_token', 'cls').replace('mean_tokens', 'mean'),
		);
}

async function readDense(folder: string): Promise<DenseModule> {
	const path = join(folder, 'config.json');
	const config = await required(path);
	const {in_features: inputs, out_features: width, bias = true} = config;
	if (!isWidth(inputs) || !isWidth(width) || typeof bias !== 'boolean') {
		throw new EngineError('MODEL_CONFIG', `${path}: expected in_features, out_features and bias`);
	}
	if (config['use_residual'] === true) {
		throw new EngineError('MODEL_MODULE', `${path}: expected a dense layer without "use_residual"`);
	}
	const name = config['activation_function'] ?? 'torch.nn.modules.activation.Tanh';
	const activation = activations[String(name)];
	if (activation === undefined) {
		const list = Object.keys(activations).join(', ');
		throw new EngineError(
			'MODEL_CONFIG',
			`${path}: expected activation_function of ${list}, got ${name}`,
		);
	}
	return {folder, inputs, width, bias, activation};
}

function isWidth(value: unknown): value is number {
	return typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= 2 ** 20;
}

async function required(path: string): Promise<JsonObject> {
	const config = await readJsonObject(path);
	if (config) return config;
	throw new EngineError(
		'MODEL_CONFIG',
		`${path}: expected the configuration of a module, got no file`,
	);
}

/** The name under which sentence-transformers knows an activation. */
export function activationName(activation: Activation): string {
	const found = Object.entries(activations).find(([, value]) => value === activation);
	if (found) return found[0];
	throw new EngineError('INTERNAL', `save: no name for the activation ${activation}`);
}
