// Archives read in place: where members lie, and archives that lie about it.

import {open, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {deflateRawSync} from 'node:zlib';
import {describe, expect, test} from 'vitest';
import {readZip} from '../../dist/files/zip.js';
import {temporaryFolder} from './folder.js';
import {type Member, zipOf} from './torch-bytes.js';

const {folder} = temporaryFolder();
let made = 0;

async function read(bytes: Uint8Array) {
	const path = join(folder, `${made++}.zip`);
	await writeFile(path, bytes);
	const handle = await open(path);
	try {
		return await readZip(handle, bytes.length, path);
	} finally {
		await handle.close();
	}
}

const members: Member[] = [
	{name: 'a/first', data: Buffer.from('one')},
	{name: 'a/empty', data: Buffer.alloc(0)},
	{name: 'a/zwölf', data: Buffer.from('twelve')},
];

const found = (bytes: Buffer, all: Awaited<ReturnType<typeof read>>) =>
	[...all.values()].map(({name, begin, end}) => [name, bytes.toString('utf8', begin, end)]);

const contents = [
	['a/first', 'one'],
	['a/empty', ''],
	['a/zwölf', 'twelve'],
];

/** The same archive with the end records of zip64, as torch writes them. */
function zip64(bytes: Buffer): Buffer {
	const end = bytes.subarray(-22);
	const record = Buffer.alloc(56);
	record.writeUInt32LE(0x06064b50);
	record.writeBigUInt64LE(44n, 4);
	record.writeBigUInt64LE(BigInt(end.readUInt16LE(10)), 32);
	record.writeBigUInt64LE(BigInt(end.readUInt32LE(12)), 40);
	record.writeBigUInt64LE(BigInt(end.readUInt32LE(16)), 48);
	const locator = Buffer.alloc(20);
	locator.writeUInt32LE(0x07064b50);
	locator.writeBigUInt64LE(BigInt(bytes.length - 22), 8);
	const last = Buffer.from(end);
	last.writeUInt16LE(0xffff, 10);
	last.writeUInt32LE(0xffffffff, 12);
	last.writeUInt32LE(0xffffffff, 16);
	return Buffer.concat([bytes.subarray(0, -22), record, locator, last]);
}

describe('the members of an archive are found', () => {
	test.each([
		['by its directory', (bytes: Buffer) => bytes],
		['by a directory of zip64', zip64],
		[
			'before a comment',
			(bytes: Buffer) => {
				const comment = Buffer.from('PK\x05\x06 is how the end begins');
				bytes.writeUInt16LE(comment.length, bytes.length - 2);
				return Buffer.concat([bytes, comment]);
			},
		],
	])('%s', async (_, change) => {
		const bytes = change(zipOf(members));
		expect(found(bytes, await read(bytes))).toEqual(contents);
	});

	test('with sizes of 64 bits', async () => {
		const bytes = zipOf(members.slice(0, 1));
		const directory = bytes.readUInt32LE(bytes.length - 6);
		const extra = Buffer.alloc(28);
		extra.writeUInt16LE(1, 0);
		extra.writeUInt16LE(24, 2);
		extra.writeBigUInt64LE(3n, 4);
		extra.writeBigUInt64LE(3n, 12);
		bytes.writeUInt32LE(0xffffffff, directory + 20);
		bytes.writeUInt32LE(0xffffffff, directory + 24);
		bytes.writeUInt32LE(0xffffffff, directory + 42);
		bytes.writeUInt16LE(extra.length, directory + 30);
		const end = bytes.subarray(-22);
		end.writeUInt32LE(end.readUInt32LE(12) + extra.length, 12);
		const whole = Buffer.concat([bytes.subarray(0, -22), extra, end]);
		expect(found(whole, await read(whole))).toEqual(contents.slice(0, 1));
	});
});

describe('an archive is refused when', () => {
	const withClaims = (claims: Member['claims'], at = 2) =>
		zipOf(members.map((member, n) => (n === at ? {...member, claims: claims!} : member)));
	const packed = deflateRawSync(Buffer.alloc(1000));
	const changed = (bytes: Buffer, change: (bytes: Buffer) => unknown) => {
		change(bytes);
		return bytes;
	};

	test.each([
		['it is empty', Buffer.alloc(0), /the directory of a zip archive/],
		['it is cut in its members', zipOf(members).subarray(0, 40), /got none; the file is cut/],
		['it is cut by a byte', zipOf(members).subarray(0, -1), /got none; the file is cut/],
		['its members are cut off', zipOf(members).subarray(60), /directory that ends by byte/],
		[
			'a member is compressed',
			zipOf([{name: 'a/b', data: packed, method: 8}]),
			/member "a\/b": expected stored bytes, got compressed ones/,
		],
		['a member is encrypted', zipOf([{name: 'a/b', data: packed, flags: 1}]), /got encrypted ones/],
		['a member leaves the file', withClaims({size: 2 ** 31}), /"a\/zwölf" within bytes/],
		['a member reaches into the directory', withClaims({size: 7}), /"a\/zwölf" within bytes/],
		['a member reaches into the next', withClaims({size: 4}, 0), /"a\/empty" within bytes/],
		[
			'two members are the same bytes',
			withClaims({header: 0, name: 'a/first', size: 3}),
			/"a\/first" within bytes/,
		],
		[
			'a member has two sizes',
			withClaims({compressed: 5}),
			/one countable size and place, got 6, 5/,
		],
		[
			'a size of 64 bits is missing',
			withClaims({size: 0xffffffff}),
			/one countable size and place, got NaN/,
		],
		['a member has no header', withClaims({header: 1}), /a header of its own, got other bytes/],
		[
			'a header lies in the directory',
			withClaims({header: 200}),
			/"a\/zwölf" before the directory/,
		],
		['a member has two names', withClaims({name: 'a/other'}), /its name in its header, got "a\/zw/],
		[
			'a name is there twice',
			zipOf([members[0]!, members[0]!]),
			/member "a\/first" once, got it twice/,
		],
		['there are fewer members than said', zipOf(members, {count: 4}), /got 4 members/],
		[
			'there are more members than said',
			zipOf(members, {count: 2}),
			/a directory of \d+ bytes, got/,
		],
		['there are far too many members', zipOf(members, {count: 60000}), /60000 members/],
		['its directory is longer than said', zipOf(members, {bytes: 60}), /3 members, 60/],
		[
			'its directory is shorter than said',
			zipOf(members, {bytes: 300}),
			/directory that ends by byte/,
		],
		['its directory is elsewhere', zipOf(members, {begin: 3}), /3 members, got 0/],
		[
			'its directory is beyond the end',
			zipOf(members, {begin: 2 ** 32 - 2}),
			/directory that ends by byte/,
		],
		[
			'the record of zip64 is not where it is said',
			changed(zip64(zipOf(members)), b => b.writeBigUInt64LE(0n, b.length - 34)),
			/end record of a zip64 archive/,
		],
		[
			'the record of zip64 is far away',
			changed(zip64(zipOf(members)), b => b.writeBigUInt64LE(2n ** 63n, b.length - 34)),
			/end record of a zip64 archive/,
		],
		[
			'the directory of zip64 is huge',
			changed(zip64(zipOf(members)), b => b.writeBigUInt64LE(2n ** 60n, b.length - 58)),
			/directory that ends by byte/,
		],
	] as const)('%s', async (_, bytes, message) => {
		await expect(read(bytes)).rejects.toMatchObject({
			code: 'FILE_FORMAT',
			message: expect.stringMatching(message),
		});
	});

	test('it is cut anywhere', async () => {
		const whole = zip64(zipOf(members));
		for (let length = 0; length < whole.length; length++) {
			await expect(read(whole.subarray(0, length))).rejects.toMatchObject({code: 'FILE_FORMAT'});
		}
	});
});
