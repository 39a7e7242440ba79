// Pairs that the masks margin, guide and teacher took for false negatives, those of the highest scores: a file to
// look at, since each is either a positive that the data lack or a negative that a mask took away.

import {readFile} from 'node:fs/promises';
import type {RowTexts} from '../data/rows.js';
import {writeFileAtomic} from '../files/output.js';

export type Suspect = {
	/** Before the temperature, by the model as it was in that step. */
	score: number;
	step: number;
	query: string;
	positive: string;
	suspect: string;
	queryId?: string;
	suspectId?: string;
};

/** What a step found: for each row the number of a document or −1, and its score. */
export type Found = {
	pairs: Float32Array;
	/** How many documents stand before the hard negatives: positives, then those of earlier steps. */
	positives: number;
	earlier: number;
	/** Which rows of the step the pairs are of, where they are not of all. */
	rows?: Int32Array;
};

/** How many pairs are kept. */
const most = 1000;

export class Suspects {
	readonly #path: string;
	#kept = new Map<string, Suspect>();

	constructor(path: string) {
		this.#path = path;
	}

	/** Goes on with what was written up to a step. */
	async resume(step: number): Promise<void> {
		const text = await readFile(this.#path, 'utf8').catch(() => '');
		for (const line of text.split('\n').filter(Boolean)) {
			const suspect = JSON.parse(line) as Suspect;
			if (suspect.step <= step) this.#keep(suspect);
		}
	}

	/** Takes in the pairs of a step; a pair that was met before counts with its highest score. */
	add(step: number, texts: readonly RowTexts[], {rows: of, ...found}: Found): void {
		const {pairs, positives, earlier} = found;
		const rows = of ? Array.from(of, row => texts[row]!) : texts;
		const documents = documentsOf(rows);
		for (const [n, {query, positive = query, queryId}] of rows.entries()) {
			const column = pairs[2 * n]!;
			const score = pairs[2 * n + 1]!;
			if (column < 0 || (column >= positives && column < positives + earlier)) continue;
			const other = documents.text(column < positives ? column : column - earlier);
			this.#keep({
				score,
				step,
				query,
				positive,
				suspect: other.text,
				...(queryId !== undefined && {queryId}),
				...(other.id !== undefined && {suspectId: other.id}),
			});
		}
		if (this.#kept.size > 2 * most) this.#cut();
	}

	/** Writes the file, the highest score first. */
	async write(): Promise<void> {
		this.#cut();
		const lines = [...this.#kept.values()].map(suspect => `${JSON.stringify(suspect)}\n`);
		await writeFileAtomic(this.#path, lines.join(''));
	}

	#keep(suspect: Suspect): void {
		const key = JSON.stringify([suspect.query, suspect.suspect]);
		const known = this.#kept.get(key);
		if (!known || known.score < suspect.score) this.#kept.set(key, suspect);
	}

	#cut(): void {
		const sorted = [...this.#kept].sort(([, a], [, b]) => b.score - a.score || a.step - b.step);
		this.#kept = new Map(sorted.slice(0, most));
	}
}

type Document = {text: string; id: string | undefined};

/** The documents of a batch by their number: the positives of all rows, then their hard negatives. */
export function documentsOf(rows: readonly RowTexts[]) {
	const owners: number[] = [];
	const negatives = rows.flatMap((row, owner) =>
		row.negatives.map((text, n): Document => {
			owners.push(owner);
			return {text, id: row.negativeIds?.[n]};
		}),
	);
	const positives = rows.flatMap(({query, positive = query, positiveId, ...row}): Document[] => [
		{text: positive, id: positiveId},
		...(row.morePositives ?? []).map((text, n) => ({text, id: row.positiveIds?.[n + 1]})),
	]);
	const first = positives.length;
	return {
		text: (n: number): Document => (n < first ? positives[n]! : negatives[n - first]!),
		isNegativeOf: (n: number, row: number): boolean => n >= first && owners[n - first] === row,
	};
}
