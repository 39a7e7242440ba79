// Which of any number of rows are used: a bit for each, and counts by which the n-th used one is
// found. Where all are used it takes no memory.

import {giveTurn} from '../pace.js';

/** Rows between two counts: a few words of bits to look through. */
const blockRows = 512;
const wordBits = 32;

export class Selection {
	/** How many rows are used. */
	readonly length: number;
	readonly #bits: Uint32Array | undefined;
	/** Used rows before each block, and at the end all. */
	readonly #before: Uint32Array;

	private constructor(length: number, before: Uint32Array, bits?: Uint32Array) {
		this.length = length;
		this.#before = before;
		this.#bits = bits;
	}

	static all(rows: number): Selection {
		return new Selection(rows, new Uint32Array(0));
	}

	/** The rows for which `isUsed` says so; it is asked in their order. */
	static async of(
		rows: number,
		isUsed: (row: number) => boolean,
		signal?: AbortSignal,
	): Promise<Selection> {
		const bits = new Uint32Array(Math.ceil(rows / wordBits));
		const before = new Uint32Array(Math.ceil(rows / blockRows) + 1);
		let used = 0;
		for (let row = 0; row < rows; row++) {
			if (row % blockRows === 0) {
				before[row / blockRows] = used;
				await giveTurn(signal);
			}

			if (!isUsed(row)) continue;
			bits[row >>> 5]! |= 1 << (row & 31);
			used++;
		}

		before[before.length - 1] = used;
		return used === rows ? Selection.all(rows) : new Selection(used, before, bits);
	}

	/** The row that is used as number `index`. */
	at(index: number): number {
		const bits = this.#bits;
		if (bits === undefined) return index;
		const before = this.#before;
		let low = 0;
		let high = before.length - 1;
		while (high - low > 1) {
			const middle = (low + high) >>> 1;
			if (before[middle]! <= index) low = middle;
			else high = middle;
		}

		let left = index - before[low]!;
		let word = (low * blockRows) / wordBits;
		for (let count = ones(bits[word]!); count <= left; count = ones(bits[++word]!)) left -= count;
		return word * wordBits + placeOfOne(bits[word]!, left);
	}

	/** How many rows before this one are used. */
	before(row: number): number {
		const bits = this.#bits;
		if (bits === undefined) return row;
		const block = Math.floor(row / blockRows);
		let count = this.#before[block]!;
		const last = row >>> 5;
		for (let word = (block * blockRows) / wordBits; word < last; word++) count += ones(bits[word]!);
		const rest = row & 31;
		return rest === 0 ? count : count + ones(bits[last]! & (2 ** rest - 1));
	}
}

function ones(word: number): number {
	const pairs = word - ((word >>> 1) & 0x55555555);
	const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
	return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** The place of the bit of 1 that has `index` others below it. */
function placeOfOne(word: number, index: number): number {
	let rest = word;
	for (let n = 0; n < index; n++) rest &= rest - 1;
	return 31 - Math.clz32(rest & -rest);
}
