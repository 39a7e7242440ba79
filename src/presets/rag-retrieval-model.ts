// What RAG-Retrieval does with a model folder: a plain one gets mean pooling, and one that ends in a
// Dense keeps it.

import {existsSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {maps, type Table} from './table.js';
import type {Values} from './values.js';

export const standardModel = 'hfl/chinese-roberta-wwm-ext';

const folderOf = (values: Values) => values.text('model_name_or_path') ?? standardModel;

/** Whether a model is known to say no pooling: a local folder of transformers, or the standard one. */
export function isPlainFolder(values: Values): boolean {
	const folder = folderOf(values);
	if (existsSync(folder)) return !existsSync(join(folder, 'modules.json'));
	return folder === standardModel;
}

export const ragRetrievalModelOptions: Table = {
	model_name_or_path: maps(
		'text',
		values => ({
			model: values.text('model_name_or_path'),
			...(isPlainFolder(values) && {pooling: 'mean'}),
		}),
		{default: standardModel},
	),
};

type ModuleEntry = {path?: unknown; type?: unknown};

/** The columns of the Dense that a local model ends in; nothing where it ends otherwise. */
export function endsInDense(values: Values): number | undefined {
	const folder = folderOf(values);
	const modules = readJson(join(folder, 'modules.json'));
	if (!Array.isArray(modules)) return undefined;
	const kinds = (modules as ModuleEntry[]).filter(({type}) => !/\.Normalize$/.test(String(type)));
	const last = kinds.at(-1);
	if (!/\.Dense$/.test(String(last?.type))) return undefined;
	const config = readJson(join(folder, String(last?.path), 'config.json'));
	const {out_features: width} = (config ?? {}) as {out_features?: unknown};
	return typeof width === 'number' ? width : undefined;
}

function readJson(path: string): unknown {
	try {
		return JSON.parse(readFileSync(path, 'utf8'));
	} catch {
		return undefined; // loading the model says what is wrong with it
	}
}
