// The kinds of tokenizers, one line each: from a checked definition to a model of texts.

import type {TokenizerDefinition} from './definition.js';
import type {IdBuffer} from './id-buffer.js';
import {asFlag, asId, asRecord, asString, invalid, isRecord} from './json.js';
import {openLibraryModel} from './library-model.js';
import {WordPiece} from './wordpiece.js';

/** Turns text without added tokens into ids; each call answers false when the buffer is full. */
export interface TextModel {
	normalize(text: string): string;
	/** `isFirst`: the piece begins the text. */
	encode(text: string, isFirst: boolean, out: IdBuffer): boolean;
	encodeNormalized(text: string, isFirst: boolean, out: IdBuffer): boolean;
}

export function openModel(definition: TokenizerDefinition): TextModel {
	return isBert(definition) ? openWordPiece(definition) : openLibraryModel(definition);
}

function isBert({kind, json}: TokenizerDefinition): boolean {
	return (
		kind === 'WordPiece' &&
		isRecord(json.normalizer) &&
		json.normalizer.type === 'BertNormalizer' &&
		isRecord(json.pre_tokenizer) &&
		json.pre_tokenizer.type === 'BertPreTokenizer'
	);
}

function openWordPiece({json, model, vocabulary, path}: TokenizerDefinition): TextModel {
	const unknown = asString(model.unk_token ?? '[UNK]', `${path}: model.unk_token`);
	const unknownId = vocabulary.get(unknown);
	if (unknownId === undefined) throw invalid(`${path}: model.vocab`, `${unknown} in it`, undefined);
	const normalizer = asRecord(json.normalizer, `${path}: normalizer`);
	const flag = (name: string, otherwise: boolean) =>
		asFlag(normalizer[name], `${path}: normalizer.${name}`, otherwise);
	const lowercase = flag('lowercase', true);
	return new WordPiece({
		vocabulary,
		unknownId,
		continuingPrefix: asString(
			model.continuing_subword_prefix ?? '##',
			`${path}: model.continuing_subword_prefix`,
		),
		longestWord: asId(
			model.max_input_chars_per_word ?? 100,
			`${path}: model.max_input_chars_per_word`,
		),
		normalizer: {
			cleanText: flag('clean_text', true),
			handleChineseChars: flag('handle_chinese_chars', true),
			stripAccents: flag('strip_accents', lowercase),
			lowercase,
		},
	});
}
