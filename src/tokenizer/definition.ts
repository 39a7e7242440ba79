// What a tokenizer.json says, checked: sections, vocabulary, added tokens, special tokens around a text.
// Truncation and padding written there are not read; the caller decides the length.

import {EngineError} from '../errors.js';
import type {AddedToken} from '../native.js';
import {parseJsonText} from '../nesting.js';
import {decodeUtf8} from '../utf8.js';
import type {TokenizerSource} from './files.js';
import {
	asArray,
	asFlag,
	asId,
	asRecord,
	asString,
	expectShallow,
	invalid,
	isId,
	type JsonRecord,
} from './json.js';
import {tokenizerOfMerges} from './merges-file.js';
import {tokenizerOfPieces} from './sentencepiece-file.js';
import {readTemplate} from './template.js';
import {normalizerWithSettings, tokenizerOfVocabulary} from './vocabulary-file.js';

export interface TokenizerDefinition {
	readonly path: string;
	/** The whole file, for kinds that are read elsewhere. */
	readonly json: JsonRecord;
	readonly kind: ModelKind;
	readonly model: JsonRecord;
	readonly vocabulary: ReadonlyMap<string, number>;
	readonly addedTokens: readonly AddedToken[];
	/** Ids before and after the ids of every text. */
	readonly prefix: readonly number[];
	readonly suffix: readonly number[];
	readonly largestId: number;
	readonly largestToken: string;
}

export const modelKinds = ['WordPiece', 'BPE', 'Unigram'] as const;
export type ModelKind = (typeof modelKinds)[number];

/** Parses and checks a tokenizer; throws `TOKENIZER_INVALID` or `TOKENIZER_KIND`. */
export function readDefinition(source: TokenizerSource): TokenizerDefinition {
	const {path} = source;
	expectShallow(source.settings, `${path}: the settings beside it`);
	const json = readers[source.kind](source);
	const model = asRecord(json.model, `${path}: model`);
	expectWalkable(json, model, path);
	const kind = kindOfModel(model, path);
	const vocabulary = readVocabulary(model, `${path}: model.vocab`);
	const addedTokens = readAddedTokens(json.added_tokens, vocabulary, `${path}: added_tokens`);
	const idOf = tokenIds(vocabulary, addedTokens);
	const {prefix, suffix} = readTemplate(json.post_processor, idOf, `${path}: post_processor`);
	const largest = largestOf(vocabulary, addedTokens, [...prefix, ...suffix]);
	return {path, json, kind, model, vocabulary, addedTokens, prefix, suffix, ...largest};
}

/** What each kind of source is as a tokenizer.json. */
const readers: {[kind in TokenizerSource['kind']]: (source: TokenizerSource) => JsonRecord} = {
	json: source => withSettings(asRecord(parse(decode(source), source.path), source.path), source),
	vocab: source => tokenizerOfVocabulary(decode(source), source.settings, source.path),
	merges({merges = new Uint8Array(), ...source}) {
		const {path, settings} = source;
		const texts = {vocabulary: decode(source), merges: decode({...source, bytes: merges})};
		return tokenizerOfMerges({...texts, path}, settings);
	},
	pieces: ({bytes, settings, path}) => tokenizerOfPieces(bytes, settings, path),
};

/** All but the lists, which are long and read without recursion. */
function expectWalkable(json: JsonRecord, model: JsonRecord, path: string): void {
	const sections = {...json, added_tokens: null, model: {...model, vocab: null, merges: null}};
	for (const [name, section] of Object.entries(sections))
		expectShallow(section, `${path}: ${name}`);
}

function withSettings(json: JsonRecord, {settings, path}: TokenizerSource): JsonRecord {
	return {...json, normalizer: normalizerWithSettings(json.normalizer, settings, path)};
}

function decode({bytes, path}: TokenizerSource): string {
	// Shared memory is copied; that is off the main thread.
	const text = decodeUtf8(Buffer.from(bytes), path, {code: 'TOKENIZER_INVALID'});
	return text.startsWith('\uFEFF') ? text.slice(1) : text;
}

