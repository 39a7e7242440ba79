// Batches of a window, mended so that there are no more than have to be: a row of one too many changes
// places until it stands in one that has room.

import {giveTurn} from '../pace.js';
import type {PackRule} from './pack.js';
import type {Rows} from './rows.js';

/**
Whether a window of so many full batches can always be mended, when no row has a text in common with
more than `rivals` others. Take a row that is left and goes into no batch with room: those all hold a
rival of it, and so do at most `rivals` batches. At most (batchSize − 1) × rivals rows are rivals of
a row in one batch with room; so with twice as many batches as rivals there is a full one without a
rival of the row, and in it a row that can go where room is.
*/
export function isMendable(batches: number, rivals: number): boolean {
	return batches >= 2 * rivals;
}

/** The same rows in `count` full batches, as {@link isMendable} promises. */
export async function mended(
	rows: Rows,
	batches: readonly Uint32Array[],
	{epoch, batchSize, signal}: PackRule,
	count: number,
): Promise<Uint32Array[]> {
	if (batches.length === count) return [...batches];
	const full = batches.slice(0, count).map(batch => [...batch]);
	const textsOf = (batch: readonly number[]) => {
		return new Set(batch.flatMap(row => rows.hashes(row, epoch)));
	};
	const isFree = (row: number, texts: ReadonlySet<number>) => {
		return rows.hashes(row, epoch).every(hash => !texts.has(hash));
	};
	const exchange = async (row: number, open: number[]) => {
		const taken = textsOf(open);
		for (const batch of full) {
			await giveTurn(signal);
			if (batch.length < batchSize || !isFree(row, textsOf(batch))) continue;
			const place = batch.findIndex(other => isFree(other, taken));
			if (place < 0) continue;
			open.push(batch[place]!);
			batch[place] = row;
			return;
		}
	};
	for (const row of batches.slice(count).flatMap(batch => [...batch])) {
		const open = full.filter(batch => batch.length < batchSize);
		const fitting = open.find(batch => isFree(row, textsOf(batch)));
		if (fitting !== undefined) fitting.push(row);
		else await exchange(row, open[0]!);
	}

	return full.map(batch => Uint32Array.from(batch));
}
