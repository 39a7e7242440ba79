// Model folders made for one test each: the tiny BERT with files changed, added or left out.

import {cpSync, mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {onTestFinished} from 'vitest';
import {
	readSafetensorsHeader,
	readTensor,
	type TensorDtype,
	type TensorSource,
	writeSafetensors,
} from '../../dist/files/safetensors.js';
import {EmbeddingModel, type LoadOptions} from '../../dist/model/embedding-model.js';

export const bert = fileURLToPath(new URL('../fixtures/families/bert', import.meta.url));

/** What a file holds: an object for JSON, a text or bytes as they are; null leaves the file out. */
export type Files = Readonly<Record<string, object | string | Uint8Array | null>>;

/** A copy of the tiny BERT, or of another folder, with other files in it. */
export function modelFolder(path: string, files: Files = {}, from = bert): string {
	cpSync(from, path, {recursive: true, filter: name => !name.includes('golden')});
	for (const [name, content] of Object.entries(files)) put(join(path, name), content);
	return path;
}

const weightFixtures = fileURLToPath(new URL('../fixtures/weights', import.meta.url));

/** The tiny BERT with the weights of a variant of test/fixtures/weights. */
export function weightsFolder(path: string, variant: string): string {
	mkdirSync(path);
	for (const file of ['tokenizer.json', 'tokenizer_config.json', 'vocab.txt']) {
		cpSync(join(bert, file), join(path, file));
	}
	cpSync(join(weightFixtures, 'config.json'), join(path, 'config.json'));
	cpSync(join(weightFixtures, variant), path, {recursive: true});
	return path;
}

function put(path: string, content: Files[string]): void {
	if (content === null) {
		rmSync(path, {recursive: true, force: true});
		return;
	}
	const isPlain = typeof content === 'string' || content instanceof Uint8Array;
	mkdirSync(dirname(path), {recursive: true});
	writeFileSync(path, isPlain ? content : JSON.stringify(content));
}

/** A model on the CPU that is disposed when the test ends. */
export async function load(path: string, options: LoadOptions = {}): Promise<EmbeddingModel> {
	const model = await EmbeddingModel.load(path, {device: 'cpu', threads: 1, ...options});
	onTestFinished(() => model.dispose());
	return model;
}

export type WeightTensor = {dtype: TensorDtype; shape: readonly number[]; bytes: Uint8Array};

/** All tensors of a weight file, by name. */
export async function weightsOf(folder: string): Promise<Map<string, WeightTensor>> {
	const path = join(folder, 'model.safetensors');
	const {tensors} = await readSafetensorsHeader(path);
	const found = new Map<string, WeightTensor>();
	for (const {name, dtype, shape, ...entry} of tensors.values()) {
		const bytes = await readTensor(path, {name, dtype, shape, ...entry});
		found.set(name, {dtype, shape, bytes});
	}
	return found;
}

/** The tensors of a weight file, to be written. */
export async function sourcesOf(folder: string): Promise<TensorSource[]> {
	const tensors = await weightsOf(folder);
	return [...tensors].map(([name, {bytes, ...rest}]) => ({
		name,
		...rest,
		bytes: async () => bytes,
	}));
}

/** Writes a weight file anew, each tensor as `change` makes it; undefined leaves it out. */
export async function rewriteWeights(
	folder: string,
	change: (name: string, tensor: WeightTensor) => [string, WeightTensor] | undefined,
	added: Readonly<Record<string, WeightTensor>> = {},
): Promise<void> {
	const tensors = await weightsOf(folder);
	const changed = [...tensors].flatMap(([name, tensor]) => {
		const kept = change(name, tensor);
		return kept === undefined ? [] : [kept];
	});
	const entries = [...changed, ...Object.entries(added)].map(([name, {dtype, shape, bytes}]) => ({
		...{name, dtype, shape, bytes: async () => bytes},
	}));
	const path = join(folder, 'model.safetensors');
	rmSync(path);
	await writeSafetensors(path, entries);
}

/** Leaves a tensor as it is. */
export const same = (name: string, tensor: WeightTensor): [string, WeightTensor] => [name, tensor];

/** The files of a sentence-transformers folder up to version 5.3. */
export const oldShape: Files = {
	'modules.json': [
		{idx: 0, name: '0', path: '', type: 'sentence_transformers.models.Transformer'},
		{idx: 1, name: '1', path: '1_Pooling', type: 'sentence_transformers.models.Pooling'},
		{idx: 2, name: '2', path: '2_Normalize', type: 'sentence_transformers.models.Normalize'},
	],
	'1_Pooling/config.json': {
		word_embedding_dimension: 64,
		pooling_mode_cls_token: false,
		pooling_mode_mean_tokens: true,
		pooling_mode_max_tokens: false,
		pooling_mode_mean_sqrt_len_tokens: false,
	},
	'sentence_bert_config.json': {max_seq_length: 100, do_lower_case: false},
	'config_sentence_transformers.json': {
		__version__: {sentence_transformers: '2.0.0', transformers: '4.6.1', pytorch: '1.8.1'},
	},
};
