// A corpus, queries and judgements, as in folders of BEIR, as training data: each judged query of a
// split with its documents of a grade above 0 as positives and those of 0 as negatives. Joined once,
// on the disk.

import type {FileHandle} from 'node:fs/promises';
import {readdir, stat} from 'node:fs/promises';
import {basename, join} from 'node:path';
import {EngineError} from '../errors.js';
import {locatedLine} from '../files/records.js';
import {appendTo, openNameless} from '../files/scratch.js';
import {type Judged, type Judgement, readJudged} from './judgements.js';
import {hashOf} from './msmarco.js';
import type {Joined, Opening} from './opening.js';
import {openFile} from './source-file.js';
import {readIdentified, type StoreSource, TextStore} from './text-store.js';

const batchLength = 64;

/** Files of a set: those of its documents, of its queries, and judgements to train on. */
export interface RetrievalSet {
	corpus: readonly string[];
	queries: readonly string[];
	qrels: readonly string[];
}

/** The files of a folder of BEIR, if it is one. */
export async function retrievalSet(folder: string): Promise<RetrievalSet | undefined> {
	const names = await readdir(folder);
	const of = (name: string) =>
		names.filter(each => [name, `${name}.gz`].includes(each)).slice(0, 1);
	const [corpus, queries] = [of('corpus.jsonl'), of('queries.jsonl')];
	if (corpus.length === 0 || queries.length === 0) return;
	const inner = names.includes('qrels') ? await namesIn(join(folder, 'qrels')) : [];
	const splits = [...inner.map(name => join('qrels', name)), ...names].filter(isQrels).sort();
	if (splits.length === 0) return;
	const wanted = [join('qrels', 'train.tsv'), 'qrels_train.tsv', 'qrels.tsv'];
	const found = wanted.find(name => splits.includes(name));
	const placed = (list: readonly string[]) => list.map(name => join(folder, name));
	if (found !== undefined) {
		return {corpus: placed(corpus), queries: placed(queries), qrels: placed([found])};
	}

	const expected = `expected judgements to train on, ${wanted.join(' or ')}`;
	throw new EngineError('FILE_NOT_FOUND', `${folder}: ${expected}, got ${splits.join(', ')}`);
}

/** Makes records of a set. */
export async function joinRetrieval(
	{corpus, queries, qrels}: RetrievalSet,
	opening: Opening,
): Promise<Joined> {
	const {signal} = opening;
	const open: StoreSource[] = [];
	try {
		for (const path of [...queries, ...corpus]) {
			const {handle, format} = await openFile({name: path, path}, {...opening, names: undefined});
			open.push({path, handle, format, read: readIdentified});
		}

		const stores = await Promise.all([
			TextStore.open(open.slice(0, queries.length), signal),
			TextStore.open(open.slice(queries.length), signal),
		]);
		const judged = await readJudged(qrels, opening);
		const label = {qrels: qrels.join(', '), corpus: corpus.map(path => basename(path)).join(', ')};
		const file = await write(judged, {stores, label}, opening);
		return {file, sha256: await hashOf([...qrels, ...queries, ...corpus], signal)};
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

type Stores = [queries: TextStore, corpus: TextStore];

async function write(
	judged: ReadonlyMap<string, Judged>,
	{stores, label}: {stores: Stores; label: {qrels: string; corpus: string}},
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
		const {qrels, corpus} = label;
		if (documents > 0) warnings.push(`${qrels}: ${documents} documents left out: not in ${corpus}`);
		if (queries > 0) warnings.push(`${qrels}: ${queries} queries left out: ${isUnusable}`);
		if (queries < all.length) return file;
		const got = `${queries}, each with ${isUnusable}`;
		throw new EngineError('DATA_EMPTY', `${qrels}: expected judged queries, got ${got}`);
	} catch (error) {
		await file.close();
		throw error;
	}
}

/** Queries with their texts and documents; what is left out is counted. */
async function linesOf(
	judged: readonly (readonly [string, Judged])[],
	[queries, corpus]: Stores,
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
