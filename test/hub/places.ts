// What the tests of the hub share: a model to serve, a cache of their own, no variables from outside.

import {
	chmodSync,
	lstatSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	rmSync,
	writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {afterAll, beforeEach, vi} from 'vitest';
import {type Located, type LocateOptions, locateModel} from '../../dist/model/locate.js';
import {modelFolder} from '../model/folders.js';
import {type HubServer, treeOf} from './hub-server.js';

const variables = [
	...['HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'XDG_CACHE_HOME', 'HF_TOKEN', 'HF_TOKEN_PATH'],
	...['HF_HUB_DISABLE_IMPLICIT_TOKEN', 'HF_ENDPOINT', 'HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE'],
	...['HF_HUB_DOWNLOAD_TIMEOUT', 'HF_HUB_DISABLE_SYMLINKS', 'HTTP_PROXY', 'HTTPS_PROXY'],
	...['NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'],
];

/** Decoys: what an embedding model does not need. */
export const unneeded = [
	...['README.md', 'pytorch_model.bin', 'tf_model.h5', 'onnx/model.onnx', 'onnx/config.json'],
	...['openvino/openvino_model.bin', 'model.fp16.safetensors', 'eval/results.json'],
];

export type Places = {
	/** The folder that the model of the hub is the copy of. */
	model: string;
	/** A new cache for each test. */
	cache: () => string;
};

/** Folders of one test file, removed at its end, and a clean environment for each test. */
export function hubPlaces(): Places {
	const root = mkdtempSync(join(tmpdir(), 'inbatch-hub-'));
	let count = 0;
	afterAll(() => rmSync(root, {recursive: true, force: true}));
	beforeEach(() => {
		vi.unstubAllEnvs();
		for (const name of variables) vi.stubEnv(name, undefined);
		vi.stubEnv('HF_HOME', join(root, 'home'));
	});
	const model = modelFolder(join(root, 'model'), {
		'modules.json': [
			module(0, '', 'Transformer'),
			module(1, '1_Pooling', 'Pooling'),
			module(2, '2_Normalize', 'Normalize'),
		],
		'1_Pooling/config.json': {word_embedding_dimension: 64, pooling_mode_mean_tokens: true},
		'config_sentence_transformers.json': {prompts: {query: 'query: '}},
		...Object.fromEntries(unneeded.map(name => [name, `not needed: ${name}`])),
	});
	return {model, cache: () => join(root, `cache-${count++}`)};
}

function module(idx: number, path: string, kind: string): object {
	return {idx, name: String(idx), path, type: `sentence_transformers.models.${kind}`};
}

/** What the hub serves when it serves the model. */
export function served({model}: Places): Map<string, Buffer> {
	return treeOf(model);
}

/** Locates the model of a server. */
export function locate(
	server: HubServer,
	cache: string,
	options: LocateOptions = {},
): Promise<Located> {
	return locateModel(server.id, {endpoint: server.endpoint, cache, ...options});
}

export function put(path: string, content: string): void {
	mkdirSync(dirname(path), {recursive: true});
	writeFileSync(path, content);
}

/** Everything below a folder with the time it was changed. */
export function stateOf(folder: string): string[] {
	const names = readdirSync(folder, {recursive: true, encoding: 'utf8'}).sort();
	return ['.', ...names].map(name => `${name} ${lstatSync(join(folder, name)).mtimeMs}`);
}

/** Does work that can write nothing below a folder; root gives up its rights for that while. */
export async function asReader<T>(folder: string, work: () => Promise<T>): Promise<T> {
	const entries = readdirSync(folder, {recursive: true, withFileTypes: true});
	const inside = entries.filter(entry => entry.isDirectory());
	const folders = [folder, ...inside.map(({parentPath, name}) => join(parentPath, name))];
	const isRoot = process.geteuid?.() === 0;
	chmodSync(dirname(folder), 0o755);
	for (const path of folders) chmodSync(path, 0o555);
	if (isRoot) process.seteuid?.('nobody');
	try {
		return await work();
	} finally {
		if (isRoot) process.seteuid?.(0);
		for (const path of folders) chmodSync(path, 0o755);
	}
}
