// Tokenizers of other kinds than BERT's, through the JavaScript library of Hugging Face.

import {Tokenizer} from '@huggingface/tokenizers';
import {EngineError} from '../errors.js';
import type {TokenizerDefinition} from './definition.js';
import type {IdBuffer} from './id-buffer.js';
import type {TextModel} from './models.js';

export function openLibraryModel({json, path, vocabulary}: TokenizerDefinition): TextModel {
	const library = openLibrary(json, path);
	const {normalizer, pre_tokenizer: preTokenizer, model} = library;
	const normalize = (text: string) => {
		const wellFormed = text.replace(/\p{Cs}/gu, '\uFFFD');
		return normalizer === null ? wellFormed : normalizer.normalize(wellFormed);
	};
	const encodeNormalized = (text: string, isFirst: boolean, out: IdBuffer) => {
		if (text === '') return true;
		const words =
			preTokenizer === null ? [text] : preTokenizer(text, {section_index: isFirst ? 0 : 1});
		for (const token of model(words)) {
			const id = vocabulary.get(token) ?? model.unk_token_id;
			if (id === undefined)
				throw new EngineError('TOKENIZER_INVALID', `${path}: no id for ${token}`);
			if (!out.push(id)) return false;
		}
		return true;
	};
	return {
		normalize,
		encodeNormalized,
		encode: (text, isFirst, out) => encodeNormalized(normalize(text), isFirst, out),
	};
}

function openLibrary(json: TokenizerDefinition['json'], path: string): Tokenizer {
	try {
		const sections = {normalizer: null, pre_tokenizer: null, ...json};
		const others = {added_tokens: [], post_processor: null, decoder: null};
		return new Tokenizer({...sections, ...others}, {});
	} catch (cause) {
		const reason = cause instanceof Error ? cause.message : String(cause);
		throw new EngineError('TOKENIZER_KIND', `${path}: ${reason}`, {cause});
	}
}
