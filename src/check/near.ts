// Texts that are nearly the same: sketches of their pieces of five characters (one-permutation
// min-hashing), compared in bands. Only the first texts of a kind are kept, so memory is flat.

import {HashTable} from '../data/columns.js';
import {textHash} from '../data/text-hash.js';

/** Texts that are kept; what comes later is compared with these, up to a number of comparisons. */
const mostNear = 100_000;
const mostCompared = 1_000_000;

/** Minima of a sketch, taken together in bands of so many rows. */
const bins = 24;
const rows = 4;

/** Share of equal minima, which is that of equal pieces, from which on two texts are near. */
const nearFrom = 0.8;

const pieceLength = 5;

/** Characters below which a text is one piece: a few pieces say too little. */
const shortText = 24;

/** What is looked at of a long text. */
const mostCharacters = 2000;

/** A text without case, marks of writing and double blanks: texts alike in this are the same. */
export function normalised(text: string): string {
	const letters = text
		.normalize('NFKC')
		.toLowerCase()
		.replaceAll(/[^\p{L}\p{N}\p{M}]+/gu, ' ');
	return letters.trim();
}

/** A text that was kept. */
export interface Near {
	/** What it was kept under. */
	label: number;
	/** Whether it is the same to the letter. */
	isSame: boolean;
}

export class NearTexts {
	/** Texts that were not compared any more. */
	skipped = 0;
	readonly #bands = new HashTable();
	/** The minima of all texts that are kept, text after text, their hashes and labels. */
	#sketches = new Uint16Array(bins * 256);
	readonly #hashes: number[] = [];
	readonly #labels: number[] = [];
	#compared = 0;

	/** The first text that is near this one; a text that is near none is kept. */
	findOrAdd(text: string, label: number): Near | undefined {
		const sketch = this.#sketchOf(text);
		if (sketch === undefined) return;
		const found = this.#find(sketch, text);
		if (found === undefined && this.#hashes.length < mostNear) this.#add(sketch, text, label);
		return found;
	}

	/** The first text of those kept that is near this one. */
	find(text: string): Near | undefined {
		const sketch = this.#sketchOf(text);
		return sketch && this.#find(sketch, text);
	}

	/** Nothing once too many texts were compared. */
	#sketchOf(text: string): Uint32Array | undefined {
		if (this.#compared < mostCompared) {
			this.#compared++;
			return sketchOf(normalised(text));
		}

		this.skipped++;
		return;
	}

	#add(sketch: Uint32Array, text: string, label: number): void {
		const place = this.#hashes.push(textHash(text)) - 1;
		this.#labels.push(label);
		if (this.#hashes.length * bins > this.#sketches.length) this.#grow();
		this.#sketches.set(sketch, place * bins);
		for (const key of bandsOf(sketch)) {
			if (this.#bands.get(key) === undefined) this.#bands.set(key, place);
		}
	}

	#find(sketch: Uint32Array, text: string): Near | undefined {
		for (const key of bandsOf(sketch)) {
			const place = this.#bands.get(key);
			if (place === undefined || !this.#isNear(place, sketch)) continue;
			return {label: this.#labels[place]!, isSame: this.#hashes[place] === textHash(text)};
		}

		return;
	}

	#isNear(place: number, sketch: Uint32Array): boolean {
		let equal = 0;
		for (let bin = 0; bin < bins; bin++) {
			if (this.#sketches[place * bins + bin] === (sketch[bin]! & 0xffff)) equal++;
		}

		return equal >= nearFrom * bins;
	}

	#grow(): void {
		const larger = new Uint16Array(this.#sketches.length * 2);
		larger.set(this.#sketches);
		this.#sketches = larger;
	}
}

/** Every piece falls into one bin, whose smallest hash stays; an empty bin takes its neighbour's. */
function sketchOf(text: string): Uint32Array {
	const sketch = new Uint32Array(bins).fill(none);
	const end = Math.min(text.length, mostCharacters);
	const size = end < shortText ? end : pieceLength;
	let rolling = 0;
	for (let at = 0; at < end; at++) {
		const old = at < size ? 0 : Math.imul(text.charCodeAt(at - size), highest);
		rolling = Math.imul(rolling - old, base) + text.charCodeAt(at);
		if (at + 1 < size) continue;
		const hash = mixed(rolling);
		const bin = hash % bins;
		if (hash < sketch[bin]!) sketch[bin] = hash;
	}

	return sketch.map((value, bin) => {
		for (let step = 0; value === none && step < bins; step++) {
			const other = sketch[(bin + step) % bins]!;
			if (other !== none) return Math.imul(other, 2 * step + 1) >>> 0;
		}

		return value;
	});
}

/** A bin into which no piece fell. */
const none = 0xffffffff;

/** The base of the rolling hash of a piece, and its power that the oldest character has. */
const base = 0x01000193;
const highest = Array.from({length: pieceLength - 1}).reduce<number>(p => Math.imul(p, base), 1);

function mixed(word: number): number {
	let hash = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
	hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
	return (hash ^ (hash >>> 16)) >>> 0;
}

/** A key of each band, which says its place too. */
function* bandsOf(sketch: Uint32Array): Generator<number, void, undefined> {
	for (let first = 0; first < bins; first += rows) {
		let high = first + 1;
		let low = 0x9e3779b9;
		for (let row = first; row < first + rows; row++) {
			high = Math.imul(high ^ sketch[row]!, 0x01000193);
			low = Math.imul(low + sketch[row]!, 0x85ebca6b) ^ (low >>> 15);
		}

		yield ((high >>> 0) & 0x1fffff) * 2 ** 32 + (low >>> 0) || 1;
	}
}
