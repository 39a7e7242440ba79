// From what a user names as data to open files: paths, `name=path`, folders, arrays, iterables.

import {Stats} from 'node:fs';
import {readdir, stat} from 'node:fs/promises';
import {extname, isAbsolute, join} from 'node:path';
import {glob, isDynamicPattern} from 'tinyglobby';
import {EngineError, kindOf} from '../errors.js';
import {readFailure} from '../files/failures.js';
import {jsonLinesFormat, type RecordFormat} from '../files/records.js';
import {isDataSetId, parseDataSetId} from '../hub/id.js';
import {readHubSettings} from '../hub/settings.js';
import {joinRetrieval, type RetrievalSet, retrievalSet} from './beir-folder.js';
import {type DistillSettings, readDistillSettings} from './distill-settings.js';
import type {Opening} from './opening.js';
import {looksLikeRecord} from './record.js';
import {joinedSource, keepOpen, openFile, type SourceFile, sourceFile} from './source-file.js';
import {type RecordLike, spool} from './spool.js';

/**
A path, `name=path`, a folder of data files, a data set of the hub, or records in memory or from a
stream.
*/
export type DataSource = string | Iterable<RecordLike> | AsyncIterable<RecordLike>;

export interface OpenSources {
	files: SourceFile[];
	warnings: string[];
}

/** Sources as they are being opened. */
type Openings = OpenSources & Opening;

/** The sources in what a user gives as `data`: one source, or a list of paths. */
export function sourcesOf(data: unknown): DataSource[] {
	if (typeof data === 'string') return [data];
	if (Array.isArray(data) && data.length > 0 && data.every(item => typeof item === 'string')) {
		return data;
	}

	if (typeof data === 'object' && data !== null) {
		if (Symbol.iterator in data || Symbol.asyncIterator in data) return [data as DataSource];
	}

	const expected = 'expected a path, a list of paths, or records';
	throw new EngineError('OPTION_TYPE', `data: ${expected}, got ${kindOf(data)}`);
}

/** Opens every file of every source. The caller closes them; after a failure none is open. */
export async function openSources(
	sources: readonly DataSource[],
	given: Partial<Omit<Opening, 'warnings'>> = {},
): Promise<OpenSources> {
	const open: Openings = {files: [], warnings: [], ...given};
	const {signal} = given;
	try {
		let spooled = 0;
		for (const source of sources) {
			signal?.throwIfAborted();
			if (typeof source === 'string') await openPath(source, open);
			else await openRecords(source, spooled++ === 0 ? 'records' : `records-${spooled}`, open);
		}

		return {files: open.files, warnings: open.warnings};
	} catch (error) {
		await closeAll(open.files);
		throw error;
	}
}

export async function closeAll(files: readonly SourceFile[]): Promise<void> {
	await Promise.all(files.map(({handle}) => handle.close()));
}

/** Throws when a file is not as it was when it was opened. */
export async function refuseChanged({handle, path, bytes, changed}: SourceFile): Promise<void> {
	const now = await handle.stat();
	if (now.size === bytes && now.mtimeMs === changed) return;
	const expected = 'expected the file as it was when the run began';
	throw new EngineError('FILE_UNREADABLE', `${path}: ${expected}, got a changed one`);
}

async function openRecords(
	records: Exclude<DataSource, string>,
	name: string,
	open: Openings,
): Promise<void> {
	const handle = await spool(records, name, open.signal);
	const file = await sourceFile(
		{name: open.name ?? name, path: name},
		handle,
		jsonLinesFormat(handle, name),
	);
	open.files.push({...file, isSpooled: true});
	if (file.bytes > 0) return;
	throw new EngineError('DATA_EMPTY', `${name}: expected at least one record, got none`);
}

async function openPath(source: string, open: Openings): Promise<void> {
	const {name, path} = await splitName(source, open.name);
	if (isDataSetId(path)) return openDownloaded(name, path, open);
	const info = await stat(path).catch((error: unknown) => readFailure(path, error));
	if (!(info instanceof Stats)) return openPattern(name, path, {open, failure: info});
	if (info.isDirectory()) return openFolder(name, path, open);
	if (!info.isFile()) {
		const hint = 'write it to a file first';
		const expected = 'expected a file that can be read more than once';
		throw new EngineError('FILE_UNREADABLE', `${path}: ${expected}, got a pipe or device; ${hint}`);
	}

	const settings = await readDistillSettings(path);
	if (settings === undefined) open.files.push(await openFile({name, path}, open));
	else await openDistilled(name, settings, {path, open});
}

/** The files of a data set of the hub. Only who needs the network loads its code. */
async function openDownloaded(name: string, source: string, open: Openings): Promise<void> {
	const wanted = parseDataSetId(source);
	const settings = await readHubSettings(open.hub ?? {});
	const {openDataSet} = await import('../hub/data-set.js');
	const found = await openDataSet(wanted, settings, {signal: open.signal});
	const {paths, warnings, retrieval} = found;
	open.warnings.push(...warnings.map(text => `${source}: ${text}`));
	if (retrieval !== undefined) return openRetrieval({name, path: source}, retrieval, open);
	for (const path of paths) {
		open.files.push({...(await openFile({name, path}, open)), isDownloaded: true});
	}
}

