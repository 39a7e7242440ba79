// Where the members of a zip archive lie in its file, zip64 included. Members are read in place, so
// they must be stored as they are; what the directory claims is believed only after a check.

import type {FileHandle} from 'node:fs/promises';
import {EngineError} from '../errors.js';
import {readInto} from './open.js';

/** Bytes of the file: the first, and the one behind the last. */
export interface ZipMember {
	name: string;
	begin: number;
	end: number;
}

/** A member as the directory has it; its bytes begin somewhere behind its own header. */
export interface DirectoryEntry {
	name: string;
	size: number;
	/** Byte of the file where its header begins. */
	header: number;
}

export interface Directory {
	begin: number;
	end: number;
	count: number;
}

const localHeader = 30;
const centralHeader = 46;
const endRecord = 22;
const endRecord64 = 56;
const locator64 = 20;
const longestComment = 0xffff;
const longestDirectory = 2 ** 26;

/** Throws the error of an archive that lies. */
function refuse(path: string, expected: string, got: string): never {
	throw new EngineError('FILE_FORMAT', `${path}: expected ${expected}, got ${got}`);
}

/** The members of an archive by their names; none overlaps another or leaves the file. */
export async function readZip(
	handle: Pick<FileHandle, 'read'>,
	size: number,
	path: string,
): Promise<Map<string, ZipMember>> {
	const tailBegin = Math.max(0, size - longestComment - endRecord - locator64 - endRecord64);
	const tail = await readBytes(handle, {begin: tailBegin, end: size}, path);
	const directory = findDirectory(tail, tailBegin, path);
	const bytes = await readBytes(handle, directory, path);
	const members: Placed[] = [];
	for (const entry of parseDirectory(bytes, directory.count, path)) {
		const nameBytes = Buffer.byteLength(entry.name);
		const headerEnd = entry.header + localHeader + nameBytes;
		if (headerEnd > directory.begin) {
			refuse(path, `"${entry.name}" before the directory`, `byte ${entry.header}`);
		}

		const header = await readBytes(handle, {begin: entry.header, end: headerEnd}, path);
		const begin = entry.header + dataOffset(header, entry, path);
		members.push({name: entry.name, header: entry.header, begin, end: begin + entry.size});
	}

	checkMembers(members, directory.begin, path);
	return new Map(members.map(({name, begin, end}) => [name, {name, begin, end}]));
}

async function readBytes(
	handle: Pick<FileHandle, 'read'>,
	{begin, end}: {begin: number; end: number},
	path: string,
): Promise<Buffer> {
	const bytes = Buffer.alloc(end - begin);
	const filled = await readInto(handle, bytes, begin);
	if (filled < bytes.length) refuse(path, `${bytes.length} bytes at ${begin}`, `${filled}`);
	return bytes;
}

/** Where the directory lies, by the last bytes of the file, the first of which is `tailBegin`. */
export function findDirectory(tail: Buffer, tailBegin: number, path: string): Directory {
	const at = findEnd(tail, path);
	const is64 = at >= locator64 && tail.readUInt32LE(at - locator64) === 0x07064b50;
	const {count, bytes, begin, limit} = is64
		? readEnd64(tail, {at: at - locator64, tailBegin}, path)
		: readEnd(tail, at, tailBegin);
	const end = begin + bytes;
	if (!Number.isSafeInteger(end) || end > limit) {
		refuse(path, `a directory that ends by byte ${limit}`, `bytes ${begin} to ${end}`);
	}

	if (bytes > longestDirectory || count * centralHeader > bytes) {
		refuse(path, `a directory of at most ${longestDirectory} bytes`, `${count} members, ${bytes}`);
	}

	return {begin, end, count};
}

/** The index of the end record: the last signature whose comment ends with the file. */
function findEnd(tail: Buffer, path: string): number {
	for (let at = tail.length - endRecord; at >= 0; at--) {
		const isSignature = tail[at] === 0x50 && tail.readUInt32LE(at) === 0x06054b50;
		if (isSignature && at + endRecord + tail.readUInt16LE(at + 20) === tail.length) return at;
	}

	return refuse(path, 'the directory of a zip archive at the end', 'none; the file is cut');
}

function readEnd(tail: Buffer, at: number, tailBegin: number) {
	return {
		count: tail.readUInt16LE(at + 10),
		bytes: tail.readUInt32LE(at + 12),
		begin: tail.readUInt32LE(at + 16),
		limit: tailBegin + at,
	};
}

