// How often a text stands in a file, at most: counted in a table of fixed size, where texts that fall
// to one place are counted together. So the count of none is too low, in little memory.

/** Bytes of a file for each place of its table, and the most places: 16 MiB. */
const bytesEach = 64;
const mostPlaces = 2 ** 22;

/** What is known of the texts of records. */
export interface Crowded {
	/** Texts of the record that has most. */
	texts: number;
	/** How often any text occurs, or fewer times. */
	repeats: number;
}

export class Crowding {
	texts = 0;
	repeats = 0;
	readonly #counts: Uint32Array;

	constructor(bytes: number) {
		const wanted = Math.ceil(Math.log2(Math.max(1024, bytes / bytesEach)));
		this.#counts = new Uint32Array(Math.min(mostPlaces, 2 ** wanted));
	}

	/** Counts the texts of a record by their hashes. */
	add(hashes: readonly number[]): void {
		this.texts = Math.max(this.texts, hashes.length);
		const counts = this.#counts;
		for (const hash of hashes) {
			const count = ++counts[(hash >>> 0) % counts.length]!;
			if (count > this.repeats) this.repeats = count;
		}
	}
}
