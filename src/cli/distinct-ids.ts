// Finds an id that two rows of an input have: two vectors of one id would count as one wherever they are
// looked up. Memory is flat whatever the number of rows and the length of the ids: near rows are compared
// at once, those far apart at the end, by what was written to a file without a name.

import type {FileHandle} from 'node:fs/promises';
import {HashTable} from '../data/columns.js';
import {appendTo, openNameless} from '../data/spool.js';
import {textHash} from '../data/text-hash.js';
import {EngineError} from '../errors.js';
import {readInto} from '../files/open.js';
import {giveTurn} from '../pace.js';

/** Bits of a second hash beside the row: with those of the key two ids are never taken for one. */
const checkRange = 2 ** 20;

/** Rows that are compared at once. */
const runLength = 2 ** 16;

/** Equal keys lie in the same slice, so that the end looks at few slices of all runs at a time. */
const sliceCount = 1024;

export class DistinctIds {
	readonly #name: string;
	readonly #unit: string;
	/** Since the last run: row and check by key, and the same in order, two numbers a row. */
	#near = new HashTable();
	readonly #rows = new Float64Array(2 * runLength);
	#count = 0;
	/** For each run in the file where its slices begin, in rows. */
	readonly #runs: Uint32Array[] = [];
	#file: FileHandle | undefined;

	/** Messages call row 0 of the input `unit 1`. */
	constructor(name: string, unit: string) {
		this.#name = name;
		this.#unit = unit;
	}

	/** Throws when an earlier row near by has this id. Rows are counted from 0. */
	async add(id: string, row: number, where: string): Promise<void> {
		const key = textHash(id);
		const value = row * checkRange + (textHash(`\u0001${id}`) % checkRange);
		const known = this.#near.get(key);
		if (known === undefined) this.#near.set(key, value);
		else if (isSame(known, value)) {
			const got = `${JSON.stringify(id.slice(0, 80))}, which ${this.#called(known)} has too`;
			throw new EngineError('DATA_ROW', `${where}: expected an id of its own, got ${got}`);
		}
		this.#rows[2 * this.#count] = key;
		this.#rows[2 * this.#count + 1] = value;
		if (++this.#count === runLength) await this.#writeRun();
	}

	/** To be called after the last row. Throws when two rows far apart have the same id. */
	async finish(): Promise<void> {
		if (this.#file === undefined) return;
		await this.#writeRun();
		const step = Math.max(1, Math.floor((2 * sliceCount) / this.#runs.length));
		for (let from = 0; from < sliceCount; from += step) {
			const seen = new Map<number, number>();
			const to = Math.min(from + step, sliceCount);
			for (let run = 0; run < this.#runs.length; run++) {
				for (const [key, value] of pairsOf(await this.#read(this.#file, run, {from, to}))) {
					const known = seen.get(key);
					if (known === undefined) seen.set(key, value);
					else if (isSame(known, value)) throw this.#farError(known, value);
				}
				await giveTurn();
			}
		}
	}

	async close(): Promise<void> {
		await this.#file?.close();
		this.#file = undefined;
	}

	#called(value: number): string {
		return `${this.#unit} ${Math.floor(value / checkRange) + 1}`;
	}

	#farError(earlier: number, later: number): EngineError {
		const message = `expected an id of its own, got that of ${this.#called(earlier)}`;
		const where = `${this.#name}: ${this.#called(later)}`;
		return new EngineError('DATA_ROW', `${where}: ${message}`);
	}

	async #writeRun(): Promise<void> {
		this.#file ??= await openNameless();
		const {sorted, begins} = await sliced(this.#rows.subarray(0, 2 * this.#count));
		await appendTo(this.#file, new Uint8Array(sorted.buffer));
		this.#runs.push(begins);
		this.#near = new HashTable();
		this.#count = 0;
	}

	/** The rows of a run in some slices. */
	async #read(
		file: FileHandle,
		run: number,
		{from, to}: {from: number; to: number},
	): Promise<Float64Array> {
		const begins = this.#runs[run]!;
		const rows = new Float64Array(2 * (begins[to]! - begins[from]!));
		const position = 16 * (run * runLength + begins[from]!);
		await readInto(file, new Uint8Array(rows.buffer), position);
		return rows;
	}
}

function isSame(a: number, b: number): boolean {
	return a % checkRange === b % checkRange;
}

function* pairsOf(rows: Float64Array): Generator<readonly [key: number, value: number]> {
	for (let n = 0; n < rows.length; n += 2) yield [rows[n]!, rows[n + 1]!];
}

/** The rows slice by slice, each in their order, and where the slices begin. */
async function sliced(rows: Float64Array): Promise<{sorted: Float64Array; begins: Uint32Array}> {
	const begins = new Uint32Array(sliceCount + 1);
	for (let n = 0; n < rows.length; n += 2) {
		begins[(rows[n]! % sliceCount) + 1]!++;
		if (n % 4096 === 0) await giveTurn();
	}
	for (let slice = 0; slice < sliceCount; slice++) begins[slice + 1]! += begins[slice]!;
	const next = begins.slice();
	const sorted = new Float64Array(rows.length);
	for (let n = 0; n < rows.length; n += 2) {
		const at = 2 * next[rows[n]! % sliceCount]!++;
		sorted[at] = rows[n]!;
		sorted[at + 1] = rows[n + 1]!;
		if (n % 4096 === 0) await giveTurn();
	}
	return {sorted, begins};
}
