// How many records of each data set are used, and which of them.

import {below, randomOf} from './random.js';

export interface LimitOptions {
	/** The most records of a data set. Default all. */
	maxRows?: number | undefined;
	maxRowsChoice?: 'first' | 'last' | 'random' | undefined;
	seed?: number | undefined;
}

/** Says of the records of one set, asked in their order, which are used. */
export type Limit = () => boolean;

/** The limit for a set of so many records; every one is used where there are no more. */
export function limitOf(
	{maxRows = Number.POSITIVE_INFINITY, maxRowsChoice = 'first', seed = 0}: LimitOptions,
	{records, set}: {records: number; set: number},
): Limit {
	if (records <= maxRows) return () => true;
	let record = 0;
	if (maxRowsChoice === 'first') return () => record++ < maxRows;
	if (maxRowsChoice === 'last') return () => record++ >= records - maxRows;
	// Each record is taken with the chance that the places left have among the records left.
	const random = randomOf(seed, set, 0x117);
	let places = maxRows;
	return () => {
		const isUsed = below(random, records - record++) < places;
		if (isUsed) places--;
		return isUsed;
	};
}
