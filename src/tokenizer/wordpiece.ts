// WordPiece over BertNormalizer and BertPreTokenizer, from text straight to ids.
//
// The raw text is cut at white space, ASCII symbols and ideographs, where no step of the normaliser
// reaches across; each chunk is normalised, split and looked up once and then remembered.

import {type BertNormalizerOptions, normalizeBert, splitBert} from './bert-normalizer.js';
import type {IdBuffer} from './id-buffer.js';
import {charClass, charClasses} from './unicode-tables.js';

export interface WordPieceOptions {
	readonly vocabulary: ReadonlyMap<string, number>;
	readonly unknownId: number;
	/** What a piece begins with that continues a word. */
	readonly continuingPrefix: string;
	/** Longer words, in code points, are unknown. */
	readonly longestWord: number;
	readonly normalizer: BertNormalizerOptions;
}

type Remembered = Map<string, readonly number[]>;

const longestRemembered = 48;
const mostRemembered = 1 << 16;

const chunkUnit = 0;
const spaceUnit = 1;
const singleUnit = 2;

export class WordPiece {
	readonly #options: WordPieceOptions;
	/** Pieces that begin a word and, without their prefix, pieces that continue one. */
	readonly #beginning: ReadonlyMap<string, number>;
	readonly #continuing: ReadonlyMap<string, number>;
	readonly #longestPiece: number;
	readonly #units: Uint8Array;
	readonly #chunks: Remembered = new Map();
	readonly #words: Remembered = new Map();

	constructor(options: WordPieceOptions) {
		this.#options = options;
		this.#beginning = options.vocabulary;
		const {continuingPrefix: prefix} = options;
		const continuing = new Map<string, number>();
		let longest = 0;
		for (const [piece, id] of options.vocabulary) {
			longest = Math.max(longest, piece.length);
			if (piece.startsWith(prefix)) continuing.set(piece.slice(prefix.length), id);
		}
		this.#continuing = continuing;
		this.#longestPiece = longest;
		this.#units = unitKinds(options.normalizer);
	}

	normalize(text: string): string {
		return normalizeBert(text, this.#options.normalizer);
	}

	/** Adds the ids of a text; false when the buffer wants no more. */
	encode(text: string, _isFirst: boolean, out: IdBuffer): boolean {
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

	/** The same of a text that is normalised already. */
	encodeNormalized(text: string, _isFirst: boolean, out: IdBuffer): boolean {
		return splitBert(text, word => out.pushAll(this.#normalizedWord(word)));
	}

	#normalizedWord(word: string): readonly number[] {
		let ids = this.#words.get(word);
		if (ids === undefined) {
			ids = this.#pieces(word);
			remember(this.#words, word, ids);
		}
		return ids;
	}

	#chunk(chunk: string): readonly number[] {
		let ids = this.#chunks.get(chunk);
		if (ids === undefined) {
			const found: number[] = [];
			splitBert(this.normalize(chunk), word => {
				for (const id of this.#pieces(word)) found.push(id);
				return true;
			});
			ids = found;
			remember(this.#chunks, chunk, ids);
		}
		return ids;
	}

	/** Longest piece first, from left to right; a word with a gap is unknown as a whole. */
	#pieces(word: string): readonly number[] {
		const {unknownId, longestWord} = this.#options;
		if (word.length > longestWord && countCodePoints(word) > longestWord) return [unknownId];
		const ids: number[] = [];
		for (let begin = 0; begin < word.length; ) {
			begin = this.#piece(word, begin, ids);
			if (begin < 0) return [unknownId];
		}
		return ids;
	}

	/** Adds the longest piece at `begin` and returns where it ends, or -1 when none fits. */
	#piece(word: string, begin: number, ids: number[]): number {
		const pieces = begin === 0 ? this.#beginning : this.#continuing;
		for (let end = Math.min(word.length, begin + this.#longestPiece); end > begin; end--) {
			const id = pieces.get(word.slice(begin, end));
			if (id === undefined) continue;
			ids.push(id);
			return end;
		}
		return -1;
	}
}

function remember(remembered: Remembered, text: string, ids: readonly number[]): void {
	if (text.length > longestRemembered) return;
	if (remembered.size === mostRemembered) remembered.clear();
	remembered.set(text, ids);
}

function countCodePoints(text: string): number {
	let count = 0;
	for (const _ of text) count++;
	return count;
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
