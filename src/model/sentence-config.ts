// sentence_bert_config.json (or what older versions call it): how the transformer is used. Says the same
// whether a version up to 5.3 wrote it or a later one.

import {join} from 'node:path';
import {EngineError} from '../errors.js';
import {isObject, type JsonObject, readJsonObject} from './config.js';

export type SentenceConfig = {
	/** Longest text in tokens; null: not said. */
	maxLength: number | null;
	/** Whether texts are lower-cased before the tokenizer sees them. */
	lowerCase: boolean;
	/** The side that is cut; undefined: as the tokenizer's own file says. */
	truncationSide: unknown;
	/** Replaces keys of config.json. */
	overrides: JsonObject;
	/** What is worth saying aloud. */
	warnings: string[];
};

/** Of a model without such a file. */
export const nothingSaid: SentenceConfig = {
	maxLength: null,
	lowerCase: false,
	truncationSide: undefined,
	overrides: {},
	warnings: [],
};

const names = ['bert', 'roberta', 'distilbert', 'camembert', 'albert', 'xlm-roberta', 'xlnet'];

/** Lengths from here on mean that there is no limit. */
const noLimit = 1e9;

/** Keys of arguments that change no embedding here: nothing is padded, weights are read by type. */
const needless = [
	...['padding_side', 'padding', 'use_fast', 'trust_remote_code', 'add_pooling_layer'],
	...['torch_dtype', 'dtype', 'attn_implementation', 'device_map', 'low_cpu_mem_usage'],
	...['use_safetensors', 'unpad_inputs', 'revision', 'token', 'use_memory_efficient_attention'],
];

export async function readSentenceConfig(folder: string): Promise<SentenceConfig> {
	const {path, config} = await firstOf(folder);
	const model = argumentsOf(config, ['model_kwargs', 'model_args'], path);
	const processor = argumentsOf(config, ['processor_kwargs', 'tokenizer_args'], path);
	const overrides = argumentsOf(config, ['config_kwargs', 'config_args'], path);
	const {model_max_length: processorLength, truncation_side: truncationSide, ...rest} = processor;
	expectText(config, path);
	const unused = [...Object.keys(model), ...Object.keys(rest), ...lengthsOf(config)];
	return {
		maxLength: lengthOf(processorLength ?? config['max_seq_length'], path),
		lowerCase: config['do_lower_case'] === true,
		truncationSide,
		overrides: without(overrides, needless),
		warnings: unused
			.filter(key => !needless.includes(key))
			.map(key => `${path}: "${key}" is not used here`),
	};
}

/** The first file of these names that says anything. */
async function firstOf(folder: string): Promise<{path: string; config: JsonObject}> {
	for (const name of names) {
		const path = join(folder, `sentence_${name}_config.json`);
		const config = (await readJsonObject(path)) ?? {};
		if (Object.keys(config).length > 0) return {path, config};
	}
	return {path: join(folder, 'sentence_bert_config.json'), config: {}};
}

/** Arguments for a loader, by their newer or their older name. */
function argumentsOf(config: JsonObject, keys: readonly string[], path: string): JsonObject {
	const key = keys.find(name => config[name] !== undefined && config[name] !== null);
	const value = key === undefined ? {} : config[key];
	if (isObject(value)) return value;
	throw new EngineError(
		'MODEL_CONFIG',
		`${path}: expected "${key}" to be an object, got ${JSON.stringify(value)}`,
	);
}

function without(values: JsonObject, keys: readonly string[]): JsonObject {
	return Object.fromEntries(Object.entries(values).filter(([key]) => !keys.includes(key)));
}

/** Refuses a transformer that is not used for the rows of a text's tokens. */
function expectText(config: JsonObject, path: string): void {
	const modalities = config['modality_config'];
	const text = isObject(modalities) ? modalities['text'] : {};
	const {method = 'forward', method_output_name: output = 'last_hidden_state'} = isObject(text)
		? text
		: {method: 'none for texts'};
	const said: [string, unknown, string][] = [
		['transformer_task', config['transformer_task'] ?? 'feature-extraction', 'feature-extraction'],
		['method', method, 'forward'],
		['method_output_name', [output].flat().join('.'), 'last_hidden_state'],
		['module_output_name', config['module_output_name'] ?? 'token_embeddings', 'token_embeddings'],
		['query_expansion', config['query_expansion'] ?? 'none', 'none'],
		['processing_kwargs', JSON.stringify(config['processing_kwargs'] ?? {}), '{}'],
	];
	for (const [key, value, expected] of said) {
		if (value === expected) continue;
		const got = typeof value === 'string' ? value : JSON.stringify(value);
		throw new EngineError(
			'MODEL_MODULE',
			`${path}: expected "${key}" of ${expected}, got ${got}, which is not supported`,
		);
	}
}

/** Lengths that only models of many vectors have. */
function lengthsOf(config: JsonObject): string[] {
	return ['query_length', 'document_length'].filter(key => (config[key] ?? null) !== null);
}

function lengthOf(value: unknown, path: string): number | null {
	if (value === undefined || value === null) return null;
	if (typeof value === 'number' && value >= noLimit) return null;
	if (typeof value === 'number' && Number.isInteger(value) && value > 0) return value;
	throw new EngineError(
		'MODEL_CONFIG',
		`${path}: expected the longest text to be a whole number from 1, got ${JSON.stringify(value)}`,
	);
}
