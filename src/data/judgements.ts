// Judgements of a retrieval set: which documents are relevant to a query and how much, from TSV (of
// BEIR or TREC), JSON lines or Parquet, packed by gzip or not.

import {EngineError, kindOf} from '../errors.js';
import {isGzip} from '../files/gzip.js';
import {readLines} from '../files/lines.js';
import {isParquet} from '../files/parquet.js';
import {readHead} from '../files/pieces.js';
import {giveTurn} from '../pace.js';
import {BadLines} from './bad-lines.js';
import type {Opening} from './opening.js';
import {openFile} from './source-file.js';

export interface Judgement {
	document: string;
	grade: number;
}

/** The documents of a query, and where it is first named. */
export interface Judged {
	where: string;
	documents: Judgement[];
}

type Row = Judgement & {query: string};

/** Judgements by query, queries in the order in which the files first name them. */
export async function readJudged(
	paths: readonly string[],
	opening: Opening,
): Promise<Map<string, Judged>> {
	const judged = new Map<string, Judged>();
	const bad = new BadLines();
	for (const path of paths) {
		for await (const {read, where} of rowsOf(path, opening)) {
			const pause = giveTurn(opening.signal);
			if (pause !== undefined) await pause;
			const row = bad.collect(read);
			if (row === undefined) continue;
			const {query, ...judgement} = row;
			if (!judged.has(query)) judged.set(query, {where, documents: []});
			judged.get(query)!.documents.push(judgement);
		}
	}

	bad.throwIfAny();
	return judged;
}

type Rows = AsyncGenerator<{read: () => Row; where: string}, void, undefined>;

async function* rowsOf(path: string, opening: Opening): Rows {
	const isPlain = !(await isParquet(path)) && !(await isGzip(path));
	const head = (await readHead(path, 64)).toString('utf8');
	if (isPlain && !/^\uFEFF?\s*[[{]/.test(head)) yield* linesOf(path, opening);
	else yield* valuesOf(path, opening);
}

async function* linesOf(path: string, {signal}: Opening): Rows {
	for await (const lines of readLines(path, {signal})) {
		for (const {text, number} of lines) {
			if (text.trim() === '' || (number === 1 && isHeader(text))) continue;
			const where = `${path}:${number}`;
			yield {read: () => rowOf(text, where), where};
		}
	}
}

function isHeader(line: string): boolean {
	return !/^-?\d+$/.test(line.split('\t').at(-1)!.trim());
}

/** A judgement `query document grade`, or as TREC has it, `query 0 document grade`. */
function rowOf(line: string, where: string): Row {
	const cells = line.trim().split(/\s+/);
	const [query, document] = cells.length === 4 ? [cells[0], cells[2]] : cells;
	const grade = Number(cells.at(-1));
	if (query !== undefined && document !== undefined && [3, 4].includes(cells.length)) {
		if (Number.isInteger(grade)) return {query, document, grade};
	}

	const got = JSON.stringify(line.slice(0, 40));
	return refuse(where, 'a query, a document and a grade', got);
}

async function* valuesOf(path: string, opening: Opening): Rows {
	const {handle, format} = await openFile({name: path, path}, {...opening, names: undefined});
	try {
		for await (const slices of format.slices({signal: opening.signal})) {
			for (const {text, where} of slices) {
				yield {read: () => judgementOf(format.parse(text, where), where), where};
			}
		}
	} finally {
		await handle.close();
	}
}

/** `{query-id, corpus-id, score}`, as data sets of the hub have it. */
function judgementOf(value: unknown, where: string): Row {
	const row = (value ?? {}) as Record<string, unknown>;
	const query = idOf(row, 'query-id', where);
	const document = idOf(row, 'corpus-id', where);
	const grade = Number(row['score'] ?? Number.NaN);
	if (Number.isInteger(grade)) return {query, document, grade};
	return refuse(where, '"score" to be a whole number', JSON.stringify(row['score'] ?? null));
}

function idOf(row: Record<string, unknown>, name: string, where: string): string {
	const id = row[name] ?? row[name.replace('-', '_')];
	if (typeof id === 'string' || Number.isSafeInteger(id)) return String(id);
	return refuse(where, `"${name}" to be a string or a whole number`, kindOf(id));
}

function refuse(where: string, expected: string, got: string): never {
	throw new EngineError('DATA_ROW', `${where}: expected ${expected}, got ${got}`);
}
