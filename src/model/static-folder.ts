// The first module of a model without a transformer: a table of embeddings beside a tokenizer.json.

import {EngineError} from '../errors.js';
import {readTensorTable} from '../files/tensor-files.js';
import {readTokenizerFiles, type TokenizerFiles} from '../tokenizer/files.js';
import type {JsonObject} from './config.js';
import {staticEmbedding} from './families/static.js';

/** Where a saved model has its table. */
export const staticPlace = '0_StaticEmbedding';

export type StaticFolder = {
	/** The sizes of the table, by the names that a transformer's configuration has for them. */
	sizes: JsonObject;
	tokenizerFiles: TokenizerFiles;
};

export async function readStaticFolder(folder: string): Promise<StaticFolder> {
	const {path, tensors} = await readTensorTable(folder);
	const names = staticEmbedding.tensors.map(([name]) => String(name));
	const [rows, columns] = names.flatMap(name => tensors.get(name)?.shape ?? []);
	if (rows === undefined || columns === undefined) {
		throw new EngineError(
			'MODEL_TENSOR',
			`${path}: expected a table ${names.join(' or ')}, got ${[...tensors.keys()].join(', ') || 'no tensor'}`,
		);
	}
	const tokenizerFiles = onlyTokenizer(await readTokenizerFiles(folder), folder);
	return {sizes: {vocab_size: rows, hidden_size: columns}, tokenizerFiles};
}

/** Only tokenizer.json counts for a table, which cuts no text. */
function onlyTokenizer(files: TokenizerFiles, folder: string): TokenizerFiles {
	if (files.source.kind === 'json') {
		const source = {...files.source, settings: {}};
		return {...files, source, names: ['tokenizer.json'], modelMaxLength: null};
	}
	throw new EngineError(
		'TOKENIZER_MISSING',
		`${folder}: expected tokenizer.json beside the table of a StaticEmbedding, got none`,
	);
}
