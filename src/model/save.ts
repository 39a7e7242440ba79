// Writes a model as a sentence-transformers folder of the layout that every version reads (up to 5.3).
//
// Weights keep the names they came with, tensors that are not used are carried along, and what was
// written is read back and compared before it counts.

import {mkdir, readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {EngineError} from '../errors.js';
import {writeFailure} from '../files/failures.js';
import {sha256File} from '../files/hash.js';
import {Output} from '../files/output.js';
import {
	readTensor,
	type TensorEntry,
	type TensorSource,
	type TensorTable,
} from '../files/safetensors.js';
import {writeShards} from '../files/shards.js';
import {readTensorTable} from '../files/tensor-files.js';
import type {NativeModel} from '../native.js';
import {modelCard} from './card.js';
import {type JsonObject, readJsonObject} from './config.js';
import type {ModelFolder} from './folder.js';
import type {ModuleWeights} from './load.js';
import {activationName} from './modules.js';
import type {MappedTensor} from './weights.js';

/** What saving needs of a model. */
export type Savable = {
	folder: ModelFolder;
	stored: readonly ModuleWeights[];
	core: NativeModel;
	width: number;
};

/** Saves the model under `path`, which appears whole or not at all. */
export async function saveModel(
	model: Savable,
	path: string,
	{overwrite = false, card}: {overwrite?: boolean; card?: string} = {},
): Promise<void> {
	const output = await Output.create(path, {kind: 'folder', overwrite});
	try {
		await writeModelFolder(model, output.temporary, card);
		await output.commit();
	} finally {
		await output.discard();
	}
}

/** Writes all files of the model into a folder that exists; returns the SHA-256 of each weight file. */
export async function writeModelFolder(
	model: Savable,
	target: string,
	card = modelCard(model.folder, model.width),
): Promise<Record<string, string>> {
	try {
		const hashes: Record<string, string> = {};
		for (const weights of model.stored) {
			Object.assign(hashes, await writeWeights(model.core, weights, target));
		}
		await copyTokenizer(model.folder, target);
		await writeModules(model, target);
		await writeFile(join(target, 'README.md'), card);
		return hashes;
	} catch (error) {
		throw writeFailure(target, error);
	}
}

/** Writes the weights of a module; returns the SHA-256 of each file by its path in `target`. */
async function writeWeights(
	core: NativeModel,
	{place, folder, mapped, carried, metadata}: ModuleWeights,
	target: string,
): Promise<Record<string, string>> {
	await mkdir(join(target, place), {recursive: true});
	const shapes = new Map(core.parameters().map(p => [p.name, p]));
	const table = carried.length > 0 ? await readTensorTable(folder) : undefined;
	const entries: TensorSource[] = [
		...mapped.map(tensor => ({
			name: tensor.file,
			dtype: 'F32' as const,
			shape: tensor.shape,
			bytes: () => readElements(core, tensor, shapes.get(tensor.parameter)!),
		})),
		...carried.map(entry => ({
			name: entry.name,
			dtype: entry.dtype,
			shape: entry.shape,
			bytes: () => readCarried(table!, entry),
		})),
	];
	const written = await writeShards(join(target, place), entries, {
		metadata: {...metadata, format: 'pt'},
	});
	const hashes: Record<string, string> = {};
	for (const [name, hash] of written) {
		await expectHash(join(target, place, name), hash);
		hashes[join(place, name)] = hash;
	}
	return hashes;
}

async function expectHash(path: string, written: string): Promise<void> {
	if ((await sha256File(path)) === written) return;
	throw new EngineError(
		'FILE_WRITE',
		`${path}: expected to read back what was written, got other bytes`,
	);
}

async function readElements(
	core: NativeModel,
	{parameter, at, count}: MappedTensor,
	{rows, columns}: {rows: number; columns: number},
): Promise<Uint8Array> {
	const isRow = rows === 1;
	const values = new Float32Array(isRow ? columns : count);
	await core.read('weight', parameter, isRow ? 0 : at / columns, values);
	const part = isRow ? values.subarray(at, at + count) : values;
	return new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
}

/** A tensor that nothing here uses, looked up anew: a save over its own folder moves it. */
async function readCarried(
	{path, tensors}: TensorTable,
	{name, dtype, shape}: TensorEntry,
): Promise<Uint8Array> {
	const found = tensors.get(name);
	if (found?.dtype === dtype && found.shape.join() === shape.join()) {
		return readTensor(found.path, found);
	}
	throw new EngineError(
		'MODEL_TENSOR',
		`${path}: expected tensor "${name}" as when the model was loaded, got another file`,
	);
}

/** The tokenizer's files as they came, with the length that the model is used at. */
async function copyTokenizer(
	{path, tokenizerFiles, maxLength}: ModelFolder,
	target: string,
): Promise<void> {
	for (const name of tokenizerFiles.names) {
		if (name === 'tokenizer_config.json') continue;
		await writeFile(join(target, name), await readFile(join(path, name)));
	}
	const config = (await readJsonObject(join(path, 'tokenizer_config.json'))) ?? {};
	await writeJson(join(target, 'tokenizer_config.json'), {...config, model_max_length: maxLength});
}

async function writeModules({folder, width}: Savable, target: string): Promise<void> {
	const {config, spec, maxLength, lowerCase} = folder;
	await writeJson(join(target, 'config.json'), withType(config));
	await writeJson(join(target, 'sentence_bert_config.json'), {
		max_seq_length: maxLength,
		do_lower_case: lowerCase,
	});
	await writeJson(join(target, 'config_sentence_transformers.json'), outerConfig(folder));
	const modules = [module(0, '', 'Transformer')];
	await mkdir(join(target, '1_Pooling'), {recursive: true});
	await writeJson(join(target, '1_Pooling', 'config.json'), poolingConfig(folder));
	modules.push(module(1, '1_Pooling', 'Pooling'));
	let inputs = spec.width;
	for (const [index, dense] of spec.head.dense.entries()) {
		// The weights lie where the folder they came from has them.
		const place = folder.modules.dense[index]!.folder.slice(folder.path.length + 1);
		await writeJson(join(target, place, 'config.json'), {
			in_features: inputs,
			out_features: dense.width,
			bias: dense.bias,
			activation_function: activationName(dense.activation),
		});
		inputs = dense.width;
		modules.push(module(modules.length, place, 'Dense'));
	}
	if (inputs !== width)
		throw new EngineError('INTERNAL', 'save: the width is not that of the last module');
	if (spec.head.normalize) {
		const place = `${modules.length}_Normalize`;
		await mkdir(join(target, place), {recursive: true});
		modules.push(module(modules.length, place, 'Normalize'));
	}
	await writeJson(join(target, 'modules.json'), modules);
}

/** Readers compute in the type that the configuration names, so it names the one that is written. */
function withType(config: JsonObject): JsonObject {
	const keys = ['dtype', 'torch_dtype'].filter(key => key in config);
	return {...config, ...Object.fromEntries(keys.map(key => [key, 'float32']))};
}

function module(idx: number, path: string, kind: string) {
	return {idx, name: String(idx), path, type: `sentence_transformers.models.${kind}`};
}

function poolingConfig({spec, modules}: ModelFolder) {
	const pooling = spec.head.pooling[0];
	return {
		word_embedding_dimension: spec.width,
		pooling_mode_cls_token: pooling === 'cls',
		pooling_mode_mean_tokens: pooling === 'mean',
		pooling_mode_max_tokens: false,
		pooling_mode_mean_sqrt_len_tokens: false,
		pooling_mode_weightedmean_tokens: false,
		pooling_mode_lasttoken: pooling === 'last',
		include_prompt: modules.includePrompt,
	};
}

/** Prompts carry a `document` key, which readers look for first, when there is a `passage`. */
function outerConfig({prompts, defaultPrompt, similarity, truncateDim}: ModelFolder) {
	const passage = prompts['document'] || prompts['passage'];
	return {
		__version__: {sentence_transformers: '3.0.0', transformers: '4.41.0', pytorch: '2.3.0'},
		prompts: passage ? {...prompts, document: passage} : prompts,
		default_prompt_name: defaultPrompt,
		similarity_fn_name: similarity ?? 'cosine',
		...(truncateDim !== null && {truncate_dim: truncateDim}),
	};
}

async function writeJson(path: string, value: unknown): Promise<void> {
	await writeFile(path, `${JSON.stringify(value, null, 2)}\n`);
}
