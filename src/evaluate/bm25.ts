// BM25: ranking by words alone, the baseline beside every model and a source of hard negatives.
//
//   score(q, d) = sum over the words w of q, repeats included, of
//                 idf(w) · f · (k1 + 1) / (f + k1 · (1 − b + b · |d| / mean |d|)),  f = count of w in d
//   idf(w) = ln(1 + (N − n + 0.5) / (n + 0.5)),  n of N documents have w

import {EngineError} from '../errors.js';
import type {IdentifiedText} from './beir.js';
import {compareIds} from './metrics.js';
import {pausing} from './turns.js';

export interface Bm25Options {
	/** How much repeats of a word in a document count. Default 0.9. */
	k1?: number | undefined;
	/** How much long documents are held back, 0 to 1. Default 0.4. */
	b?: number | undefined;
	signal?: AbortSignal | undefined;
}

export interface Bm25SearchOptions {
	/** The most documents of a query. Default 100. */
	limit?: number | undefined;
	signal?: AbortSignal | undefined;
}

/** A collection ready to be searched. */
export interface Bm25Index {
	documents: number;
	/**
	The documents that share a word with the query, best first; equal scores by id, descending, as in the
	metrics. None when no word is shared.
	*/
	search(query: string, options?: Bm25SearchOptions): Promise<[id: string, score: number][]>;
}

// Where a word occurs: rows of documents, rising, and how often there.
interface Postings {
	rows: number[];
	counts: number[];
}

interface Collection {
	ids: string[];
	lengths: number[];
	words: Map<string, Postings>;
}

// The count of a word at which it gives half of what it can, by the length of the document.
interface Saturation {
	least: number;
	perWord: number;
}

// Rows handled between two pauses: well below a millisecond.
const rowsAtOnce = 2 ** 15;

const wordRun = /[\p{L}\p{N}]+/gu;
const chinese = /\p{Script=Han}/u;

/**
The words of a text in order, with repeats: runs of letters and digits in lower case. A run that holds a
Chinese character has no spaces to go by: its single characters and its pairs of neighbours are words.
*/
export function bm25Words(text: string): string[] {
	const words: string[] = [];
	for (const run of text.toLowerCase().match(wordRun) ?? []) {
		if (chinese.test(run)) addCharacters(words, [...run]);
		else words.push(run);
	}

	return words;
}

/** Reads a collection into an index; the texts are not kept. */
export async function indexBm25(
	documents: Iterable<IdentifiedText> | AsyncIterable<IdentifiedText>,
	{k1 = 0.9, b = 0.4, signal}: Bm25Options = {},
): Promise<Bm25Index> {
	if (!(k1 >= 0)) throw outOfRange(`k1: expected a number from 0, got ${k1}`);
	if (!(b >= 0 && b <= 1)) throw outOfRange(`b: expected a number from 0 to 1, got ${b}`);

	const pause = pausing(signal);
	const collection: Collection = {ids: [], lengths: [], words: new Map()};
	let total = 0;
	for await (const document of documents) {
		await pause();
		total += addDocument(collection, document);
	}

	const {ids} = collection;
	if (ids.length === 0) throw new EngineError('DATA_EMPTY', 'bm25: expected documents, got none');
	const saturation = {least: k1 * (1 - b), perWord: (k1 * b * ids.length) / total};
	return {
		documents: ids.length,
		async search(query, options = {}) {
			return search(collection, query, {k1, saturation, ...options});
		},
	};
}

/**
Ranks documents for queries; a query that shares no word with any document gets no ranking.

@example
const {metrics} = await evaluateRankings(await rankBm25(documents, queries), judgements, {complete: true});
*/
export async function rankBm25(
	documents: Iterable<IdentifiedText> | AsyncIterable<IdentifiedText>,
	queries: Iterable<IdentifiedText>,
	options: Bm25Options & Bm25SearchOptions = {},
): Promise<Map<string, [id: string, score: number][]>> {
	const index = await indexBm25(documents, options);
	const rankings = new Map<string, [string, number][]>();
	for (const {id, text} of queries) {
		const ranking = await index.search(text, options);
		if (ranking.length > 0) rankings.set(id, ranking);
	}

	return rankings;
}

function addCharacters(words: string[], characters: readonly string[]): void {
	characters.forEach((character, place) => {
		words.push(character);
		if (place > 0) words.push(characters[place - 1]! + character);
	});
}

function countWords(words: readonly string[]): Map<string, number> {
	const counts = new Map<string, number>();
	for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
	return counts;
}

// Returns the number of words of the document.
function addDocument({ids, lengths, words}: Collection, {id, text}: IdentifiedText): number {
	const row = ids.length;
	const all = bm25Words(text);
	for (const [word, count] of countWords(all)) {
		const postings = words.get(word);
		if (postings) {
			postings.rows.push(row);
			postings.counts.push(count);
		} else {
			words.set(word, {rows: [row], counts: [count]});
		}
	}

	ids.push(id);
	lengths.push(all.length);
	return all.length;
}

async function search(
	{ids, lengths, words}: Collection,
	query: string,
	{k1, saturation, limit = 100, signal}: Bm25SearchOptions & {k1: number; saturation: Saturation},
): Promise<[string, number][]> {
	if (!(Number.isSafeInteger(limit) && limit > 0)) {
		throw outOfRange(`limit: expected a whole number above 0, got ${limit}`);
	}

	const pause = pausing(signal);
	const scores = new Float64Array(ids.length);
	for (const [word, repeats] of countWords(bm25Words(query))) {
		const {rows, counts} = words.get(word) ?? {rows: [], counts: []};
		const idf = Math.log(1 + (ids.length - rows.length + 0.5) / (rows.length + 0.5));
		const weight = repeats * idf * (k1 + 1);
		for (let place = 0; place < rows.length; place += 1) {
			if (place % rowsAtOnce === 0) await pause();
			const row = rows[place]!;
			const half = saturation.least + saturation.perWord * lengths[row]!;
			scores[row]! += (weight * counts[place]!) / (counts[place]! + half);
		}
	}

	return bestDocuments(scores, ids, {limit, pause});
}

async function bestDocuments(
	scores: Float64Array,
	ids: readonly string[],
	{limit, pause}: {limit: number; pause: () => Promise<void>},
): Promise<[string, number][]> {
	const order = (a: number, b: number) => scores[b]! - scores[a]! || compareIds(ids[b]!, ids[a]!);
	let best: number[] = [];
	let needed = Number.MIN_VALUE;
	for (let row = 0; row < scores.length; row += 1) {
		if (row % rowsAtOnce === 0) await pause();
		if (scores[row]! < needed) continue;
		best.push(row);
		// Sorting now and then keeps the candidates few, and most rows fall below what is needed.
		if (best.length < 2 * limit + 1000) continue;
		best = best.sort(order).slice(0, limit);
		needed = scores[best.at(-1)!]!;
		await pause();
	}

	return best
		.sort(order)
		.slice(0, limit)
		.map(row => [ids[row]!, scores[row]!]);
}

function outOfRange(message: string): EngineError {
	return new EngineError('OPTION_RANGE', message);
}
