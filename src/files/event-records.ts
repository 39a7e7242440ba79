// Records of TensorBoard's event files: TFRecord framing around the few fields of Event and Summary that
// numbers over steps need.
//
// A record is the length (u64), a masked CRC-32C of these 8 bytes, the payload, a masked CRC-32C of it.

import {crc32c} from './crc32c.js';

/** Numbers by their tag at a step. */
export type ScalarEvent = {
	/** Seconds since 1970. */
	wallTime: number;
	step: number;
	scalars: Readonly<Record<string, number>>;
};

const headLength = 12;

/** The record that an event file begins with. */
export function versionRecord(wallTime: number): Buffer {
	return framed(Buffer.concat([double(1, wallTime), bytes(3, Buffer.from('brain.Event:2'))]));
}

export function scalarRecord({wallTime, step, scalars}: ScalarEvent): Buffer {
	const values = Object.entries(scalars).map(([tag, value]) =>
		bytes(1, Buffer.concat([bytes(1, Buffer.from(tag)), float(2, value)])),
	);
	const summary = bytes(5, Buffer.concat(values));
	return framed(Buffer.concat([double(1, wallTime), key(2, 0), varint(step), summary]));
}

export type ReadEvent = {
	/** Where its record begins and ends in the file. */
	begin: number;
	end: number;
	step: number;
	tags: string[];
};

/** The events of a file up to its end or the first record that is torn. */
export function* readEvents(file: Buffer): Generator<ReadEvent, void, undefined> {
	for (let begin = 0; begin + headLength <= file.length; ) {
		const length = Number(file.readBigUInt64LE(begin));
		const end = begin + headLength + length + 4;
		if (file.readUInt32LE(begin + 8) !== masked(file.subarray(begin, begin + 8))) return;
		if (end > file.length) return;
		const payload = file.subarray(begin + headLength, end - 4);
		if (file.readUInt32LE(end - 4) !== masked(payload)) return;
		yield {begin, end, ...stepAndTags(payload)};
		begin = end;
	}
}

function stepAndTags(payload: Buffer): {step: number; tags: string[]} {
	const fields = fieldsOf(payload);
	const summaries = fields.filter(({number}) => number === 5);
	const values = summaries.flatMap(({bytes: summary}) => fieldsOf(summary));
	const tags = values.flatMap(({bytes: value}) =>
		fieldsOf(value).flatMap(field => (field.number === 1 ? field.bytes.toString() : [])),
	);
	return {step: fields.find(({number}) => number === 2)?.value ?? 0, tags};
}

type Field = {number: number; value: number; bytes: Buffer};

/** The fields of a message; numbers of fixed width are passed over. */
function fieldsOf(message: Buffer): Field[] {
	const fields: Field[] = [];
	let at = 0;
	const read = () => {
		let value = 0;
		for (let factor = 1; at < message.length; factor *= 128) {
			const byte = message[at++]!;
			value += (byte & 127) * factor;
			if (byte < 128) break;
		}
		return value;
	};
	const widths = new Map([
		[1, 8],
		[5, 4],
	]);
	while (at < message.length) {
		const head = read();
		const kind = head & 7;
		const value = kind === 0 || kind === 2 ? read() : 0;
		const length = kind === 2 ? value : (widths.get(kind) ?? 0);
		fields.push({number: head >>> 3, value, bytes: message.subarray(at, at + length)});
		at += length;
	}
	return fields;
}

function framed(payload: Buffer): Buffer {
	const head = Buffer.alloc(headLength);
	head.writeBigUInt64LE(BigInt(payload.length));
	head.writeUInt32LE(masked(head.subarray(0, 8)), 8);
	const foot = Buffer.alloc(4);
	foot.writeUInt32LE(masked(payload));
	return Buffer.concat([head, payload, foot]);
}

function masked(data: Uint8Array): number {
	const crc = crc32c(data);
	return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

function key(field: number, kind: number): Buffer {
	return Buffer.from([(field << 3) | kind]);
}

function varint(value: number): Buffer {
	const parts: number[] = [];
	let left = value;
	for (; left >= 128; left = Math.floor(left / 128)) parts.push((left % 128) | 128);
	return Buffer.from([...parts, left]);
}

function double(field: number, value: number): Buffer {
	const buffer = Buffer.alloc(8);
	buffer.writeDoubleLE(value);
	return Buffer.concat([key(field, 1), buffer]);
}

function float(field: number, value: number): Buffer {
	const buffer = Buffer.alloc(4);
	buffer.writeFloatLE(value);
	return Buffer.concat([key(field, 5), buffer]);
}

function bytes(field: number, value: Buffer): Buffer {
	return Buffer.concat([key(field, 2), varint(value.length), value]);
}
