// A checked tokenizer as native code takes it; nothing when a part of it is not for native code, which
// then is left to the other path as a whole.

import type {NativeDefinition, NativeSplit, NativeVocabulary, NativeWords} from '../native.js';
import type {TokenizerDefinition} from './definition.js';
import {isRecord, type JsonRecord} from './json.js';
import {type NativeHost, nativeHost} from './native-host.js';
import {isWhole, nativeNormalizer} from './native-normalizer.js';
import {nativeSplits} from './native-splits.js';
import {readBertOptions} from './normalizers.js';

export interface NativeTokenizer {
	readonly definition: NativeDefinition;
	readonly vocabulary: NativeVocabulary;
	readonly host: NativeHost;
}

/** `normalize` is that of the other path, which has accepted the definition. */
export function nativeTokenizer(
	definition: TokenizerDefinition,
	normalize: (text: string) => string,
): NativeTokenizer | undefined {
	const {json, path, addedTokens, prefix, suffix} = definition;
	const normalizerWhere = `${path}: normalizer`;
	const steps = nativeNormalizer(json.normalizer, normalizerWhere);
	const splits = nativeSplits(json.pre_tokenizer);
	const pieces = [...definition.vocabulary.keys()];
	const words = wordsOf(definition, pieces);
	if (steps === undefined || splits === undefined || words === undefined) return undefined;
	const added = addedTokens.map(token => ({
		...token,
		content: token.normalized ? normalize(token.content) : token.content,
	}));
	if (![...pieces, ...added.map(({content}) => content)].every(isWhole)) return undefined;
	return {
		definition: {
			normalizerWhere,
			normalizer: steps.map(({step}) => step),
			splits: [...splits, ...marksOf(definition, splits)],
			added,
			words,
			prefix,
			suffix,
			...chunksOf(definition),
		},
		vocabulary: vocabularyOf(definition, pieces),
		host: nativeHost(steps.map(({forms}) => forms)),
	};
}

const mark = '▁';

/**
Where BPE may be cut that takes whole texts for words: before marks, if no merge reaches across one. A mark is a
piece of its own at least, so that no unknown character stands on both sides of it.
*/
function marksOf(
	{kind, model, vocabulary}: TokenizerDefinition,
	splits: readonly NativeSplit[],
): NativeSplit[] {
	const {unk_token: unknown = null, end_of_word_suffix: suffix, ignore_merges: ignore} = model;
	if (kind !== 'BPE' || unknown === null || suffix || ignore) return [];
	if (!vocabulary.has(mark) || vocabulary.get(mark) === vocabulary.get(String(unknown))) return [];
	if (splits.some(({kind}) => cutting.includes(kind))) return [];
	const rows = model.merges as readonly (string | readonly string[])[];
	const reachesAcross = new RegExp(`[^${mark}]${mark}`, 'u');
	const spans = rows.some(row => {
		const [left = '', right = ''] = typeof row === 'string' ? row.split(' ') : row;
		return reachesAcross.test(left + right);
	});
	return spans ? [] : [{kind: 'marks', pattern: mark}];
}

const cutting: readonly NativeSplit['kind'][] = ['byteLevel', 'metaspace', 'whitespaceSplit'];

/** Where a text of both parts of BERT may be cut before either. */
function chunksOf({json, path}: TokenizerDefinition): Pick<NativeDefinition, 'chunks'> {
	const {normalizer, pre_tokenizer: splitter} = json;
	if (!isRecord(normalizer) || normalizer.type !== 'BertNormalizer') return {};
	if (!isRecord(splitter) || splitter.type !== 'BertPreTokenizer') return {};
	const {cleanText, handleChineseChars} = readBertOptions(normalizer, `${path}: normalizer`);
	return {chunks: {cleanText, ideographs: handleChineseChars}};
}

function wordsOf(
	definition: TokenizerDefinition,
	pieces: readonly string[],
): NativeWords | undefined {
	const {kind, model} = definition;
	const numberOf = (piece: unknown) => pieces.indexOf(String(piece));
	if (kind === 'WordPiece') {
		return {
			kind,
			unknown: numberOf(model.unk_token ?? '[UNK]'),
			prefix: String(model.continuing_subword_prefix ?? '##'),
			longestWord: Number(model.max_input_chars_per_word ?? 100),
		};
	}
	return kind === 'Unigram' ? unigramOf(definition, numberOf) : bpeOf(definition, numberOf);
}

type NumberOf = (piece: unknown) => number;

function unigramOf(
	{model, vocabulary}: TokenizerDefinition,
	numberOf: NumberOf,
): NativeWords | undefined {
	const rows = model.vocab as readonly [string, number][];
	const id = Number(model.unk_id ?? 0);
	const piece = rows[id]![0];
	if (vocabulary.get(piece) !== id) return undefined;
	const least = rows.reduce((least, [, score]) => Math.min(least, score), Number.POSITIVE_INFINITY);
	return {
		kind: 'Unigram',
		unknown: numberOf(piece),
		byteFallback: model.byte_fallback === true,
		// What the library gives to an unknown character.
		unknownScore: least - 10,
	};
}

function bpeOf({model}: TokenizerDefinition, numberOf: NumberOf): NativeWords | undefined {
	const {fuse_unk: fuse, ignore_merges: ignore, byte_fallback: bytes} = model;
	const {end_of_word_suffix: suffix, continuing_subword_suffix: continuing} = model;
	const areFlags = [fuse, ignore, bytes].every(flag => typeof (flag ?? false) === 'boolean');
	if (!areFlags || !isRecord(model.vocab) || continuing) return undefined;
	if (typeof (suffix ?? '') !== 'string' || !isWhole(String(suffix ?? ''))) return undefined;
	const unknown = model.unk_token ?? null;
	return {
		kind: 'BPE',
		unknown: unknown === null ? -1 : numberOf(unknown),
		suffix: String(suffix ?? ''),
		fuseUnknown: fuse === true,
		ignoreMerges: ignore === true,
		byteFallback: bytes === true,
	};
}

function vocabularyOf(
	{kind, model, vocabulary}: TokenizerDefinition,
	pieces: readonly string[],
): NativeVocabulary {
	let end = 0;
	const ids = Int32Array.from(vocabulary.values());
	const rows = kind === 'Unigram' ? (model.vocab as readonly [string, number][]) : [];
	return {
		text: pieces.join(''),
		ends: Int32Array.from(pieces, piece => (end += piece.length)),
		ids,
		scores: Float64Array.from(kind === 'Unigram' ? ids : [], id => rows[id]![1]),
		merges: kind === 'BPE' ? mergesOf(model, pieces) : new Int32Array(),
	};
}

/** Numbers of left, right and both, of merges that the other path has accepted. */
function mergesOf(model: JsonRecord, pieces: readonly string[]): Int32Array {
	const numbers = new Map(pieces.map((piece, number) => [piece, number]));
	const rows = model.merges as readonly (string | readonly string[])[];
	const merges = new Int32Array(3 * rows.length);
	rows.forEach((row, n) => {
		const [left = '', right = ''] = typeof row === 'string' ? row.split(' ') : row;
		merges.set(
			[left, right, left + right].map(piece => numbers.get(piece)!),
			3 * n,
		);
	});
	return merges;
}
