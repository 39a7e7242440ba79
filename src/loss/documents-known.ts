// What is known of the documents of a batch, of which some come from earlier steps.

import {type Column, type ColumnsKnown, ownersOf, type RowsKnown} from './loss.js';

type Documents = {
	positive: Column;
	negatives: readonly Column[];
	/** Of documents of earlier steps, which stand between positives and negatives. */
	earlier?: ColumnsKnown | undefined;
};

const nothing = new Float64Array(0);
const nothingKnown: ColumnsKnown = {
	texts: nothing,
	queries: nothing,
	documents: nothing,
	sets: nothing,
};

/** A hard negative is the positive of no query. */
export function knownDocuments(
	{texts, queries, documents, sets}: RowsKnown,
	{positive, negatives, earlier = nothingKnown}: Documents,
): ColumnsKnown {
	const count = negatives.length;
	const own = ownersOf(positive);
	const zeros = negatives.map(({rows}) => new Float64Array(rows));
	return {
		texts: numbers([texts[1]!, earlier.texts, ...texts.slice(2, 2 + count)]),
		queries: numbers([taken(queries, own), earlier.queries, ...zeros]),
		documents: numbers([documents[0]!, earlier.documents, ...documents.slice(1, 1 + count)]),
		sets: numbers([
			taken(sets, own),
			earlier.sets,
			...negatives.map(negative => taken(sets, ownersOf(negative))),
		]),
	};
}

function taken(values: Float64Array, places: Int32Array): Float64Array {
	return Float64Array.from(places, place => values[place]!);
}

function numbers(parts: readonly Float64Array[]): Float64Array {
	const whole = new Float64Array(parts.reduce((length, part) => length + part.length, 0));
	let at = 0;
	for (const part of parts) {
		whole.set(part, at);
		at += part.length;
	}
	return whole;
}
