// From texts to ids with one tokenizer: added tokens, the model, special tokens, truncation. The path
// that takes every tokenizer; native-encoder.ts has the one that is fast. Synchronous, for the worker.

import {AddedTokenSplitter} from './added-tokens.js';
import {readDefinition, type TokenizerDefinition} from './definition.js';
import type {TokenizerSource} from './files.js';
import {IdBuffer} from './id-buffer.js';
import {openModel} from './models.js';
import type {TextModel} from './text-model.js';

export interface EncodeSettings {
	/** Longest result, special tokens included. */
	readonly maxLength: number;
	/** The side that is cut. */
	readonly truncationSide: 'right' | 'left';
	readonly addSpecialTokens: boolean;
}

/** Ids end to end; text n has ids offsets[n] to offsets[n + 1], and truncated[n] is 1 if it was cut. */
export interface EncodedTexts {
	readonly ids: Int32Array<ArrayBuffer>;
	readonly offsets: Int32Array<ArrayBuffer>;
	readonly truncated: Uint8Array<ArrayBuffer>;
}

/** What both paths are. */
export interface TextEncoder {
	readonly path: 'native' | 'javascript';
	readonly facts: EncoderFacts;
	/** `onText` may be told the number of a text before it is begun. */
	encode(
		texts: readonly string[],
		settings: EncodeSettings,
		onText?: (text: number) => void,
	): EncodedTexts;
}

export interface EncoderFacts {
	/** How many special tokens are added to a text. */
	readonly specialTokens: number;
	/** The largest id that can come out, and the token that has it. */
	readonly largestId: number;
	readonly largestToken: string;
}

export class Encoder implements TextEncoder {
	readonly path = 'javascript';
	readonly definition: TokenizerDefinition;
	readonly #model: TextModel;
	readonly #raw: AddedTokenSplitter;
	readonly #normalized: AddedTokenSplitter;
	readonly #hasNormalized: boolean;
	readonly #out = new IdBuffer();

	constructor(source: TokenizerSource) {
		this.definition = readDefinition(source);
		const model = openModel(this.definition);
		const {addedTokens} = this.definition;
		const normalized = addedTokens.filter(token => token.normalized);
		this.#model = model;
		this.#raw = new AddedTokenSplitter(
			addedTokens.filter(token => !token.normalized),
			token => token.content,
		);
		this.#normalized = new AddedTokenSplitter(normalized, token => model.normalize(token.content));
		this.#hasNormalized = normalized.length > 0;
	}

	get specialTokens(): number {
		return this.definition.prefix.length + this.definition.suffix.length;
	}

	get facts(): EncoderFacts {
		const {largestId, largestToken} = this.definition;
		return {specialTokens: this.specialTokens, largestId, largestToken};
	}

	/** A text, or an added token, as it is before it is split into words. */
	normalize(text: string): string {
		return this.#model.normalize(text);
	}

	/** `onText` is told the number of each text before it is begun. */
	encode(
		texts: readonly string[],
		settings: EncodeSettings,
		onText: (text: number) => void = () => undefined,
	): EncodedTexts {
		const offsets = new Int32Array(texts.length + 1);
		const truncated = new Uint8Array(texts.length);
		this.#out.clear();
		texts.forEach((text, index) => {
			onText(index);
			truncated[index] = this.#encodeText(text, settings) ? 1 : 0;
			offsets[index + 1] = this.#out.length;
		});
		return {ids: this.#out.copy(), offsets, truncated};
	}

	/** Adds one text to the buffer and says whether it was cut. */
	#encodeText(text: string, settings: EncodeSettings): boolean {
		const out = this.#out;
		const {prefix, suffix} = settings.addSpecialTokens ? this.definition : bare;
		const room = settings.maxLength - prefix.length - suffix.length;
		out.limit = Number.POSITIVE_INFINITY;
		out.pushAll(prefix);
		const start = out.length;
		// One id more than there is room for tells that the text is cut; the rest need not be read.
		if (settings.truncationSide === 'right') out.limit = start + room + 1;
		this.#encodeSections(text);
		const count = out.length - start;
		out.limit = Number.POSITIVE_INFINITY;
		if (count > room) {
			out.keep(start, settings.truncationSide === 'right' ? start : out.length - room, room);
		}
		out.pushAll(suffix);
		return count > room;
	}

	#encodeSections(text: string): void {
		const out = this.#out;
		this.#raw.split(
			text,
			(section, begin) => this.#encodeSection(section, begin === 0 && this.#keepsStart(section)),
			id => out.push(id),
		);
	}

	/** Whether the first character is still there once it is normalised; else nothing begins the text. */
	#keepsStart(text: string): boolean {
		return this.#model.normalize(String.fromCodePoint(text.codePointAt(0) ?? 0)) !== '';
	}

	#encodeSection(section: string, isFirst: boolean): boolean {
		const out = this.#out;
		const model = this.#model;
		if (!this.#hasNormalized) return model.encode(section, isFirst, out);
		return this.#normalized.split(
			model.normalize(section),
			(piece, begin) => model.encodeNormalized(piece, isFirst && begin === 0, out),
			id => out.push(id),
		);
	}
}

const bare = {prefix: [], suffix: []};
