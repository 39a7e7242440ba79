// Any normaliser, pre-tokenizer and word model after one another.

import type {IdBuffer} from './id-buffer.js';
import type {Normalizer} from './normalizers.js';
import type {PreTokenizer} from './pre-tokenizers.js';
import type {TextModel, WordModel} from './text-model.js';
import {WordCache} from './word-cache.js';

export class PipelineModel implements TextModel {
	readonly #normalize: Normalizer;
	readonly #split: PreTokenizer;
	readonly #words: WordModel;
	readonly #known = new WordCache();

	constructor(normalize: Normalizer, split: PreTokenizer, words: WordModel) {
		this.#normalize = normalize;
		this.#split = split;
		this.#words = words;
	}

	normalize(text: string): string {
		// The Rust library never sees a lone surrogate: it is not UTF-8.
		return this.#normalize(text.replace(/\p{Cs}/gu, '\uFFFD'));
	}

	encode(text: string, isFirst: boolean, out: IdBuffer): boolean {
		return this.encodeNormalized(this.normalize(text), isFirst, out);
	}

	encodeNormalized(text: string, isFirst: boolean, out: IdBuffer): boolean {
		if (text === '') return true;
		for (const word of this.#split([text], isFirst)) {
			if (!out.pushAll(this.#word(word))) return false;
		}
		return true;
	}

	#word(word: string): readonly number[] {
		let ids = this.#known.get(word);
		if (ids === undefined) {
			ids = this.#words.pieces(word);
			this.#known.set(word, ids);
		}
		return ids;
	}
}
