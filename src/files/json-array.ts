// The elements of one big JSON array, without holding the array: brackets and strings are followed
// byte by byte and each object (or inner array) comes out as its own text. Whether that text is
// valid JSON is for JSON.parse to say.

import {EngineError} from '../errors.js';
import {decodeUtf8} from '../utf8.js';
import type {Line, LineOptions} from './lines.js';
import {type ByteSource, Carry, nameOf, readPieces} from './pieces.js';

export interface Element extends Line {
	/** The line on which the element begins; `number` counts elements. */
	line: number;
}

/**
The elements of the array that a source holds, in batches. Anything before, between or after is
refused.
*/
export async function* readJsonArray(
	source: ByteSource,
	options: Omit<LineOptions, 'start'> = {},
): AsyncGenerator<Element[], void, undefined> {
	const cutter = new ElementCutter(nameOf(source, options.name));
	for await (const piece of readPieces(source, options)) {
		const elements = cutter.push(piece);
		if (elements.length > 0) yield elements;
	}

	cutter.end();
}

const byte = {
	newline: 0x0a,
	quote: 0x22,
	comma: 0x2c,
	openBracket: 0x5b,
	backslash: 0x5c,
	closeBracket: 0x5d,
	openBrace: 0x7b,
	closeBrace: 0x7d,
} as const;

const byteOrderMark = [0xef, 0xbb, 0xbf];

/** What may come next outside an element. */
type Place = 'open' | 'first' | 'next' | 'separator' | 'end';

const expectations: Record<Place, string> = {
	open: 'an array that begins with "["',
	first: 'an object or "]"',
	next: 'an object',
	separator: '"," or "]"',
	end: 'nothing after the array',
};

class ElementCutter {
	readonly #name: string;
	readonly #carry = new Carry();
	#place: Place = 'open';
	#position = 0;
	#number = 0;
	#line = 1;
	/** The element being read; open brackets are counted in `#depth`, which is 0 outside. */
	#begin = {offset: 0, line: 1};
	#depth = 0;
	#isInString = false;
	#isEscaped = false;

	constructor(name: string) {
		this.#name = name;
	}

	push(piece: Buffer): Element[] {
		const elements: Element[] = [];
		let at = 0;
		while (at < piece.length) {
			if (this.#depth === 0) {
				at = this.#outside(piece, at);
				continue;
			}

			const end = this.#inside(piece, at);
			const part = piece.subarray(at, end);
			if (this.#depth > 0) this.#carry.push(part, this.#where());
			else elements.push(this.#element(this.#carry.take(part)));
			at = end;
		}

		this.#position += piece.length;
		return elements;
	}

	end(): void {
		if (this.#depth > 0) this.#refuse('the end of the element', 'the end of the file');
		if (this.#place !== 'end') this.#refuse(expectations[this.#place], 'the end of the file');
	}

	/** Reads one byte between elements; stays on the bracket that begins one. */
	#outside(piece: Buffer, at: number): number {
		const value = piece[at]!;
		const position = this.#position + at;
		if (value === byte.newline) this.#line++;
		if (isBlank(value) || (position < 3 && value === byteOrderMark[position])) return at + 1;
		const isElement = this.#place === 'first' || this.#place === 'next';
		if (isElement && (value === byte.openBrace || value === byte.openBracket)) {
			this.#begin = {offset: position, line: this.#line};
			this.#depth = 1;
			this.#carry.push(piece.subarray(at, at + 1), this.#where());
		} else {
			this.#place = this.#after(value);
		}

		return at + 1;
	}

	#after(value: number): Place {
		const place = this.#place;
		if (place === 'open' && value === byte.openBracket) return 'first';
		if (place === 'separator' && value === byte.comma) return 'next';
		const mayClose = place === 'first' || place === 'separator';
		if (mayClose && value === byte.closeBracket) return 'end';
		return this.#refuse(expectations[place], JSON.stringify(String.fromCharCode(value)));
	}

	/** Follows the open element; returns the index behind it, or the end of the piece. */
	#inside(piece: Buffer, from: number): number {
		let depth = this.#depth;
		let isInString = this.#isInString;
		let isEscaped = this.#isEscaped;
		let at = from;
		while (at < piece.length && depth > 0) {
			const value = piece[at++]!;
			if (isEscaped) isEscaped = false;
			else if (value === byte.quote) isInString = !isInString;
			else if (isInString) isEscaped = value === byte.backslash;
			else if (value === byte.newline) this.#line++;
			else if (value === byte.openBrace || value === byte.openBracket) depth++;
			else if (value === byte.closeBrace || value === byte.closeBracket) depth--;
		}

		this.#depth = depth;
		this.#isInString = isInString;
		this.#isEscaped = isEscaped;
		return at;
	}

	#element(bytes: Buffer): Element {
		const number = ++this.#number;
		this.#place = 'separator';
		const {offset} = this.#begin;
		const text = decodeUtf8(bytes, `${this.#name}:${this.#begin.line}`, {offset});
		return {number, ...this.#begin, length: bytes.length, text};
	}

	#where(): string {
		return `${this.#name}:${this.#line}`;
	}

	#refuse(expected: string, got: string): never {
		throw new EngineError('FILE_FORMAT', `${this.#where()}: expected ${expected}, got ${got}`);
	}
}

function isBlank(value: number): boolean {
	return value === 0x20 || value === byte.newline || value === 0x0d || value === 0x09;
}
