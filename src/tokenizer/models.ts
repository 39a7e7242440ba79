// The kinds of tokenizers: from a checked definition to a model of texts.

import {BertModel} from './bert-model.js';
import type {ModelKind, TokenizerDefinition} from './definition.js';
import {asId, asString, invalid, isRecord} from './json.js';
import {readBertOptions, readNormalizer} from './normalizers.js';
import {PipelineModel} from './pipeline-model.js';
import {readPreTokenizer} from './pre-tokenizers.js';
import type {TextModel, WordModel} from './text-model.js';
import {openBpe, openUnigram} from './word-models.js';
import {WordPiece} from './wordpiece.js';

const wordModels: {[kind in ModelKind]: (definition: TokenizerDefinition) => WordModel} = {
	WordPiece: openWordPiece,
	BPE: openBpe,
	Unigram: openUnigram,
};

export function openModel(definition: TokenizerDefinition): TextModel {
	const {json, kind, path} = definition;
	const words = wordModels[kind](definition);
	const {normalizer, pre_tokenizer: preTokenizer} = json;
	if (isOfType(normalizer, 'BertNormalizer') && isOfType(preTokenizer, 'BertPreTokenizer')) {
		return new BertModel(words, readBertOptions(normalizer, `${path}: normalizer`));
	}
	return new PipelineModel(
		readNormalizer(normalizer, `${path}: normalizer`),
		readPreTokenizer(preTokenizer, `${path}: pre_tokenizer`),
		words,
	);
}

function isOfType(value: unknown, type: string): value is {readonly type: string} {
	return isRecord(value) && value.type === type;
}

function openWordPiece({model, vocabulary, path}: TokenizerDefinition): WordModel {
	const where = `${path}: model`;
	const unknown = asString(model.unk_token ?? '[UNK]', `${where}.unk_token`);
	const unknownId = vocabulary.get(unknown);
	if (unknownId === undefined) throw invalid(`${where}.vocab`, `${unknown} in it`, undefined);
	const prefix = model.continuing_subword_prefix ?? '##';
	return new WordPiece({
		vocabulary,
		unknownId,
		continuingPrefix: asString(prefix, `${where}.continuing_subword_prefix`),
		longestWord: asId(model.max_input_chars_per_word ?? 100, `${where}.max_input_chars_per_word`),
	});
}
