// Of what kind a text file is, by what it holds and never by its name. Only its beginning is read.

import type {FileHandle} from 'node:fs/promises';
import {type Dialect, dialectOf} from './delimited.js';
import {readHead} from './pieces.js';

/**
`json-lines`: one object or one array of texts a line. `json-array`: one array of objects or of
arrays. `delimited`: CSV or TSV with a header. `text`: anything else.
*/
export type ContentKind = 'json-array' | 'json-lines' | 'text' | 'delimited';

const headBytes = 64 * 1024;

/** The kind of a file by its first 64 KB. An empty file is `text`. */
export async function sniff(source: string | FileHandle): Promise<ContentKind> {
	return kindOfHead(await readHead(source, headBytes));
}

/** The kind of a text that begins like this. */
export function kindOfHead(head: Uint8Array): ContentKind {
	const isCut = head.length >= headBytes;
	const text = new TextDecoder().decode(head).trimStart();
	if (/^\{\s*["}]/.test(text)) return 'json-lines';
	if (/^\[\s*[[{\]]/.test(text)) return isLineOfLists(text, isCut) ? 'json-lines' : 'json-array';
	if (/^\[\s*"/.test(text)) return isListLine(text, isCut) ? 'json-lines' : 'text';
	return isDelimited(text, isCut) ? 'delimited' : 'text';
}

/**
Whether a text that begins with `["` has a whole array as its first line (or a line too long to
see).
*/
function isListLine(text: string, isCut: boolean): boolean {
	const end = text.indexOf('\n');
	if (end < 0 && isCut) return true;
	try {
		return Array.isArray(JSON.parse(end < 0 ? text : text.slice(0, end)));
	} catch {
		return false;
	}
}

/**
Whether `[[…` or `[{…` is a line of its own with another array below, not the begin of one big
array.
*/
function isLineOfLists(text: string, isCut: boolean): boolean {
	const end = text.indexOf('\n');
	return end >= 0 && text.slice(end).trimStart().startsWith('[') && isListLine(text, isCut);
}

/** A header of distinct short names, and rows below of which most have as many cells. */
function isDelimited(text: string, isCut: boolean): boolean {
	const lines = text.split('\n').filter(line => line.trim() !== '');
	const [header, ...below] = lines;
	if (header === undefined || below.length === 0) return false;
	const dialect = headerDialect(header.replace(/\r$/, ''));
	if (dialect === undefined || dialect.columns.length < 2) return false;
	if (!dialect.columns.every(isColumnName)) return false;
	// A quoted cell may go on in the next line, so only rows without quotes are counted.
	const rows = isCut ? below.slice(0, -1) : below;
	const plain = rows.filter(row => !row.includes('"')).slice(0, 20);
	const fitting = plain.filter(
		row => row.split(dialect.separator).length === dialect.columns.length,
	);
	return fitting.length * 2 >= plain.length;
}

function headerDialect(header: string): Dialect | undefined {
	try {
		return dialectOf(header, 'header');
	} catch {
		return;
	}
}

function isColumnName(cell: string): boolean {
	return /^[\p{L}_][\p{L}\p{N}_ .:/-]{0,63}$/u.test(cell);
}
