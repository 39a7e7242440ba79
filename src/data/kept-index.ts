// The index of a large file, kept beside it (or in the cache, where nothing can be written beside
// it), so that the next run need not read the file to begin. It is used while size, time of
// change and both ends of the file are as they were; what it says is checked before it is
// believed.

import {createHash} from 'node:crypto';
import type {FileHandle} from 'node:fs/promises';
import {mkdir, open, rename, rm} from 'node:fs/promises';
import {basename, dirname, join, resolve} from 'node:path';
import {z} from 'zod';
import {EngineError} from '../errors.js';
import {readFailure, systemCode} from '../files/failures.js';
import {openToRead, readInto} from '../files/open.js';
import {parseJson} from '../files/records.js';
import {cacheFolder} from '../files/scratch.js';
import {temporaryName} from '../files/temporary-names.js';
import {giveTurn} from '../pace.js';
import {Column} from './columns.js';
import {type Columns, columnNames, columnTypes, type FileIndex, RowIndex} from './row-index.js';
import type {SourceFile} from './source-file.js';

/** What an index is an index of, and how the records were read and checked. */
export interface IndexIdentity {
	bytes: number;
	changed: number;
	ends: string;
	reading: string;
	/** What records were asked for; any check serves where none is asked. */
	check?: string;
}

const count = z.number().int().min(0);
const column = z.object({
	length: count,
	even: z.object({first: z.number().int(), step: z.number().int()}).optional(),
});

const headerSchema = z.object({
	bytes: count,
	changed: z.number(),
	ends: z.string(),
	reading: z.string(),
	check: z.string().optional(),
	records: count,
	sha256: z.string().regex(/^[0-9a-f]{64}$/),
	warnings: z.array(z.string()),
	missing: z.array(z.string()),
	crowded: z.object({texts: count, repeats: count}),
	lacksScores: z.boolean(),
	columns: z.object({
		...{offsets: column, lengths: column, positives: column},
		...{hashStarts: column, hashes: column, numbers: column},
	} satisfies Record<keyof Columns, typeof column>),
});

const magic = 'inbatch index 4\n';
const endBytes = 2 ** 16;
const longestHeader = 2 ** 20;
const pieceBytes = 2 ** 19;
const digestBytes = 32;

export async function identityOf(
	{handle, bytes, changed}: SourceFile,
	{reading, check}: {reading: unknown; check?: string | undefined},
): Promise<IndexIdentity> {
	const hash = createHash('sha256');
	const end = Buffer.alloc(Math.min(bytes, endBytes));
	for (const at of [0, bytes - end.length]) {
		await readInto(handle, end, at);
		hash.update(end);
	}

	const facts = {bytes, changed, ends: hash.digest('hex'), reading: JSON.stringify(reading)};
	return {...facts, ...(check !== undefined && {check})};
}

/** The index that an earlier run kept, if it still holds, and where it is. */
export async function readKept(
	source: SourceFile,
	identity: IndexIdentity,
	signal?: AbortSignal,
): Promise<{found: FileIndex; place: string} | undefined> {
	for (const place of placesOf(source)) {
		const found = await openKept(place, identity).catch((error: unknown) => {
			signal?.throwIfAborted();
			// One that is torn, lies or cannot be read is made anew.
			if (!(error instanceof EngineError)) throw error;
		});
		if (found !== undefined) return {found, place};
	}

	return;
}

async function openKept(place: string, identity: IndexIdentity): Promise<FileIndex | undefined> {
	const handle = await openToRead(place);
	try {
		const found = await read(handle, identity);
		if (found === undefined) await handle.close();
		return found;
	} catch (error) {
		await handle.close();
		throw readFailure(place, error);
	}
}

/** Keeps an index where it can be kept; returns what to say of it. */
export async function keep(
	source: SourceFile,
	identity: IndexIdentity,
	found: FileIndex,
): Promise<string> {
	const {path} = source;
	const reasons: string[] = [];
	for (const place of placesOf(source)) {
		try {
			await mkdir(dirname(place), {recursive: true});
			await write(place, identity, found);
			const reason =
				reasons.length === 0 ? '' : `, since beside the file it cannot be (${reasons[0]})`;
			return `${path}: index kept in ${place}${reason}`;
		} catch (error) {
			const code = systemCode(error);
			if (code === undefined) throw error;
			reasons.push(code);
		}
	}

	return `${path}: index not kept (${reasons.join(', ')}), so the next run reads the file again`;
}

