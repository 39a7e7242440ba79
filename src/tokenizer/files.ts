// Finds the tokenizer of a model folder: tokenizer.json, or the older files of its class with their
// settings: vocab.txt, vocab.json and merges.txt, or a SentencePiece model.
// The big file stays bytes here; it is parsed and checked by Tokenizer.open, off the main thread.

import {access, type FileHandle, open, readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {EngineError, kindOf} from '../errors.js';
import {parseJsonText} from '../nesting.js';
import {expectNoPipe} from '../pipes.js';
import {decodeUtf8} from '../utf8.js';
import {invalid, isRecord, type JsonRecord} from './json.js';

/** What {@link Tokenizer.open} needs, and what a saved model takes along. */
export interface TokenizerFiles {
	readonly folder: string;
	readonly source: TokenizerSource;
	/** `model_max_length` of tokenizer_config.json; null when absent or one of the "no limit" values. */
	readonly modelMaxLength: number | null;
	/** Names of the tokenizer's files in the folder, to be copied when the model is saved. */
	readonly names: readonly string[];
}

/** The bytes (shared memory, so that no thread copies them) and how to read them. */
export interface TokenizerSource {
	readonly kind: 'json' | 'vocab' | 'merges' | 'pieces';
	/** Path for messages. */
	readonly path: string;
	readonly bytes: Uint8Array;
	/** merges.txt, beside the vocabulary. */
	readonly merges?: Uint8Array;
	/** tokenizer_config.json; but for `json` with special_tokens_map.json and added_tokens.json. */
	readonly settings: JsonRecord;
}

const companions = [
	'tokenizer.json',
	'tokenizer_config.json',
	'special_tokens_map.json',
	'added_tokens.json',
	'vocab.txt',
	'vocab.json',
	'merges.txt',
	'spiece.model',
	'sentencepiece.bpe.model',
	'tokenizer.model',
	'chat_template.jinja',
] as const;

const largestFile = 256 * 2 ** 20;
const noLimit = 1e9;

/**
Reads the tokenizer files of a model folder.

Rejects with `TOKENIZER_MISSING` when there are none and `TOKENIZER_INVALID` when a small one is malformed.
*/
export async function readTokenizerFiles(folder: string): Promise<TokenizerFiles> {
	const names = await existing(folder);
	const config = await readSettings(folder, 'tokenizer_config.json', names);
	const common = {folder, names, modelMaxLength: maxLengthOf(config, folder)};
	if (names.includes('tokenizer.json')) {
		const path = join(folder, 'tokenizer.json');
		return {
			...common,
			source: {kind: 'json', path, bytes: await readShared(path), settings: config},
		};
	}
	const [kind, name] =
		olderKinds.find(([, ...needed]) => needed.every(one => names.includes(one))) ??
		missing(folder, names);
	const path = join(folder, name);
	const settings = {
		tokenizer_class: await classOf(folder),
		...config,
		...(await readSettings(folder, 'special_tokens_map.json', names)),
		added_tokens: await readSettings(folder, 'added_tokens.json', names),
	};
	const merges = kind === 'merges' ? {merges: await readShared(join(folder, 'merges.txt'))} : {};
	return {...common, source: {kind, path, bytes: await readShared(path), ...merges, settings}};
}

/** Each with the files it needs, the first of which is the one that is named. */
const olderKinds: readonly (readonly [TokenizerSource['kind'], string, ...string[]])[] = [
	['vocab', 'vocab.txt'],
	['merges', 'vocab.json', 'merges.txt'],
	['pieces', 'sentencepiece.bpe.model'],
	['pieces', 'spiece.model'],
];

/** Classes of tokenizers by the `model_type` of config.json, where a folder is older than its settings. */
const classes: Readonly<Record<string, string>> = {
	albert: 'AlbertTokenizer',
	bart: 'BartTokenizer',
	camembert: 'CamembertTokenizer',
	gpt2: 'GPT2Tokenizer',
	longformer: 'LongformerTokenizer',
	mpnet: 'MPNetTokenizer',
	mt5: 'T5Tokenizer',
	roberta: 'RobertaTokenizer',
	t5: 'T5Tokenizer',
	'xlm-roberta': 'XLMRobertaTokenizer',
};

/** The class that config.json names, or that its models have; who reads the model says what is wrong there. */
async function classOf(folder: string): Promise<unknown> {
	const config = await readSettings(folder, 'config.json', ['config.json']).catch(() => ({}));
	const {tokenizer_class: name, model_type: type} = config as JsonRecord;
	return name ?? (Object.hasOwn(classes, String(type)) ? classes[String(type)] : undefined);
}

async function existing(folder: string): Promise<string[]> {
	const found = await Promise.all(
		companions.map(name =>
			access(join(folder, name)).then(
				() => true,
				() => false,
			),
		),
	);
	return companions.filter((_, index) => found[index]);
}

function missing(folder: string, names: readonly string[]): never {
	const others = names.length > 0 ? names.join(', ') : 'none of them';
	throw new EngineError(
		'TOKENIZER_MISSING',
		`${folder}: expected tokenizer.json, vocab.txt, vocab.json with merges.txt, sentencepiece.bpe.model or spiece.model, ` +
			`got ${others}; save the tokenizer of the model here`,
	);
}

async function readSettings(
	folder: string,
	name: string,
	names: readonly string[],
): Promise<JsonRecord> {
	if (!names.includes(name)) return {};
	const path = join(folder, name);
	await expectNoPipe(path);
	const bytes = await readFile(path).catch(cause => {
		throw unreadable(path, cause);
	});
	return parseRecord(decodeUtf8(bytes, path, {code: 'TOKENIZER_INVALID'}), path);
}

function parseRecord(text: string, path: string): JsonRecord {
	let value: unknown;
	try {
		value = parseJsonText(text.replace(/^\uFEFF/, ''));
	} catch (cause) {
		const reason = cause instanceof Error ? cause.message : String(cause);
		throw new EngineError(
			'TOKENIZER_INVALID',
			`${path}: expected JSON, got other text (${reason})`,
			{cause},
		);
	}
	if (isRecord(value)) return value;
	throw new EngineError('TOKENIZER_INVALID', `${path}: expected an object, got ${kindOf(value)}`);
}

function maxLengthOf(config: JsonRecord, folder: string): number | null {
	const value = config.model_max_length;
	if (value === undefined || value === null) return null;
	if (typeof value === 'number' && value >= noLimit) return null;
	if (typeof value === 'number' && Number.isInteger(value) && value > 0) return value;
	const where = `${join(folder, 'tokenizer_config.json')}: model_max_length`;
	throw invalid(where, 'a whole number above 0', value);
}

async function readShared(path: string): Promise<Uint8Array> {
	await expectNoPipe(path);
	try {
		const file = await open(path);
		try {
			return await readAll(file, path);
		} finally {
			await file.close();
		}
	} catch (cause) {
		if (cause instanceof EngineError) throw cause;
		throw unreadable(path, cause);
	}
}

function unreadable(path: string, cause: unknown): EngineError {
	const got = cause instanceof Error && 'code' in cause ? cause.code : cause;
	return new EngineError('FILE_UNREADABLE', `${path}: expected a readable file, got ${got}`, {
		cause,
	});
}

async function readAll(file: FileHandle, path: string): Promise<Uint8Array> {
	const {size} = await file.stat();
	if (size > largestFile) {
		throw new EngineError(
			'TOKENIZER_INVALID',
			`${path}: expected at most ${largestFile} bytes, got ${size}`,
		);
	}
	const bytes = new Uint8Array(new SharedArrayBuffer(size));
	for (let filled = 0; filled < size; ) {
		const {bytesRead} = await file.read(bytes, filled, size - filled, filled);
		if (bytesRead === 0)
			throw new EngineError('FILE_UNREADABLE', `${path}: expected ${size} bytes, got ${filled}`);
		filled += bytesRead;
	}
	return bytes;
}
