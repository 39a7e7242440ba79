// Texts and pairs that the data hold more than once, found by the hashes of the index. Tables hold a
// part of the hashes at a time, and the index is walked once for each part: memory is flat.

import {HashTable} from '../data/columns.js';
import type {RowIndex} from '../data/row-index.js';
import {textHash} from '../data/text-hash.js';
import {giveTurn} from '../pace.js';

/** Hashes that a table holds at once. */
const mostKeys = 2 ** 20;

/** A place in the data: a record of a file, and which of its texts (0 is the query). */
export interface Place {
	file: number;
	record: number;
	text: number;
}

export interface Repeats {
	/** Different keys, and places whose key was there before. */
	distinct: number;
	repeated: number;
	/** The first such places, and where their keys stood first: the number of that record. */
	first: {place: Place; before: number}[];
}

type Visit = (key: number, place: Place) => void;

export interface RepeatOptions {
	/** Places to keep. */
	most: number;
	signal?: AbortSignal | undefined;
}

/** What a key is made of. */
export type KeyKind = 'query' | 'document' | 'pair';

export class Repetition {
	readonly #files: readonly RowIndex[];
	readonly #options: RepeatOptions;

	constructor(files: readonly RowIndex[], options: RepeatOptions) {
		this.#files = files;
		this.#options = options;
	}

	/** What stands more than once of a kind; a pair is a query with one of its positives. */
	async of(kind: KeyKind): Promise<Repeats> {
		const found: Repeats = {distinct: 0, repeated: 0, first: []};
		await this.#inParts(async isIn => {
			const table = new HashTable();
			await this.#walk(kind, (key, place) => {
				if (!isIn(key)) return;
				const before = table.get(key);
				if (before === undefined) {
					table.set(key, this.#numberOf(place));
					found.distinct++;
					return;
				}

				found.repeated++;
				if (found.first.length < this.#options.most) found.first.push({place, before});
			});
		});
		return found;
	}

	/** Negatives of a query that are its positives in another record. */
	async conflicts(): Promise<Repeats> {
		const found: Repeats = {distinct: 0, repeated: 0, first: []};
		await this.#inParts(async isIn => {
			const positives = new HashTable();
			await this.#walk('pair', (key, place) => {
				if (isIn(key)) positives.set(key, this.#numberOf(place));
			});
			await this.#walk('negative', (key, place) => {
				const before = isIn(key) ? positives.get(key) : undefined;
				if (before === undefined || before === this.#numberOf(place)) return;
				found.repeated++;
				if (found.first.length < this.#options.most) found.first.push({place, before});
			});
		});
		return found;
	}

	async #inParts(work: (isIn: (key: number) => boolean) => Promise<void>): Promise<void> {
		const keys = this.#files.reduce((sum, {hashes}) => sum + hashes.length, 0);
		const parts = Math.max(1, Math.ceil(keys / mostKeys));
		for (let part = 0; part < parts; part++) {
			await work(key => Math.floor(key / 2 ** 32) % parts === part);
		}
	}

	async #walk(kind: KeyKind | 'negative', visit: Visit): Promise<void> {
		for (const [file, index] of this.#files.entries()) {
			for (let record = 0; record < index.length; record++) {
				const pause = giveTurn(this.#options.signal);
				if (pause !== undefined) await pause;
				visitRecord(kind, index, {file, record, visit});
			}
		}
	}

	/** Records are numbered over all files. */
	#numberOf({file, record}: Place): number {
		return this.#files.slice(0, file).reduce((sum, {length}) => sum + length, record);
	}
}

function visitRecord(
	kind: KeyKind | 'negative',
	index: RowIndex,
	{file, record, visit}: {file: number; record: number; visit: Visit},
): void {
	const start = index.hashStarts.at(record);
	const query = index.hashes.at(start);
	if (kind === 'query') {
		visit(query, {file, record, text: 0});
		return;
	}

	const positives = index.positives.at(record);
	const first = kind === 'negative' ? positives + 1 : 1;
	const end = kind === 'pair' ? positives + 1 : index.texts(record);
	for (let text = first; text < end; text++) {
		const hash = index.hashes.at(start + text);
		visit(kind === 'document' ? hash : textHash(`${query} ${hash}`), {file, record, text});
	}
}