function placesOf({path, isDownloaded}: SourceFile): string[] {
	const absolute = resolve(path);
	const name = createHash('sha256').update(absolute).digest('hex').slice(0, 32);
	const beside = join(dirname(absolute), `.${basename(absolute)}.inbatch-index`);
	const cached = join(cacheFolder(), 'indexes', name);
	return isDownloaded ? [cached] : [beside, cached];
}

async function write(place: string, identity: IndexIdentity, found: FileIndex): Promise<void> {
	const {index, ...facts} = found;
	const columns = Object.fromEntries(columnNames.map(name => [name, index[name].facts()]));
	const header = `${JSON.stringify({...identity, ...facts, columns})}\n`;
	const temporary = temporaryName(place, 'tmp');
	const file = await open(temporary, 'wx');
	try {
		const hash = createHash('sha256');
		await file.appendFile(magic + header);
		for (const name of columnNames) {
			for (const piece of index[name].pieces()) {
				hash.update(piece);
				await file.appendFile(piece);
			}
		}

		await file.appendFile(hash.digest());
		await file.sync();
		await file.close();
		await rename(temporary, place);
	} catch (error) {
		await file.close();
		await rm(temporary, {force: true});
		throw error;
	}
}

async function read(handle: FileHandle, identity: IndexIdentity): Promise<FileIndex | undefined> {
	const {size} = await handle.stat();
	const head = Buffer.alloc(Math.min(size, longestHeader));
	const text = head.toString('latin1', 0, await readInto(handle, head, 0));
	const end = text.indexOf('\n', magic.length);
	if (!text.startsWith(magic) || end < 0) return;
	const header = headerSchema.safeParse(
		parseJson(head.toString('utf8', magic.length, end), 'index'),
	);
	if (!header.success || !isOf(header.data, identity)) return;
	const {columns: facts, sha256, ...known} = header.data;
	const {records, warnings, missing, crowded, lacksScores} = known;
	// A record and a text take a byte at least.
	if (Object.values(facts).some(({length}) => length > identity.bytes)) throw torn();
	let begin = end + 1;
	const columns: Partial<Record<keyof Columns, Column>> = {};
	for (const name of columnNames) {
		const {length, even} = facts[name];
		const type = columnTypes[name];
		const known = even === undefined ? {length} : {length, even};
		columns[name] = Column.of(type, known, {handle, begin});
		if (even === undefined) begin += length * type.BYTES_PER_ELEMENT;
	}

	if (begin + digestBytes !== size) throw torn();
	await expectWhole(handle, {begin: end + 1, end: begin});
	const index = RowIndex.of(columns as Columns, handle);
	await expectSound(index, identity.bytes, records);
	return {index, records, sha256, warnings, missing, crowded, lacksScores};
}

function isOf(header: z.output<typeof headerSchema>, wanted: IndexIdentity): boolean {
	const {check, ...rest} = wanted;
	const isSame = Object.entries(rest).every(([key, value]) => header[key as 'bytes'] === value);
	return isSame && (check === undefined || header.check === check);
}

/** Refuses columns that are not those of the checksum behind them. */
async function expectWhole(
	handle: FileHandle,
	{begin, end}: {begin: number; end: number},
): Promise<void> {
	const hash = createHash('sha256');
	for (let at = begin; at < end; at += pieceBytes) {
		const piece = Buffer.allocUnsafe(Math.min(pieceBytes, end - at));
		await readInto(handle, piece, at);
		hash.update(piece);
		await giveTurn();
	}

	const digest = Buffer.alloc(digestBytes);
	await readInto(handle, digest, end);
	if (!hash.digest().equals(digest)) throw torn();
}

/** Refuses an index whose records are not in order within the file. */
async function expectSound(index: RowIndex, bytes: number, records: number): Promise<void> {
	const {offsets, lengths, positives, hashStarts, hashes, numbers, length} = index;
	const columns = [lengths, positives, hashStarts, numbers];
	const isEven = columns.every(column => column.length === length);
	if (length === 0 || !isEven || hashStarts.at(0) !== 0) throw torn();
	for (let record = 0, end = 0, number = -1; record < length; record++) {
		if (record % 4096 === 0) await giveTurn();
		const texts = index.texts(record);
		const isSound =
			offsets.at(record) >= end && positives.at(record) < texts && texts <= hashes.length;
		const isLater = numbers.at(record) > number && numbers.at(record) < records;
		if (!isSound || !isLater) throw torn();
		number = numbers.at(record);
		end = offsets.at(record) + lengths.at(record);
		if (end > bytes) throw torn();
	}
}

function torn(): EngineError {
	return new EngineError('FILE_FORMAT', 'index: expected records within the file, got others');
}