/** The records that settings name, and the vectors that go with them. */
async function openDistilled(
	name: string,
	{data, teacher, unused}: DistillSettings,
	{path, open}: {path: string; open: Openings},
): Promise<void> {
	if (unused.length > 0) {
		open.warnings.push(`${path}: settings not used, give them as options: ${unused.join(', ')}`);
	}

	const source = await openFile({name, path: data}, open);
	open.files.push({...source, ...(teacher && {teacher})});
}

/** The files that a pattern fits, by name; `failure` is thrown for a path that is no pattern. */
async function openPattern(
	name: string,
	pattern: string,
	{open, failure}: {open: Openings; failure: unknown},
): Promise<void> {
	if (!isDynamicPattern(pattern)) throw isHubName(pattern) ? hubRefusal(pattern) : failure;
	const options = {absolute: isAbsolute(pattern), expandDirectories: false, onlyFiles: true};
	const paths = (await glob(pattern, options)).sort();
	const before = open.files.length;
	for (const path of paths) {
		if (!(await openIfData(name, path, open))) open.warnings.push(leftOut(path));
	}

	if (open.files.length > before) return;
	const got = paths.length === 0 ? 'none' : `only ${paths.slice(0, 5).join(', ')}`;
	throw new EngineError('DATA_EMPTY', `${pattern}: expected files of records, got ${got}`);
}

/** Whether something that is no path is called as data sets of the hub are. */
function isHubName(path: string): boolean {
	return /^[\w-][\w.-]*\/[\w.-]+(\/[\w.-]+)?$/.test(path) && extname(path) === '';
}

function hubRefusal(path: string): EngineError {
	const hint = `a data set of the hub is given as hf://datasets/${path}`;
	const message = `${path}: expected a file or folder, got nothing there; ${hint}`;
	return new EngineError('FILE_NOT_FOUND', message);
}

function leftOut(path: string): string {
	return `${path}: left out, it is no file of records`;
}

/** `name=path`, unless a file is really called so. */
async function splitName(source: string, unnamed = source): Promise<{name: string; path: string}> {
	const [, name, path] = /^([\w.-]+)=(.+)$/.exec(source) ?? [];
	if (name === undefined || path === undefined) return {name: unnamed, path: source};
	const isPath = await stat(source).then(
		() => true,
		() => false,
	);
	return isPath ? {name: unnamed, path: source} : {name, path};
}

/**
The data files of a folder by name; what holds no records is named in a warning, hidden files are
not looked at.
*/
async function openFolder(name: string, folder: string, open: Openings): Promise<void> {
	const retrieval = await retrievalSet(folder);
	if (retrieval !== undefined) return openRetrieval({name, path: folder}, retrieval, open);
	const before = open.files.length;
	const entries = (await readdir(folder)).filter(entry => !entry.startsWith('.')).sort();
	for (const entry of entries) {
		const path = join(folder, entry);
		const isKept = (await stat(path)).isFile() && (await openIfData(name, path, open));
		if (!isKept) open.warnings.push(leftOut(path));
	}

	if (open.files.length > before) return;
	const got = entries.length === 0 ? 'none' : `only ${entries.slice(0, 5).join(', ')}`;
	throw new EngineError('DATA_EMPTY', `${folder}: expected files of records, got ${got}`);
}

async function openRetrieval(
	labels: {name: string; path: string},
	set: RetrievalSet,
	open: Openings,
): Promise<void> {
	const {qrels} = set;
	const judgements = qrels.map(path => path.replace(/^.*\/snapshots\/[^/]+\//, '')).join(', ');
	open.warnings.push(`${labels.path}: a retrieval set, trained on the judgements of ${judgements}`);
	let bytes = 0;
	for (const path of qrels) bytes += (await stat(path)).size;
	open.files.push(await joinedSource(labels, bytes, await joinRetrieval(set, open), open));
}

async function openIfData(name: string, path: string, open: Openings): Promise<boolean> {
	const before = open.warnings.length;
	// What lies in a folder beside data, as a README does, is not taken for texts.
	const source = await openFile({name, path}, {...open, kind: undefined}).catch(refusalOf);
	if (source === undefined) return false;
	const isData = await keepOpen(source.handle, () => beginsWithRecord(source.format, open));
	if (isData) open.files.push(source);
	else await source.handle.close();
	if (!isData) open.warnings.length = before;
	return isData;
}

/** Nothing in place of a format for a file of none; other failures stay failures. */
function refusalOf(error: unknown): undefined {
	const isForeign = error instanceof EngineError && /^FILE_(FORMAT|EMPTY)$/.test(error.code);
	if (!isForeign) throw error;
}

/**
A first row that cannot be read counts as a record gone wrong, but for the `{` of an indented
document.
*/
async function beginsWithRecord(
	{slices, parse}: RecordFormat,
	{names, kind}: Pick<Opening, 'names' | 'kind'>,
): Promise<boolean> {
	for await (const [first] of slices()) {
		if (first === undefined) continue;
		try {
			return looksLikeRecord(parse(first.text, first.where), names, kind);
		} catch {
			return first.text.trim() !== '{';
		}
	}

	return false;
}
