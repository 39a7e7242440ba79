// From what a user names as data to open files: paths, `name=path`, folders, arrays, iterables.

import type {FileHandle} from 'node:fs/promises';
import {readdir, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {EngineError, kindOf} from '../errors.js';
import {readFailure} from '../files/failures.js';
import {openToRead} from '../files/open.js';
import {jsonLinesFormat, type RecordFormat, recognise} from '../files/records.js';
import type {Names} from './fields.js';
import {looksLikeRecord} from './record.js';
import {type RecordLike, spool} from './spool.js';

/** A path, `name=path`, a folder of data files, or records in memory or from a stream. */
export type DataSource = string | Iterable<RecordLike> | AsyncIterable<RecordLike>;

/** A data file, open, and how to read it. */
export interface SourceFile {
	/** How the user calls it, and its path (the name again for records without a file). */
	name: string;
	path: string;
	handle: FileHandle;
	format: RecordFormat;
	/** Its state when it was opened; a file that changes afterwards is refused. */
	bytes: number;
	changed: number;
}

export interface OpenSources {
	files: SourceFile[];
	warnings: string[];
}

/** Sources as they are being opened. */
interface Opening extends OpenSources {
	names: Names | undefined;
	signal: AbortSignal | undefined;
}

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
	{names, signal}: {names?: Names | undefined; signal?: AbortSignal | undefined} = {},
): Promise<OpenSources> {
	const open: Opening = {files: [], warnings: [], names, signal};
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
	open: Opening,
): Promise<void> {
	const handle = await spool(records, name, open.signal);
	const file = await sourceFile({name, path: name}, handle, jsonLinesFormat(handle, name));
	open.files.push(file);
	if (file.bytes > 0) return;
	throw new EngineError('DATA_EMPTY', `${name}: expected at least one record, got none`);
}

async function openPath(source: string, open: Opening): Promise<void> {
	const {name, path} = await splitName(source);
	const info = await stat(path).catch((error: unknown) => {
		throw readFailure(path, error);
	});
	if (info.isDirectory()) {
		await openFolder(name, path, open);
		return;
	}

	if (!info.isFile()) {
		const hint = 'write it to a file first';
		const expected = 'expected a file that can be read more than once';
		throw new EngineError('FILE_UNREADABLE', `${path}: ${expected}, got a pipe or device; ${hint}`);
	}

	const handle = await openToRead(path);
	await keepOpen(handle, async () => {
		const format = await recognise(handle, path);
		open.files.push(await sourceFile({name, path}, handle, format));
	});
}

/** `name=path`, unless a file is really called so. */
async function splitName(source: string): Promise<{name: string; path: string}> {
	const [, name, path] = /^([\w.-]+)=(.+)$/.exec(source) ?? [];
	if (name === undefined || path === undefined) return {name: source, path: source};
	const isPath = await stat(source).then(
		() => true,
		() => false,
	);
	return isPath ? {name: source, path: source} : {name, path};
}

/**
The data files of a folder by name; what holds no records is named in a warning, hidden files are
not looked at.
*/
async function openFolder(name: string, folder: string, open: Opening): Promise<void> {
	const before = open.files.length;
	const entries = (await readdir(folder)).filter(entry => !entry.startsWith('.')).sort();
	for (const entry of entries) {
		const path = join(folder, entry);
		const isKept = (await stat(path)).isFile() && (await openIfData(name, path, open));
		if (!isKept) open.warnings.push(`${path}: left out, it is no file of records`);
	}

	if (open.files.length > before) return;
	const got = entries.length === 0 ? 'none' : `only ${entries.slice(0, 5).join(', ')}`;
	throw new EngineError('DATA_EMPTY', `${folder}: expected files of records, got ${got}`);
}

async function openIfData(name: string, path: string, open: Opening): Promise<boolean> {
	const handle = await openToRead(path);
	return keepOpen(handle, async () => {
		const format = await recognise(handle, path).catch(refusalOf);
		const isData = format !== undefined && (await beginsWithRecord(format, open.names));
		if (isData) open.files.push(await sourceFile({name, path}, handle, format));
		else await handle.close();
		return isData;
	});
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
	names: Names | undefined,
): Promise<boolean> {
	for await (const [first] of slices()) {
		if (first === undefined) continue;
		try {
			return looksLikeRecord(parse(first.text, first.where), names);
		} catch {
			return first.text.trim() !== '{';
		}
	}

	return false;
}

/** Closes a handle when the work that was to keep it fails. */
async function keepOpen<T>(handle: FileHandle, work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (error) {
		await handle.close();
		throw error;
	}
}

async function sourceFile(
	labels: {name: string; path: string},
	handle: FileHandle,
	format: RecordFormat,
): Promise<SourceFile> {
	const {size, mtimeMs} = await handle.stat();
	return {...labels, handle, format, bytes: size, changed: mtimeMs};
}
