// Where the rows of records begin that have several: of every few records the first row is kept,
// and the others are counted from there.

import {giveTurn} from '../pace.js';

/** Records between two that are kept. */
const stride = 16;

export class RowStarts {
	/** All rows. */
	readonly length: number;
	readonly #firsts: Float64Array;
	readonly #rowsOf: (record: number) => number;

	private constructor(length: number, firsts: Float64Array, rowsOf: (record: number) => number) {
		this.length = length;
		this.#firsts = firsts;
		this.#rowsOf = rowsOf;
	}

	static async of(
		records: number,
		rowsOf: (record: number) => number,
		signal?: AbortSignal,
	): Promise<RowStarts> {
		const firsts = new Float64Array(Math.ceil(records / stride));
		let rows = 0;
		for (let record = 0; record < records; record++) {
			if (record % 256 === 0) await giveTurn(signal);
			if (record % stride === 0) firsts[record / stride] = rows;
			rows += rowsOf(record);
		}

		return new RowStarts(rows, firsts, rowsOf);
	}

	/** The record of a row, and which of its rows it is. */
	find(row: number): {record: number; own: number} {
		const firsts = this.#firsts;
		let low = 0;
		let high = firsts.length;
		while (high - low > 1) {
			const middle = (low + high) >>> 1;
			if (firsts[middle]! <= row) low = middle;
			else high = middle;
		}

		let record = low * stride;
		let own = row - firsts[low]!;
		for (let rows = this.#rowsOf(record); rows <= own; rows = this.#rowsOf(record)) {
			own -= rows;
			record++;
		}

		return {record, own};
	}

	/** The first row of a record; of the one behind the last, the number of rows. */
	first(record: number): number {
		const begin = Math.floor(record / stride);
		let row = this.#firsts[begin] ?? this.length;
		for (let at = begin * stride; at < record && begin < this.#firsts.length; at++) {
			row += this.#rowsOf(at);
		}

		return row;
	}
}
