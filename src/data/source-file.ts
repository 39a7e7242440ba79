// One data file, open, whatever it is packed in: read where it stands if it can be, otherwise
// from a file without a name that is made of it.

import type {FileHandle} from 'node:fs/promises';
import {EngineError} from '../errors.js';
import {isGzip, unpackGzip} from '../files/gzip.js';
import {sha256File} from '../files/hash.js';
import {openToRead} from '../files/open.js';
import {isParquet, readParquet} from '../files/parquet.js';
import {readHead} from '../files/pieces.js';
import {
	delimited,
	locatedFormat,
	locatedLine,
	type RecordFormat,
	recognise,
	textFormat,
} from '../files/records.js';
import {appendTo, openNameless} from '../files/scratch.js';
import {sniff} from '../files/sniff.js';
import type {VectorsFile} from './distill-settings.js';
import {joinTriples} from './msmarco.js';
import {type Joined, type Opening, sayCopied} from './opening.js';
import {hasHeader, recogniseTabbed, tabbedFormat} from './tabbed.js';

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
	/** Whether it holds records from memory or a stream, and no other run will see it. */
	isSpooled?: boolean;
	/** Whether it lies in the cache of the hub, beside whose files nothing is put. */
	isDownloaded?: boolean;
	/** A teacher's vectors, one for each record. */
	teacher?: VectorsFile;
	/** The file that the user gave, where another was made of it. */
	origin?: Origin;
}

export interface Origin {
	bytes: number;
	sha256: string;
}

type Labels = Pick<SourceFile, 'name' | 'path'>;

/** Opens a file of records; what is none is refused. */
export async function openFile(labels: Labels, opening: Opening): Promise<SourceFile> {
	const handle = await openToRead(labels.path);
	const source = await keepOpen(handle, () => sourceOf(labels, handle, opening));
	if (source.handle !== handle) await handle.close();
	return source;
}

/** Closes a handle when the work that was to keep it fails. */
export async function keepOpen<T>(handle: FileHandle, work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (error) {
		await handle.close();
		throw error;
	}
}

export async function sourceFile(
	labels: Labels,
	handle: FileHandle,
	format: RecordFormat,
): Promise<SourceFile> {
	const {size, mtimeMs} = await handle.stat();
	return {...labels, handle, format, bytes: size, changed: mtimeMs};
}

async function sourceOf(labels: Labels, handle: FileHandle, opening: Opening): Promise<SourceFile> {
	const {path} = labels;
	const {size} = await handle.stat();
	if (await isParquet(handle)) return unpackParquet(labels, size, opening);
	if (!(await isGzip(handle))) {
		await refusePacked(handle, path);
		return plainSource(labels, handle, opening);
	}

	const {file, sha256} = await unpackGzip(handle, path, opening.signal);
	return keepOpen(file, async () => {
		await refuseNested(file, path);
		await sayCopied(opening, path, file);
		const plain = await plainSource(labels, file, opening);
		if (plain.handle !== file) await file.close();
		return {...plain, origin: {bytes: size, sha256}};
	});
}

async function plainSource(
	labels: Labels,
	handle: FileHandle,
	opening: Opening,
): Promise<SourceFile> {
	const {path} = labels;
	const tabbed = await recogniseTabbed(handle, opening.names);
	if (tabbed === undefined) {
		const isTable = await hasHeader(handle, opening.names);
		const isText = opening.kind === 'text' && !isTable && (await holdsText(handle));
		if (isText) return sourceFile(labels, handle, textFormat(handle, path));
		return sourceFile(labels, handle, await (isTable ? delimited : recognise)(handle, path));
	}

	const format = tabbedFormat(handle, path, tabbed.cells);
	if (!tabbed.isById) return sourceFile(labels, handle, format);
	const {size} = await handle.stat();
	return joinedSource(labels, size, await joinTriples(path, format, opening), opening);
}

/** Whether a file holds lines of plain text; one that begins as JSON does is broken JSON. */
async function holdsText(handle: FileHandle): Promise<boolean> {
	const begin = (await readHead(handle, 4096)).toString('utf8').trimStart();
	return begin !== '' && !/^[[{]/.test(begin) && (await sniff(handle)) === 'text';
}

/** Records that were made of other files as a file of records. */
export async function joinedSource(
	labels: Labels,
	bytes: number,
	{file, sha256}: Joined,
	opening: Opening,
): Promise<SourceFile> {
	return keepOpen(file, async () => {
		await sayCopied(opening, labels.path, file);
		const source = await sourceFile(labels, file, locatedFormat(file, labels.path));
		return {...source, origin: {bytes, sha256}};
	});
}

async function unpackParquet(labels: Labels, bytes: number, opening: Opening): Promise<SourceFile> {
	const {path} = labels;
	const {signal} = opening;
	const file = await openNameless();
	return keepOpen(file, async () => {
		let row = 0;
		for await (const rows of readParquet(path, {signal})) {
			const lines = rows.map(json => locatedLine(`${path}: row ${++row}`, json));
			await appendTo(file, lines.join(''));
		}

		await sayCopied(opening, path, file);
		const source = await sourceFile(labels, file, locatedFormat(file, path));
		return {...source, origin: {bytes, sha256: await sha256File(path, signal)}};
	});
}

/** How files begin that are packed in ways not read here. */
const packings: readonly [string, string][] = [
	['PK\u0003\u0004', 'a zip archive'],
	['\u0028\u00b5\u002f\u00fd', 'a zstd file'],
	['BZh', 'a bzip2 file'],
	['\u00fd7zXZ', 'an xz file'],
	['ARROW1', 'an Arrow file'],
];

async function refusePacked(handle: FileHandle, path: string): Promise<void> {
	const head = (await readHead(handle, 8)).toString('latin1');
	const packing = packings.find(([begin]) => head.startsWith(begin))?.[1];
	if (packing === undefined) return;
	const message = `${path}: expected records, plain, packed by gzip or in Parquet, got ${packing}`;
	throw new EngineError('FILE_FORMAT', message);
}

async function refuseNested(file: FileHandle, path: string): Promise<void> {
	const inner = (await isGzip(file)) ? 'gzip again' : (await isParquet(file)) ? 'Parquet' : '';
	if (inner === '') return;
	const message = `${path}: expected records packed by gzip, got ${inner} inside; unpack it first`;
	throw new EngineError('FILE_FORMAT', message);
}
