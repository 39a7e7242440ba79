// The archive around the parts of a pytorch_model.bin.

import {readZip} from '../../../dist/files/zip.js';
import {memoryFile} from '../memory-file.mjs';
import {expectRefusal, hold, place} from '../property.mjs';

export async function run(bytes) {
	try {
		const members = await readZip(memoryFile(bytes), bytes.length, place);
		let at = 0;
		for (const {begin, end} of [...members.values()].sort((a, b) => a.begin - b.begin)) {
			hold(begin >= at && end >= begin && end <= bytes.length, 'members lie apart in the file');
			at = end;
		}
	} catch (error) {
		expectRefusal(error, ['FILE_FORMAT']);
	}
}

export const words = [
	'PK\x01\x02',
	'PK\x03\x04',
	'PK\x05\x06',
	'PK\x06\x06',
	'PK\x06\x07',
	'data.pkl',
];

export const seeds = [
	archive([['a/data.pkl', '}.']]),
	archive([
		['a/data.pkl', '}.'],
		['a/data/0', '12345678'],
		['a/byteorder', 'little'],
	]),
	archive([['a/data.pkl', '}.']], {isLong: true}),
	archive([]),
];

/** Stored members, their directory and its end; `isLong` as in archives of more than 4 GB. */
function archive(members, {isLong = false} = {}) {
	const parts = [];
	const entries = [];
	let at = 0;
	for (const [name, data] of members) {
		const extra = isLong ? field(1, [data.length, data.length, at]) : Buffer.alloc(0);
		const local = Buffer.alloc(30);
		local.write('PK\x03\x04', 'latin1');
		local.writeUInt16LE(name.length, 26);
		const entry = Buffer.alloc(46);
		entry.write('PK\x01\x02', 'latin1');
		entry.writeUInt32LE(isLong ? 0xffffffff : data.length, 20);
		entry.writeUInt32LE(isLong ? 0xffffffff : data.length, 24);
		entry.writeUInt16LE(name.length, 28);
		entry.writeUInt16LE(extra.length, 30);
		entry.writeUInt32LE(isLong ? 0xffffffff : at, 42);
		entries.push(entry, Buffer.from(name), extra);
		parts.push(local, Buffer.from(name + data));
		at += 30 + name.length + data.length;
	}
	const directory = Buffer.concat(entries);
	return Buffer.concat([
		...parts,
		directory,
		isLong ? longEnd(members.length, directory.length, at) : Buffer.alloc(0),
		end(members.length, directory.length, at),
	]);
}

function end(count, bytes, begin) {
	const record = Buffer.alloc(22);
	record.write('PK\x05\x06', 'latin1');
	record.writeUInt16LE(count, 10);
	record.writeUInt32LE(bytes, 12);
	record.writeUInt32LE(begin, 16);
	return record;
}

function longEnd(count, bytes, begin) {
	const record = Buffer.alloc(56 + 20);
	record.write('PK\x06\x06', 'latin1');
	record.writeBigUInt64LE(BigInt(count), 32);
	record.writeBigUInt64LE(BigInt(bytes), 40);
	record.writeBigUInt64LE(BigInt(begin), 48);
	record.write('PK\x06\x07', 56, 'latin1');
	record.writeBigUInt64LE(BigInt(begin + bytes), 64);
	return record;
}

function field(id, values) {
	const bytes = Buffer.alloc(4 + 8 * values.length);
	bytes.writeUInt16LE(id, 0);
	bytes.writeUInt16LE(8 * values.length, 2);
	values.forEach((value, n) => void bytes.writeBigUInt64LE(BigInt(value), 4 + 8 * n));
	return bytes;
}
