// Lines of a text file or stream. Only \n ends a line (a \r before it is dropped), so U+2028 inside
// a JSON string is text; a byte order mark is dropped; the last line needs no newline; anything but
// UTF-8 is refused by its line.

import {decodeUtf8} from '../utf8.js';
import {type ByteSource, Carry, nameOf, type PieceOptions, readPieces} from './pieces.js';

export interface Line {
	/** Counted from 1. */
	number: number;
	/** The byte of the file at which the text begins, and its bytes without the line end. */
	offset: number;
	length: number;
	text: string;
}

export interface LineOptions extends Omit<PieceOptions, 'offset' | 'size'> {
	/** Where to begin: the first byte of a line and that line's number. Files only. */
	start?: {offset: number; number: number} | undefined;
}

/**
The lines of a source, in batches of what one piece of the file holds.

@example
for await (const lines of readLines('texts.txt', {signal})) {}
*/
export async function* readLines(
	source: ByteSource,
	{start = {offset: 0, number: 1}, ...options}: LineOptions = {},
): AsyncGenerator<Line[], void, undefined> {
	const cutter = new LineCutter(nameOf(source, options.name), start);
	for await (const piece of readPieces(source, {...options, offset: start.offset})) {
		const lines = cutter.push(piece);
		if (lines.length > 0) yield lines;
	}

	const last = cutter.end();
	if (last !== undefined) yield [last];
}

const newline = 0x0a;
const carriageReturn = 0x0d;
const byteOrderMark = '\uFEFF';

class LineCutter {
	readonly #name: string;
	readonly #carry = new Carry();
	#number: number;
	#offset: number;

	constructor(name: string, start: {offset: number; number: number}) {
		this.#name = name;
		this.#number = start.number;
		this.#offset = start.offset;
	}

	push(piece: Buffer): Line[] {
		const lines: Line[] = [];
		let begin = 0;
		for (let end = piece.indexOf(newline); end >= 0; end = piece.indexOf(newline, begin)) {
			lines.push(this.#line(this.#carry.take(piece.subarray(begin, end))));
			begin = end + 1;
		}

		if (begin < piece.length) this.#carry.push(piece.subarray(begin), this.#where());
		return lines;
	}

	end(): Line | undefined {
		if (this.#carry.size === 0) return;
		return this.#line(this.#carry.take(Buffer.alloc(0)));
	}

	#where(): string {
		return `${this.#name}:${this.#number}`;
	}

	#line(bytes: Buffer): Line {
		const offset = this.#offset;
		const length = bytes.at(-1) === carriageReturn ? bytes.length - 1 : bytes.length;
		const text = decodeUtf8(bytes.subarray(0, length), this.#where(), {offset});
		this.#offset += bytes.length + 1;
		const number = this.#number++;
		if (offset > 0 || !text.startsWith(byteOrderMark)) return {number, offset, length, text};
		return {number, offset: 3, length: length - 3, text: text.slice(1)};
	}
}
