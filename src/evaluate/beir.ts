// Retrieval sets in the layout of BEIR: corpus.jsonl, queries.jsonl and judgements of a split.
//
// The whole folder is read and checked first, so a bad line is named before anything is computed. Ids are
// kept, texts of documents are not: they are read from the disk again, so a corpus may exceed memory.

import {access, readdir} from 'node:fs/promises';
import {join} from 'node:path';
import {EngineError, kindOf} from '../errors.js';
import {badField, type JsonRow, readJsonRows, stringField} from './json-rows.js';
import {readQrels, type Table} from './trec.js';

/** A text with its id. */
export interface IdentifiedText {
	id: string;
	text: string;
}

export interface RetrievalSet {
	/** The folder as given. */
	name: string;
	split: string;
	/** Title, one space, text, trimmed; in the order of the file, read anew by every loop over it. */
	documents: AsyncIterable<IdentifiedText>;
	documentIds: string[];
	/** The judged queries, in the order of the file. */
	queries: IdentifiedText[];
	/** Grades by query and document; a judged document may be missing from the corpus. */
	judgements: Table;
	/** Answers of queries, which documents may hold. */
	answers?: ReadonlyMap<string, readonly string[]>;
	/** Queries without judgements; left out. */
	queriesWithoutJudgements: number;
	/** Queries that are judged and not there; left out. */
	unknownQueries: number;
	/** Judgements of documents that are not there; kept, for they were to be found. */
	unknownDocuments: number;
}

export interface RetrievalSetOptions {
	/** Default `test`. */
	split?: string | undefined;
	signal?: AbortSignal | undefined;
}

/**
Reads and checks a folder.

@example
const {documents, queries, judgements} = await readRetrievalSet('scifact', {split: 'test'});
*/
export async function readRetrievalSet(
	folder: string,
	{split = 'test', signal}: RetrievalSetOptions = {},
): Promise<RetrievalSet> {
	const judgements = await readQrels(await findQrels(folder, split), {signal});
	const allQueries = await readQueries(join(folder, 'queries.jsonl'), signal);
	const queries = allQueries.filter(({id}) => judgements.has(id));
	const unknownQueries = keepKnown(judgements, queries);
	if (queries.length === 0) {
		const message = `${folder}: expected a query with judgements, got none; compare the ids`;
		throw new EngineError('DATA_EMPTY', message);
	}

	const corpus = join(folder, 'corpus.jsonl');
	const documentIds = await readDocumentIds(corpus, signal);
	return {
		name: folder,
		split,
		documents: {[Symbol.asyncIterator]: () => readAgain(corpus, documentIds, signal)},
		documentIds,
		queries,
		judgements,
		queriesWithoutJudgements: allQueries.length - queries.length,
		unknownQueries,
		unknownDocuments: countUnknown(judgements, documentIds),
	};
}

async function findQrels(folder: string, split: string): Promise<string> {
	if (!/^[\w.-]+$/.test(split)) {
		throw new EngineError('OPTION_RANGE', `split: expected a plain name, got "${split}"`);
	}

	const names = [join('qrels', `${split}.tsv`), `qrels_${split}.tsv`];
	if (split === 'test') names.push('qrels.tsv');
	for (const name of names) {
		if (await isThere(join(folder, name))) return join(folder, name);
	}

	const splits = await splitsOf(folder);
	const found = splits.length > 0 ? `the splits ${splits.join(', ')}` : 'no judgements';
	const message = `${folder}: expected ${names.join(' or ')}, got ${found}`;
	throw new EngineError('FILE_NOT_FOUND', message);
}

async function isThere(path: string): Promise<boolean> {
	return access(path).then(
		() => true,
		() => false,
	);
}

async function splitsOf(folder: string): Promise<string[]> {
	const inner = await readdir(join(folder, 'qrels')).catch(() => []);
	const outer = await readdir(folder).catch(() => []);
	const paths = [...inner.map(name => `qrels_${name}`), ...outer];
	const splits = paths
		.map(path => /^qrels(?:_(.+))?\.tsv$/.exec(path))
		.filter(match => match !== null);
	return [...new Set(splits.map(match => match[1] ?? 'test'))].sort();
}

async function readQueries(
	path: string,
	signal: AbortSignal | undefined,
): Promise<IdentifiedText[]> {
	const queries: IdentifiedText[] = [];
	const seen = new Set<string>();
	for await (const rows of readJsonRows(path, {signal})) {
		for (const row of rows) queries.push({id: newId(row, seen), text: stringField(row, 'text')});
	}

	if (queries.length > 0) return queries;
	throw new EngineError('FILE_EMPTY', `${path}: expected queries, got none`);
}

async function readDocumentIds(path: string, signal: AbortSignal | undefined): Promise<string[]> {
	const seen = new Set<string>();
	for await (const rows of readJsonRows(path, {signal})) {
		for (const row of rows) {
			newId(row, seen);
			documentText(row);
		}
	}

	if (seen.size > 0) return [...seen];
	throw new EngineError('FILE_EMPTY', `${path}: expected documents, got none`);
}

async function* readAgain(
	path: string,
	ids: readonly string[],
	signal: AbortSignal | undefined,
): AsyncGenerator<IdentifiedText, void, undefined> {
	let next = 0;
	for await (const rows of readJsonRows(path, {signal})) {
		for (const row of rows) {
			const id = idOf(row);
			if (id !== ids[next]) throw changedFile(row.where);
			next += 1;
			yield {id, text: documentText(row)};
		}
	}

	if (next < ids.length) throw changedFile(path);
}

function changedFile(where: string): EngineError {
	const expected = 'expected the documents that were there at first';
	return new EngineError('FILE_FORMAT', `${where}: ${expected}, got others; leave the file alone`);
}

function newId(row: JsonRow, seen: Set<string>): string {
	const id = idOf(row);
	if (seen.has(id)) {
		const message = `${row.where}: expected distinct ids, got "${id}" again`;
		throw new EngineError('DATA_ROW', message);
	}

	seen.add(id);
	return id;
}

// Ids are strings; a number is one if it is whole and was not rounded when it was parsed.
function idOf({where, fields}: JsonRow): string {
	const id = fields._id;
	if (typeof id === 'string' && id !== '') return id;
	if (typeof id === 'number' && Number.isSafeInteger(id)) return String(id);
	const got = typeof id === 'string' || typeof id === 'number' ? JSON.stringify(id) : kindOf(id);
	throw badField(where, '_id', 'a string or a whole number', got);
}

function documentText(row: JsonRow): string {
	const {where, fields} = row;
	const title = fields.title ?? '';
	if (typeof title !== 'string') throw badField(where, 'title', 'a string', kindOf(title));
	return `${title} ${stringField(row, 'text')}`.trim();
}

// Removes the judgements of queries that are not there and returns how many queries these are.
function keepKnown(judgements: Table, queries: readonly IdentifiedText[]): number {
	const known = new Set(queries.map(({id}) => id));
	const unknown = [...judgements.keys()].filter(query => !known.has(query));
	for (const query of unknown) judgements.delete(query);
	return unknown.length;
}

function countUnknown(judgements: Table, documentIds: readonly string[]): number {
	const known = new Set(documentIds);
	let unknown = 0;
	for (const grades of judgements.values()) {
		for (const document of grades.keys()) unknown += known.has(document) ? 0 : 1;
	}

	return unknown;
}
