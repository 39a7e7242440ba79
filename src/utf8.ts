// Bytes of a file as text. Only UTF-8 is text; anything else is refused by the first byte that does not fit.

import {isUtf8} from 'node:buffer';
import {EngineError, type ErrorCode} from './errors.js';

export interface Utf8Options {
	/** The code of the refusal. */
	code?: ErrorCode;
	/** Where the bytes begin in their file. */
	offset?: number;
}

/** The text of bytes that must be UTF-8; `where` begins the message. */
export function decodeUtf8(
	bytes: Buffer,
	where: string,
	{code = 'FILE_FORMAT', offset = 0}: Utf8Options = {},
): string {
	if (isUtf8(bytes)) return bytes.toString('utf8');
	const got = foreignBytes(bytes, offset);
	throw new EngineError(
		code,
		`${where}: expected UTF-8, got ${got}; convert the file to UTF-8 text`,
	);
}

function foreignBytes(bytes: Buffer, offset: number): string {
	// What other formats begin with says nothing further on.
	const [first, second] = offset === 0 ? bytes : [];
	if (first === 0x1f && second === 0x8b) return 'gzip data';
	if (first === 0xff && second === 0xfe) return 'UTF-16';
	if (first === 0xfe && second === 0xff) return 'UTF-16';
	const at = firstInvalidByte(bytes);
	const value = bytes[at]!.toString(16).padStart(2, '0');
	return `the byte 0x${value} at position ${offset + at} (from 0)`;
}

/** Where a sequence begins that is not UTF-8: from there decoding gives other bytes back. */
function firstInvalidByte(bytes: Buffer): number {
	const again = Buffer.from(bytes.toString('utf8'));
	let at = firstDifference(bytes, again);
	while (at > 0 && (again[at]! & 0xc0) === 0x80) at--;
	return at;
}

function firstDifference(a: Buffer, b: Buffer): number {
	let [equal, end] = [0, Math.min(a.length, b.length)];
	while (end - equal > 1) {
		const middle = (equal + end) >>> 1;
		if (a.compare(b, equal, middle, equal, middle) === 0) equal = middle;
		else end = middle;
	}

	return a[equal] === b[equal] ? end : equal;
}
