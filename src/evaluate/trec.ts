// TREC's files: runs (`query Q0 document rank score tag`) and judgements (`query iter document grade`), and
// the judgements of BEIR (`query⇥document⇥grade` with or without a header), told apart by their columns.
//
// Fields are separated by white space; blank lines and lines that begin with # are skipped, as trec_eval
// does. The rank of a run is not read: its order is that of the scores.

import {EngineError} from '../errors.js';
import {readLines} from '../files/lines.js';
import {evaluateRankings, type RankingOptions, type RetrievalReport} from './rankings.js';

/** Numbers by query and document, both in the order of the file: scores of a run, grades of judgements. */
export type Table = Map<string, Map<string, number>>;

export interface ReadOptions {
	signal?: AbortSignal | undefined;
}

interface Entry {
	query: string;
	document: string;
	value: number;
}

type Parse = (text: string, where: string) => Entry | undefined;

/** Reads a run. A document that a query lists twice is refused. */
export async function readRun(path: string, options: ReadOptions = {}): Promise<Table> {
	return readTable(path, runEntry, options);
}

/** Reads judgements of either layout. A document judged twice for a query is refused. */
export async function readQrels(path: string, options: ReadOptions = {}): Promise<Table> {
	return readTable(path, qrelsParser(), options);
}

/**
Metrics of a run file against a file of judgements.

@example
const {metrics} = await evaluateRun('bm25.run', 'test.qrels', {k: [10], ties: 'expected'});
*/
export async function evaluateRun(
	run: string,
	qrels: string,
	options: RankingOptions = {},
): Promise<RetrievalReport> {
	const judgements = await readQrels(qrels, options);
	return evaluateRankings(await readRun(run, options), judgements, options);
}

async function readTable(path: string, parse: Parse, options: ReadOptions): Promise<Table> {
	const table: Table = new Map();
	for await (const lines of readLines(path, options)) {
		for (const {number, text} of lines) {
			if (isSkipped(text)) continue;
			const where = `${path}:${number}`;
			const entry = parse(text, where);
			if (entry) addEntry(table, entry, where);
		}
	}

	if (table.size > 0) return table;
	throw new EngineError('FILE_EMPTY', `${path}: expected lines of queries and documents, got none`);
}

// A BEIR line has tabs, so there a query whose id begins with # is not lost.
function isSkipped(text: string): boolean {
	return text.trim() === '' || (text.startsWith('#') && !text.includes('\t'));
}

function addEntry(table: Table, {query, document, value}: Entry, where: string): void {
	let row = table.get(query);
	if (!row) {
		row = new Map();
		table.set(query, row);
	}

	if (row.has(document)) {
		const expected = `expected document "${document}" once for query "${query}"`;
		throw new EngineError('DATA_ROW', `${where}: ${expected}, got it twice`);
	}

	row.set(document, value);
}

// What follows the tag is reserved; trec_eval does not read it either.
function runEntry(text: string, where: string): Entry {
	const fields = text.trim().split(/\s+/);
	if (fields.length < 6) {
		throw badLine(where, '"query Q0 document rank score tag"', `${fields.length} fields`);
	}

	const value = Number(fields[4]);
	if (!Number.isFinite(value)) throw badLine(where, 'a number as score', `"${fields[4]}"`);
	return {query: fields[0]!, document: fields[2]!, value};
}

// The first line decides on the layout of the file.
function qrelsParser(): Parse {
	let columns = 0;
	return (text, where) => {
		const fields = qrelsFields(text, columns);
		if (columns === 0) {
			if (fields.length !== 3 && fields.length !== 4) {
				const expected = '"query iter document grade" or "query document grade"';
				throw badLine(where, expected, `${fields.length} fields`);
			}

			columns = fields.length;
			if (columns === 3 && !/\d/.test(fields[2]!)) return undefined;
		}

		if (fields.length !== columns) {
			throw badLine(where, `${columns} fields as in the lines before`, `${fields.length}`);
		}

		const grade = fields.at(-1)!;
		if (!/^[+-]?\d+(\.0*)?$/.test(grade)) {
			throw badLine(where, 'a whole number as grade', `"${grade}"`);
		}

		return {query: fields[0]!, document: fields.at(-2)!, value: Number(grade)};
	};
}

// Ids of BEIR may hold blanks, so tabs come first; a line of TREC may have both, but not in its grade.
function qrelsFields(text: string, columns: number): string[] {
	const fields = text.split('\t').map(field => field.trim());
	if (fields.length === 4) return fields;
	const isBeir = fields.length === 3 && columns !== 4 && !/\s/.test(fields[2]!);
	return isBeir ? fields : text.trim().split(/\s+/);
}

function badLine(where: string, expected: string, got: string): EngineError {
	return new EngineError('DATA_ROW', `${where}: expected ${expected}, got ${got}`);
}