function parse(text: string, path: string): unknown {
	try {
		return parseJsonText(text);
	} catch (cause) {
		const reason = cause instanceof Error ? cause.message : String(cause);
		throw new EngineError(
			'TOKENIZER_INVALID',
			`${path}: expected JSON, got other text (${reason})`,
			{cause},
		);
	}
}

/** Files of before 2020 do not name the kind. */
function kindOfModel(model: JsonRecord, path: string): ModelKind {
	const type = model.type ?? guessKind(model);
	const kind = modelKinds.find(name => name === type);
	if (kind !== undefined) return kind;
	throw new EngineError(
		'TOKENIZER_KIND',
		`${path}: model.type: expected ${modelKinds.join(', ')}, got ${JSON.stringify(type)}`,
	);
}

function guessKind(model: JsonRecord): ModelKind | undefined {
	if (Array.isArray(model.vocab)) return 'Unigram';
	if (Array.isArray(model.merges)) return 'BPE';
	return 'max_input_chars_per_word' in model ? 'WordPiece' : undefined;
}

function readVocabulary(model: JsonRecord, where: string): Map<string, number> {
	const {vocab} = model;
	if (Array.isArray(vocab)) return new Map(vocab.map((row, id) => [pieceOf(row, where, id), id]));
	const ids = asRecord(vocab, where);
	const vocabulary = new Map<string, number>();
	for (const piece of Object.keys(ids)) {
		const id = ids[piece];
		// The place is put into words for an error only: vocabularies are long.
		vocabulary.set(piece, isId(id) ? id : asId(id, `${where}[${JSON.stringify(piece)}]`));
	}
	if (vocabulary.size === 0) throw invalid(where, 'at least one piece', vocab);
	return vocabulary;
}

function pieceOf(row: unknown, where: string, id: number): string {
	const [piece, score] = Array.isArray(row) ? row : asArray(row, `${where}[${id}]`);
	if (typeof score !== 'number') throw invalid(`${where}[${id}]`, 'a score', score);
	return typeof piece === 'string' ? piece : asString(piece, `${where}[${id}]`);
}

function readAddedTokens(
	value: unknown,
	vocabulary: ReadonlyMap<string, number>,
	where: string,
): AddedToken[] {
	const rows = value === undefined || value === null ? [] : asArray(value, where);
	return rows.flatMap((row, index) => {
		const token = readAddedToken(asRecord(row, `${where}[${index}]`), `${where}[${index}]`);
		const known = vocabulary.get(token.content);
		if (known !== undefined && known !== token.id) {
			throw invalid(`${where}[${index}].id`, `${known}, as in the vocabulary`, token.id);
		}
		return token.content === '' ? [] : [token];
	});
}

function readAddedToken(row: JsonRecord, where: string): AddedToken {
	const special = asFlag(row.special, `${where}.special`, false);
	return {
		id: asId(row.id, `${where}.id`),
		content: asString(row.content, `${where}.content`),
		singleWord: asFlag(row.single_word, `${where}.single_word`, false),
		lstrip: asFlag(row.lstrip, `${where}.lstrip`, false),
		rstrip: asFlag(row.rstrip, `${where}.rstrip`, false),
		normalized: asFlag(row.normalized, `${where}.normalized`, !special),
	};
}

function tokenIds(vocabulary: ReadonlyMap<string, number>, added: readonly AddedToken[]) {
	const addedIds = new Map(added.map(({content, id}) => [content, id]));
	return (token: string) => addedIds.get(token) ?? vocabulary.get(token);
}

/** The token with the largest id; one that only the template names is called after it. */
function largestOf(
	vocabulary: ReadonlyMap<string, number>,
	added: readonly AddedToken[],
	others: readonly number[],
): {largestId: number; largestToken: string} {
	let [largestId, largestToken] = [-1, ''];
	const see = (token: string, id: number) => {
		if (id > largestId) [largestId, largestToken] = [id, token];
	};
	for (const [token, id] of vocabulary) see(token, id);
	for (const {content, id} of added) see(content, id);
	for (const id of others) see('post_processor', id);
	return {largestId, largestToken};
}
