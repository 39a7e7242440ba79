// What a model folder says of itself, before any weight is read: family, spec, pooling, lengths, prompts.
// Reads Hugging Face folders and sentence-transformers folders of old and new shape.

import {join} from 'node:path';
import {EngineError} from '../errors.js';
import {readTokenizerFiles, type TokenizerFiles} from '../tokenizer/files.js';
import {familyConfig, isObject, type JsonObject, readJsonObject} from './config.js';
import {families} from './families/index.js';
import {type ModuleChain, readModules} from './modules.js';
import {type DropoutRates, type Family, type ModelSpec, type Pooling, poolings} from './spec.js';

export type TruncationSide = 'right' | 'left';

/** What overrides the folder. */
export type FolderOptions = {
	/** How token vectors become one vector. Default: as the folder says. */
	pooling?: Pooling | undefined;
	/** Unit length. Default: as the folder says. */
	normalize?: boolean | undefined;
	/** Longest text in tokens, special ones included. Default: as the folder says. */
	maxLength?: number | undefined;
	/** The side of a long text that is cut. Default right. */
	truncationSide?: TruncationSide | undefined;
};

export type ModelFolder = {
	path: string;
	config: JsonObject;
	family: Family;
	spec: ModelSpec;
	dropout: DropoutRates;
	modules: ModuleChain;
	tokenizerFiles: TokenizerFiles;
	maxLength: number;
	truncationSide: TruncationSide;
	/** Whether texts are lower-cased before the tokenizer sees them. */
	lowerCase: boolean;
	prompts: Record<string, string>;
	defaultPrompt: string | null;
	similarity: string | null;
	/** Columns that encoding keeps unless asked otherwise; null: all. */
	truncateDim: number | null;
	/** What is worth saying aloud. */
	warnings: string[];
};

const sentenceConfigs = [
	'sentence_bert_config.json',
	'sentence_roberta_config.json',
	'sentence_distilbert_config.json',
	'sentence_camembert_config.json',
	'sentence_albert_config.json',
	'sentence_xlm-roberta_config.json',
	'sentence_xlnet_config.json',
];

/** Reads everything but the weights. */
export async function readModelFolder(
	path: string,
	options: FolderOptions = {},
): Promise<ModelFolder> {
	const configPath = join(path, 'config.json');
	const config = await readJsonObject(configPath);
	if (!config) {
		throw new EngineError(
			'MODEL_NOT_FOUND',
			`${configPath}: expected the configuration of a model, got no file`,
		);
	}
	const family = familyOf(config, configPath);
	const reader = familyConfig(config, configPath);
	const body = family.spec(reader);
	const modules = await readModules(path);
	const tokenizerFiles = await readTokenizerFiles(path);
	const sentence = await firstOf(path, sentenceConfigs);
	const outer = (await readJsonObject(join(path, 'config_sentence_transformers.json'))) ?? {};
	const warnings: string[] = [];
	checkDense(modules, body.width, path);
	return {
		path,
		config,
		family,
		spec: {
			...body,
			head: {
				pooling: [poolingOf(modules, options.pooling, path)],
				dense: modules.dense.map(({width, bias, activation}) => ({width, bias, activation})),
				normalize: options.normalize ?? modules.normalize,
			},
		},
		dropout: family.dropout(reader),
		modules,
		tokenizerFiles,
		maxLength: maxLengthOf({
			asked: options.maxLength,
			sentence: sentence?.['max_seq_length'],
			tokenizer: tokenizerFiles.modelMaxLength,
			positions: body.embedding.positions - body.embedding.positionOffset,
			warnings,
		}),
		truncationSide: options.truncationSide ?? 'right',
		lowerCase: sentence?.['do_lower_case'] === true,
		prompts: promptsOf(outer),
		defaultPrompt:
			typeof outer['default_prompt_name'] === 'string' ? outer['default_prompt_name'] : null,
		similarity:
			typeof outer['similarity_fn_name'] === 'string' ? outer['similarity_fn_name'] : null,
		truncateDim: isLength(outer['truncate_dim']) ? outer['truncate_dim'] : null,
		warnings,
	};
}

function familyOf(config: JsonObject, where: string): Family {
	const type = config['model_type'];
	const family = families.find(one => one.modelTypes.includes(String(type)));
	if (family) return family;
	const known = families.flatMap(one => one.modelTypes).join(', ');
	throw new EngineError(
		'MODEL_FAMILY',
		`${where}: expected "model_type" of ${known}, got ${JSON.stringify(type)}`,
	);
}

function poolingOf(modules: ModuleChain, asked: Pooling | undefined, path: string): Pooling {
	const pooling = asked ?? modules.pooling;
	if (pooling && poolings.includes(pooling)) return pooling;
	throw new EngineError(
		'MODEL_POOLING',
		`${path}: expected the folder or --pooling to say how token vectors become one vector, ` +
			`got neither; choose one of ${poolings.join(', ')}`,
	);
}

function checkDense(modules: ModuleChain, width: number, path: string): void {
	let before = width;
	for (const dense of modules.dense) {
		if (dense.inputs !== before) {
			throw new EngineError(
				'MODEL_CONFIG',
				`${dense.folder}: expected in_features of ${before}, got ${dense.inputs} (in ${path})`,
			);
		}
		before = dense.width;
	}
}

type Lengths = {
	asked: number | undefined;
	sentence: unknown;
	tokenizer: number | null;
	/** What the positions allow; 0: no limit. */
	positions: number;
	warnings: string[];
};

/** Asked, then sentence_bert_config.json, then tokenizer_config.json, then the positions. */
function maxLengthOf({asked, sentence, tokenizer, positions, warnings}: Lengths): number {
	const limit = positions > 0 ? positions : Number.MAX_SAFE_INTEGER;
	if (asked !== undefined) {
		if (Number.isInteger(asked) && asked >= 1 && asked <= limit) return asked;
		throw new EngineError(
			'OPTION_RANGE',
			`max-length: expected 1 to ${limit}, the positions of the model, got ${asked}`,
		);
	}
	const said = isLength(sentence) ? sentence : isLength(tokenizer) ? tokenizer : limit;
	if (said > limit)
		warnings.push(`the folder asks for ${said} tokens, the model has positions for ${limit}`);
	return Math.min(said, limit);
}

function isLength(value: unknown): value is number {
	return typeof value === 'number' && Number.isInteger(value) && value > 0;
}

function promptsOf(outer: JsonObject): Record<string, string> {
	const prompts = isObject(outer['prompts']) ? outer['prompts'] : {};
	return Object.fromEntries(
		Object.entries(prompts).filter(
			(entry): entry is [string, string] => typeof entry[1] === 'string',
		),
	);
}

async function firstOf(folder: string, names: readonly string[]): Promise<JsonObject | undefined> {
	for (const name of names) {
		const found = await readJsonObject(join(folder, name));
		if (found) return found;
	}
	return undefined;
}
