// config_sentence_transformers.json: prompts, similarity and width of the embeddings of a model.

import {join} from 'node:path';
import {EngineError} from '../errors.js';
import {isObject, type JsonObject, readJsonObject} from './config.js';

export type OuterConfig = {
	prompts: Record<string, string>;
	/** The name of the prompt that every text gets unless another is asked for. */
	defaultPrompt: string | null;
	similarity: string | null;
	/** Columns that encoding keeps unless asked otherwise; null: all. */
	truncateDim: number | null;
};

/** Prompts that a model has even when its file does not name them; they are empty then. */
const standard = ['query', 'document'];

export async function readOuterConfig(
	folder: string,
	{isUnpooled}: {isUnpooled: boolean},
): Promise<OuterConfig> {
	const path = join(folder, 'config_sentence_transformers.json');
	const config = (await readJsonObject(path)) ?? {};
	const {model_type: type = 'SentenceTransformer', similarity_fn_name: similarity} = config;
	const expected = isUnpooled ? 'MultiVectorEncoder' : 'SentenceTransformer';
	if (type !== expected) {
		const why = isUnpooled ? 'which has no MultiVectorMask' : 'which gives no embedding of a text';
		throw new EngineError('MODEL_MODULE', `${path}: expected a ${expected}, got a ${type}, ${why}`);
	}
	const prompts = promptsOf(config, path);
	return {
		prompts,
		defaultPrompt: defaultPromptOf(config, prompts, path),
		similarity: typeof similarity === 'string' ? similarity : null,
		truncateDim: truncateDimOf(config, path),
	};
}

/** Prompts by name; one that is null is none. */
function promptsOf(config: JsonObject, path: string): Record<string, string> {
	const {prompts} = config;
	if (prompts === undefined || prompts === null) return {};
	const entries = isObject(prompts) ? Object.entries(prompts) : [['', prompts] as const];
	const found = entries.filter(([, text]) => text !== null);
	if (found.every((entry): entry is [string, string] => typeof entry[1] === 'string')) {
		return Object.fromEntries(found);
	}
	throw new EngineError('MODEL_CONFIG', `${path}: expected "prompts" to be texts by name`);
}

function defaultPromptOf(
	config: JsonObject,
	prompts: Record<string, string>,
	path: string,
): string | null {
	const name = config['default_prompt_name'] ?? null;
	if (name === null || (typeof name === 'string' && Object.hasOwn(prompts, name))) return name;
	if (typeof name === 'string' && standard.includes(name)) return null;
	throw new EngineError(
		'MODEL_CONFIG',
		`${path}: expected "default_prompt_name" to be one of the prompts ` +
			`(${Object.keys(prompts).join(', ') || 'none'}), got ${JSON.stringify(name)}`,
	);
}

function truncateDimOf(config: JsonObject, path: string): number | null {
	const value = config['truncate_dim'] ?? null;
	if (value === null) return null;
	if (typeof value === 'number' && Number.isInteger(value) && value > 0) return value;
	throw new EngineError(
		'MODEL_CONFIG',
		`${path}: expected "truncate_dim" to be a whole number from 1, got ${JSON.stringify(value)}`,
	);
}

/** The prompt of documents: the first of the names that models use for it that is not empty. */
export function documentPrompt(prompts: Readonly<Record<string, string>>): string | undefined {
	const said = ['document', 'passage', 'corpus']
		.map(name => prompts[name])
		.filter(prompt => prompt !== undefined);
	return said.find(prompt => prompt !== '') ?? said[0];
}

/**
The file as every version reads it, or of a model that hands up token vectors those from 6 on. Readers
look for a `document` prompt first, so there is one.
*/
export function outerConfig(
	{prompts, defaultPrompt, similarity, truncateDim}: OuterConfig,
	isUnpooled: boolean,
) {
	const document = documentPrompt(prompts);
	return {
		__version__: isUnpooled
			? {sentence_transformers: '6.0.0', transformers: '5.0.0', pytorch: '2.3.0'}
			: {sentence_transformers: '3.0.0', transformers: '4.41.0', pytorch: '2.3.0'},
		...(isUnpooled && {model_type: 'MultiVectorEncoder'}),
		prompts: document ? {...prompts, document} : prompts,
		default_prompt_name: defaultPrompt,
		similarity_fn_name: similarity ?? (isUnpooled ? 'maxsim' : 'cosine'),
		...(truncateDim !== null && {truncate_dim: truncateDim}),
	};
}
