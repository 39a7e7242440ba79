// BertNormalizer, BertPreTokenizer and a word model in one pass from text to ids.
//
// The raw text is cut at white space, ASCII symbols and ideographs, where no step of the normaliser
// reaches across; each chunk is normalised, split and looked up once and then remembered.

import {type BertNormalizerOptions, normalizeBert, splitBert} from './bert-normalizer.js';
import type {IdBuffer} from './id-buffer.js';
import type {TextModel, WordModel} from './text-model.js';
import {charClass, charClasses} from './unicode-tables.js';
import {WordCache} from './word-cache.js';

const chunkUnit = 0;
const spaceUnit = 1;
const singleUnit = 2;

export class BertModel implements TextModel {
	readonly #words: WordModel;
	readonly #normalizer: BertNormalizerOptions;
	/** Made for the first text: native code does without. */
	#units: Uint8Array | undefined;
	readonly #chunks = new WordCache();
	readonly #normalized = new WordCache();

	constructor(words: WordModel, normalizer: BertNormalizerOptions) {
		this.#words = words;
		this.#normalizer = normalizer;
	}

	normalize(text: string): string {
		return normalizeBert(text, this.#normalizer);
	}

	encode(text: string, _isFirst: boolean, out: IdBuffer): boolean {
		this.#units ??= unitKinds(this.#normalizer);
		const units = this.#units;
		let begin = 0;
		for (let index = 0; index < text.length; index++) {
			const kind = units[text.charCodeAt(index)]!;
			if (kind === chunkUnit) continue;
			if (begin < index && !out.pushAll(this.#chunk(text.slice(begin, index)))) return false;
			if (kind === singleUnit && !out.pushAll(this.#chunk(text.charAt(index)))) return false;
			begin = index + 1;
		}
		return begin === text.length || out.pushAll(this.#chunk(text.slice(begin)));
	}

	encodeNormalized(text: string, _isFirst: boolean, out: IdBuffer): boolean {
		return splitBert(text, word => out.pushAll(this.#word(word)));
	}

	#chunk(chunk: string): readonly number[] {
		let ids = this.#chunks.get(chunk);
		if (ids === undefined) {
			const found: number[] = [];
			splitBert(this.normalize(chunk), word => {
				for (const id of this.#words.pieces(word)) found.push(id);
				return true;
			});
			ids = found;
			this.#chunks.set(chunk, ids);
		}
		return ids;
	}

	#word(word: string): readonly number[] {
		let ids = this.#normalized.get(word);
		if (ids === undefined) {
			ids = this.#words.pieces(word);
			this.#normalized.set(word, ids);
		}
		return ids;
	}
}

function unitKinds({cleanText, handleChineseChars}: BertNormalizerOptions): Uint8Array {
	const classes = charClasses();
	const kinds = new Uint8Array(0x10000);
	for (let unit = 0; unit < kinds.length; unit++) {
		const bits = classes[unit]!;
		// A removed character joins what stands on both sides of it.
		if (cleanText && bits & charClass.removed) continue;
		if (bits & charClass.whitespace) kinds[unit] = spaceUnit;
		else if (unit < 0x80 && bits & charClass.punctuation) kinds[unit] = singleUnit;
		else if (handleChineseChars && bits & charClass.ideograph) kinds[unit] = singleUnit;
	}
	return kinds;
}
