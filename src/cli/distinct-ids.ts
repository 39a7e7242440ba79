// Finds an id that two rows of an input have, in a few bytes a row whatever the length of the ids. Two
// vectors of one id would count as one wherever they are looked up.

import {HashTable} from '../data/columns.js';
import {textHash} from '../data/text-hash.js';
import {EngineError} from '../errors.js';

/** Bits of a second hash beside the row: with those of the key two ids are never taken for one. */
const checkRange = 2 ** 20;

export class DistinctIds {
	readonly #rows = new HashTable();

	/** Throws when an earlier row has this id. Rows are counted from 0; `unit` is what one is called. */
	add(id: string, row: number, {where, unit}: {where: string; unit: string}): void {
		const key = textHash(id);
		const check = textHash(`\u0001${id}`) % checkRange;
		const known = this.#rows.get(key);
		if (known === undefined) {
			this.#rows.set(key, row * checkRange + check);
		} else if (known % checkRange === check) {
			const other = `${unit} ${Math.floor(known / checkRange) + 1}`;
			const got = `${JSON.stringify(id.slice(0, 80))}, which ${other} has too`;
			throw new EngineError('DATA_ROW', `${where}: expected an id of its own, got ${got}`);
		}
	}
}
