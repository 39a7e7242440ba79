// MS MARCO's triples by ids: each line is the id of a query and of its passages, whose texts
// stand in `queries*.tsv` and `collection.tsv` beside it. Joined once, on the disk.

import {createHash} from 'node:crypto';
import type {FileHandle} from 'node:fs/promises';
import {readdir} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {EngineError} from '../errors.js';
import {isGzip, unpackGzip} from '../files/gzip.js';
import {sha256File} from '../files/hash.js';
import {openToRead} from '../files/open.js';
import {locatedLine, type RecordFormat} from '../files/records.js';
import {appendTo, openNameless} from '../files/scratch.js';
import {BadLines} from './bad-lines.js';
import type {Joined, Opening} from './opening.js';
import {tabbedFormat} from './tabbed.js';
import {readTabbed, type StoredText, type StoreSource, TextStore} from './text-store.js';

/** Makes records of triples. An id that stands for no text is a bad line. */
export async function joinTriples(
	path: string,
	format: RecordFormat,
	opening: Opening,
): Promise<Joined> {
	const folder = dirname(path);
	const names = await readdir(folder);
	const queries = names.filter(name => /^queries.*\.tsv(\.gz)?$/.test(name)).sort();
	const passages = names.filter(name => /^collection\.tsv(\.gz)?$/.test(name)).sort();
	if (queries.length === 0 || passages.length === 0) {
		const missing = passages.length === 0 ? 'collection.tsv' : 'queries.tsv';
		const message = `${path}: expected ${missing} beside a table of ids, got none in ${folder}`;
		throw new EngineError('FILE_NOT_FOUND', message);
	}

	const open: StoreSource[] = [];
	try {
		const paths = [...queries, ...passages].map(name => join(folder, name));
		for (const each of paths) open.push(await openTexts(each, opening.signal));
		const stores = await Promise.all([
			TextStore.open(open.slice(0, queries.length), opening.signal),
			TextStore.open(open.slice(queries.length), opening.signal),
		]);
		const file = await write(format, stores, opening);
		return {file, sha256: await hashOf([path, ...paths], opening.signal)};
	} finally {
		await Promise.all(open.map(({handle}) => handle.close()));
	}
}

/** One checksum of several files. */
export async function hashOf(paths: readonly string[], signal?: AbortSignal): Promise<string> {
	const hash = createHash('sha256');
	for (const path of paths) hash.update(await sha256File(path, signal));
	return hash.digest('hex');
}

async function openTexts(path: string, signal?: AbortSignal): Promise<StoreSource> {
	const packed = await openToRead(path);
	if (!(await isGzip(packed))) {
		return {path, handle: packed, format: tabbedFormat(packed, path, 2), read: readTabbed};
	}

	try {
		const {file} = await unpackGzip(packed, path, signal);
		return {path, handle: file, format: tabbedFormat(file, path, 2), read: readTabbed};
	} finally {
		await packed.close();
	}
}

async function write(
	format: RecordFormat,
	stores: readonly [TextStore, TextStore],
	{signal}: Opening,
): Promise<FileHandle> {
	const file = await openNameless();
	const bad = new BadLines();
	try {
		for await (const slices of format.slices({signal})) {
			const rows = slices.flatMap(({text, where}) => {
				const ids = bad.collect(() => format.parse(text, where) as string[]);
				return ids === undefined ? [] : [{where, ids}];
			});
			await appendTo(file, (await linesOf(rows, stores, bad)).join(''));
		}

		bad.throwIfAny();
		return file;
	} catch (error) {
		await file.close();
		throw error;
	}
}

/** Rows with their texts; each text is read once. */
async function linesOf(
	rows: readonly {where: string; ids: string[]}[],
	[queries, passages]: readonly [TextStore, TextStore],
	bad: BadLines,
): Promise<string[]> {
	const query = await textsOf(
		queries,
		rows.map(({ids}) => ids[0]!),
	);
	const passage = await textsOf(
		passages,
		rows.flatMap(({ids}) => ids.slice(1)),
	);
	return rows.map(({where, ids}) => {
		const texts = ids.map((id, n) => (n === 0 ? query : passage).get(id));
		const missing = texts.indexOf(undefined);
		if (missing < 0) return locatedLine(where, JSON.stringify(recordOf(ids, texts)));
		const kind = missing === 0 ? 'a query' : 'a passage';
		bad.push(`${where}: expected the id of ${kind}, got ${ids[missing]}, which has no text`);
		return '';
	});
}

async function textsOf(
	store: TextStore,
	ids: readonly string[],
): Promise<Map<string, StoredText | undefined>> {
	const distinct = [...new Set(ids)];
	const texts = await store.read(distinct);
	return new Map(distinct.map((id, n) => [id, texts[n]]));
}

function recordOf(ids: readonly string[], texts: readonly (StoredText | undefined)[]): object {
	const [query, positive, ...negatives] = texts.map(each => each!.text);
	const [query_id, positive_id, ...negative_ids] = ids;
	return {query, positive, negatives, query_id, positive_id, negative_ids};
}
