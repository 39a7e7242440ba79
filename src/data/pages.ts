// Numbers in a file, at hand by place: pages of it stay in memory, each where its number says, so
// memory is flat and a page not there costs one short read.

import {readSync, writeSync} from 'node:fs';
import type {FileHandle} from 'node:fs/promises';
import {EngineError} from '../errors.js';
import {writeFailure} from '../files/failures.js';
import {folderOf} from '../files/scratch.js';

export type Numbers = Float64Array | Uint32Array;
export type NumbersConstructor = Float64ArrayConstructor | Uint32ArrayConstructor;

/** An open file and the byte of it where the numbers begin. */
export interface Store {
	handle: FileHandle;
	begin: number;
}

const pageLength = 512;
/** Pages that one column keeps: 16 MiB of Float64. */
const slots = 4096;

export class Pages {
	readonly #type: NumbersConstructor;
	readonly #store: Store;
	readonly #pages: (Numbers | undefined)[] = new Array(slots);
	/** Which page each slot holds. */
	readonly #held = new Float64Array(slots).fill(-1);

	constructor(type: NumbersConstructor, store: Store) {
		this.#type = type;
		this.#store = store;
	}

	/** A number that was written. */
	at(index: number): number {
		const page = Math.floor(index / pageLength);
		const slot = page % slots;
		if (this.#held[slot] !== page) this.#load(page, slot);
		return this.#pages[slot]![index % pageLength]!;
	}

	/** Writes whole pages from the place of their first number on, which were not there before. */
	write(numbers: Numbers, first: number): void {
		const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
		try {
			for (let at = 0; at < bytes.length; ) {
				at += writeSync(
					this.#store.handle.fd,
					bytes,
					at,
					bytes.length - at,
					this.#byte(first) + at,
				);
			}
		} catch (error) {
			throw writeFailure(folderOf(this.#store.handle), error);
		}
	}

	/**
	Reads numbers into a whole array, from the place of the first on; fewer at the end of the file.
	*/
	read(numbers: Numbers, first: number): number {
		const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
		let filled = 0;
		while (filled < bytes.length) {
			const position = this.#byte(first) + filled;
			const count = readSync(this.#store.handle.fd, bytes, filled, bytes.length - filled, position);
			if (count === 0) break;
			filled += count;
		}

		return filled / numbers.BYTES_PER_ELEMENT;
	}

	#load(page: number, slot: number): void {
		const numbers = this.#pages[slot] ?? new this.#type(pageLength);
		this.#held[slot] = -1;
		if (this.read(numbers, page * pageLength) === 0) {
			throw new EngineError(
				'FILE_UNREADABLE',
				'index: expected it as it was written, got a cut one',
			);
		}

		this.#pages[slot] = numbers;
		this.#held[slot] = page;
	}

	#byte(index: number): number {
		return this.#store.begin + index * this.#type.BYTES_PER_ELEMENT;
	}
}
