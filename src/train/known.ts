// What is known of the rows of a batch, as numbers by which a loss finds false negatives.

import type {RowTexts} from '../data/rows.js';
import {textHash} from '../data/text-hash.js';
import type {Table} from '../evaluate/trec.js';
import type {RowsKnown} from '../loss/loss.js';
import {giveTurn} from '../pace.js';

export type KnownOptions = {
	/** Positives by query and document, beside those of the data; a grade above 0 counts. */
	judgements?: Table | undefined;
	signal?: AbortSignal | undefined;
};

/** Ids go before texts: a document without an id is what it says. */
export async function knownOf(
	rows: readonly RowTexts[],
	{judgements, signal}: KnownOptions = {},
): Promise<RowsKnown> {
	const texts: number[][] = [[], [], []];
	const documents: number[][] = [[], []];
	const queries: number[] = [];
	const offsets = new Int32Array(rows.length + 1);
	const positives: number[] = [];
	for (const [n, row] of rows.entries()) {
		if (n % 32 === 0) await giveTurn(signal);
		// a text alone is its own positive
		const {query, positive = query, negatives, queryId, positiveId, negativeIds} = row;
		texts[0]!.push(textHash(query));
		queries.push(queryId === undefined ? textHash(query) : idHash(queryId));
		texts[1]!.push(textHash(positive));
		documents[0]!.push(documentHash(positive, positiveId));
		for (const [at, text] of (row.morePositives ?? []).entries()) {
			texts[1]!.push(textHash(text));
			documents[0]!.push(documentHash(text, row.positiveIds?.[at + 1]));
		}
		for (const [at, text] of negatives.entries()) {
			texts[2]!.push(textHash(text));
			documents[1]!.push(documentHash(text, negativeIds?.[at]));
		}
		positives.push(...positivesOf(row, judgements));
		offsets[n + 1] = positives.length;
	}
	return {
		texts: texts.map(column => Float64Array.from(column)),
		documents: documents.map(column => Float64Array.from(column)),
		queries: Float64Array.from(queries),
		positives: {offsets, documents: Float64Array.from(positives)},
		sets: Float64Array.from(rows, ({set}) => set),
	};
}

function positivesOf(row: RowTexts, judgements: Table | undefined): number[] {
	const {positives, positiveIds = [], queryId} = row;
	const judged = queryId === undefined ? undefined : judgements?.get(queryId);
	const more = [...(judged ?? [])].filter(([, grade]) => grade > 0);
	return [
		...positives.map(textHash),
		...positiveIds.map(idHash),
		...more.map(([document]) => idHash(document)),
	];
}

function documentHash(text: string, id: string | undefined): number {
	return id === undefined ? textHash(text) : idHash(id);
}

/** An id is never taken for a text. */
function idHash(id: string): number {
	return textHash(`\u0000${id}`);
}
