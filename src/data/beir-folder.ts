// A folder in the layout of BEIR as training data: each judged query of a split with its
// documents of a grade above 0 as positives and those of 0 as negatives. Joined once, on the
// disk.

import type {FileHandle} from 'node:fs/promises';
import {readdir, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {EngineError} from '../errors.js';
import {readLines} from '../files/lines.js';
import {openToRead} from '../files/open.js';
import {jsonLinesFormat, locatedLine} from '../files/records.js';
import {appendTo, openNameless} from '../files/scratch.js';
import {giveTurn} from '../pace.js';
import {BadLines} from './bad-lines.js';
import {hashOf} from './msmarco.js';
import type {Joined, Opening} from './opening.js';
import {readIdentified, type StoreSource, TextStore} from './text-store.js';

interface Judgement {
	document: string;
	grade: number;
}

interface Judged {
	where: string;
	documents: Judgement[];
}

const corpusName = 'corpus.jsonl';
const queriesName = 'queries.jsonl';
const batchLength = 64;

/** The judgements to train on, if this is a folder of BEIR. */
export async function trainingQrels(folder: string): Promise<string | undefined> {
	const names = new Set(await readdir(folder));
	if (!names.has(corpusName) || !names.has(queriesName)) return;
	const inner = names.has('qrels') ? await namesIn(join(folder, 'qrels')) : [];
	const splits = [...inner.map(name => join('qrels', name)), ...names].filter(isQrels).sort();
	if (splits.length === 0) return;
	const wanted = [join('qrels', 'train.tsv'), 'qrels_train.tsv', 'qrels.tsv'];
	const found = wanted.find(name => splits.includes(name));
	if (found !== undefined) return join(folder, found);
	const expected = `expected judgements to train on, ${wanted.join(' or ')}`;
	throw new EngineError('FILE_NOT_FOUND', `${folder}: ${expected}, got ${splits.join(', ')}`);
}

/** Makes records of a folder. */
export async function joinBeir(folder: string, qrels: string, opening: Opening): Promise<Joined> {
	const {signal} = opening;
	const paths = [join(folder, queriesName), join(folder, corpusName)];
	const open: StoreSource[] = [];
	try {
		for (const path of paths) {
			const handle = await openToRead(path);
			const format = jsonLinesFormat(handle, path);
			open.push({path, handle, format, read: readIdentified});
		}

		const [queries, corpus] = await Promise.all([
			TextStore.open(open.slice(0, 1), signal),
			TextStore.open(open.slice(1), signal),
		]);
		const judged = await readJudged(qrels, signal);
		const file = await write(judged, {queries, corpus, qrels}, opening);
		return {file, sha256: await hashOf([qrels, ...paths], signal)};
	} finally {
		await Promise.all(open.map(({handle}) => handle.close()));
	}
}

function isQrels(name: string): boolean {
	return /(^|[\\/])qrels(_[\w.-]+)?\.tsv$|^qrels[\\/][\w.-]+\.tsv$/.test(name);
}

async function namesIn(folder: string): Promise<string[]> {
	return (await stat(folder)).isDirectory() ? readdir(folder) : [];
}

/** Judgements by query, queries in the order in which the file first names them. */
async function readJudged(path: string, signal?: AbortSignal): Promise<Map<string, Judged>> {
	const judged = new Map<string, Judged>();
	const bad = new BadLines();
	for await (const lines of readLines(path, {signal})) {
		for (const {text, number} of lines) {
			const pause = giveTurn(signal);
			if (pause !== undefined) await pause;
			if (text.trim() === '' || (number === 1 && isHeader(text))) continue;
			const where = `${path}:${number}`;
			const row = bad.collect(() => rowOf(text, where));
			if (row === undefined) continue;
			const {query, ...judgement} = row;
			if (!judged.has(query)) judged.set(query, {where, documents: []});
			judged.get(query)!.documents.push(judgement);
		}
	}

	bad.throwIfAny();
	return judged;
}

function isHeader(line: string): boolean {
	return !/^-?\d+$/.test(line.split('\t').at(-1)!.trim());
}

/** A judgement `query document grade`, or as TREC has it, `query 0 document grade`. */
function rowOf(line: string, where: string): Judgement & {query: string} {
	const cells = line.trim().split(/\s+/);
	const [query, document] = cells.length === 4 ? [cells[0], cells[2]] : cells;
	const grade = Number(cells.at(-1));
	if (query !== undefined && document !== undefined && [3, 4].includes(cells.length)) {
		if (Number.isInteger(grade)) return {query, document, grade};
	}

	const got = JSON.stringify(line.slice(0, 40));
	const message = `${where}: expected a query, a document and a grade, got ${got}`;
	throw new EngineError('DATA_ROW', message);
}

interface Stores {
	queries: TextStore;
	corpus: TextStore;
}

async function write(
	judged: ReadonlyMap<string, Judged>,
	{qrels, ...stores}: Stores & {qrels: string},
	{warnings, signal}: Opening,
): Promise<FileHandle> {
	const file = await openNameless();
	const left = {queries: 0, documents: 0};
	try {
		const all = [...judged];
		for (let at = 0; at < all.length; at += batchLength) {
			signal?.throwIfAborted();
			const lines = await linesOf(all.slice(at, at + batchLength), stores, left);
			await appendTo(file, lines.join(''));
		}

		const {documents, queries} = left;
		const isUnusable = 'no text, or no document above grade 0';
		if (documents > 0)
			warnings.push(`${qrels}: ${documents} documents left out: not in ${corpusName}`);
		if (queries > 0) warnings.push(`${qrels}: ${queries} queries left out: ${isUnusable}`);
		return file;
	} catch (error) {
		await file.close();
		throw error;
	}
}

/** Queries with their texts and documents; what is left out is counted. */
async function linesOf(
	judged: readonly (readonly [string, Judged])[],
	{queries, corpus}: Stores,
	left: {queries: number; documents: number},
): Promise<string[]> {
	const texts = await queries.read(judged.map(([query]) => query));
	const lines = judged.map(async ([query_id, {where, documents}], n) => {
		const found = await corpus.read(documents.map(({document}) => document));
		const known = documents.flatMap((judgement, place) => {
			const text = found[place];
			return text === undefined ? [] : [{...judgement, text}];
		});
		left.documents += documents.length - known.length;
		const query = texts[n]?.text;
		const isUsable = query !== undefined && known.some(({grade}) => grade > 0);
		if (!isUsable) left.queries++;
		return isUsable ? locatedLine(where, recordOf({query_id, query}, known)) : '';
	});
	return Promise.all(lines);
}

function recordOf(
	query: object,
	known: readonly (Judgement & {text: {title?: string; text: string}})[],
): string {
	const positives = known.filter(({grade}) => grade > 0);
	const negatives = known.filter(({grade}) => grade <= 0);
	return JSON.stringify({
		...query,
		positives: positives.map(({text: {title, text}}) => ({title, text})),
		negatives: negatives.map(({text: {title, text}}) => ({title, text})),
		positive_ids: positives.map(({document}) => document),
		negative_ids: negatives.map(({document}) => document),
		positive_scores: positives.map(({grade}) => grade),
		negative_scores: negatives.map(({grade}) => grade),
	});
}