function readEnd64(tail: Buffer, {at, tailBegin}: {at: number; tailBegin: number}, path: string) {
	const place = Number(tail.readBigUInt64LE(at + 8));
	const end = place - tailBegin;
	const isThere = end >= 0 && end <= at - endRecord64 && tail.readUInt32LE(end) === 0x06064b50;
	if (!isThere) refuse(path, 'the end record of a zip64 archive', `none at byte ${place}`);
	return {
		count: Number(tail.readBigUInt64LE(end + 32)),
		bytes: Number(tail.readBigUInt64LE(end + 40)),
		begin: Number(tail.readBigUInt64LE(end + 48)),
		limit: place,
	};
}

/** The entries of a directory; it ends where its last entry does. */
export function parseDirectory(bytes: Buffer, count: number, path: string): DirectoryEntry[] {
	const entries: DirectoryEntry[] = [];
	let at = 0;
	for (let n = 0; n < count; n++) {
		const isEntry = at + centralHeader <= bytes.length && bytes.readUInt32LE(at) === 0x02014b50;
		if (!isEntry) refuse(path, `${count} members`, `${n}`);
		const nameEnd = at + centralHeader + bytes.readUInt16LE(at + 28);
		const extraEnd = nameEnd + bytes.readUInt16LE(at + 30);
		const end = extraEnd + bytes.readUInt16LE(at + 32);
		if (end > bytes.length) refuse(path, `a directory of ${bytes.length} bytes`, 'a longer one');
		const name = bytes.toString('utf8', at + centralHeader, nameEnd);
		entries.push(readEntry(bytes.subarray(at, extraEnd), {name, extra: nameEnd - at}, path));
		at = end;
	}

	if (at !== bytes.length) refuse(path, `a directory of ${bytes.length} bytes`, `${at}`);
	return entries;
}

function readEntry(
	bytes: Buffer,
	{name, extra}: {name: string; extra: number},
	path: string,
): DirectoryEntry {
	const where = `${path}: member "${name}"`;
	const [flags, method] = [bytes.readUInt16LE(8), bytes.readUInt16LE(10)];
	if ((flags & 1) !== 0) refuse(where, 'plain bytes', 'encrypted ones');
	if (method !== 0) refuse(where, 'stored bytes', 'compressed ones; torch.save compresses nothing');
	const long = longFields(bytes.subarray(extra));
	const wide = (at: number) => {
		const value = bytes.readUInt32LE(at);
		return value === 0xffffffff ? Number(long.shift() ?? Number.NaN) : value;
	};

	// The order of the extra field: size, compressed size, place.
	const size = wide(24);
	const compressed = wide(20);
	const header = wide(42);
	if (![size, compressed, header].every(Number.isSafeInteger) || size !== compressed) {
		refuse(where, 'one countable size and place', `${size}, ${compressed} and ${header}`);
	}

	return {name, size, header};
}

/** The 64-bit values of the zip64 extra field, in their order. */
function longFields(extra: Buffer): bigint[] {
	for (let at = 0; at + 4 <= extra.length; ) {
		const end = at + 4 + extra.readUInt16LE(at + 2);
		if (extra.readUInt16LE(at) === 1 && end <= extra.length) {
			const count = Math.floor((end - at - 4) / 8);
			return Array.from({length: count}, (_, n) => extra.readBigUInt64LE(at + 4 + 8 * n));
		}

		at = end;
	}

	return [];
}

/** From the header of a member to its bytes. The header must be that of the entry. */
export function dataOffset(header: Buffer, {name}: DirectoryEntry, path: string): number {
	const where = `${path}: member "${name}"`;
	if (header.readUInt32LE(0) !== 0x04034b50) refuse(where, 'a header of its own', 'other bytes');
	const [nameBytes, extraBytes] = [header.readUInt16LE(26), header.readUInt16LE(28)];
	const found = header.toString('utf8', localHeader, localHeader + nameBytes);
	if (found !== name) refuse(where, 'its name in its header', JSON.stringify(found.slice(0, 80)));
	if (header.readUInt16LE(8) !== 0) refuse(where, 'stored bytes', 'compressed ones');
	return localHeader + nameBytes + extraBytes;
}

type Placed = ZipMember & {header: number};

/** Members with their headers behind one another, before the directory, each name once. */
function checkMembers(members: readonly Placed[], limit: number, path: string): void {
	const names = new Set<string>();
	let at = 0;
	for (const {name, header, end} of members.toSorted((a, b) => a.header - b.header)) {
		if (header < at || end > limit) {
			refuse(path, `"${name}" within bytes ${at} to ${limit}`, `bytes ${header} to ${end}`);
		}

		if (names.has(name)) refuse(path, `member "${name}" once`, 'it twice');
		names.add(name);
		at = end;
	}
}
