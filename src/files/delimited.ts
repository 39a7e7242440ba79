// CSV and TSV with a header. CSV follows RFC 4180: quoted cells, doubled quotes, newlines inside
// quotes. TSV has no quoting, but for a header in quotes (then all as CSV) and for cells that a
// spreadsheet quoted because of a quote.

import type {FileHandle} from 'node:fs/promises';
import {EngineError} from '../errors.js';
import {type Line, type LineOptions, readLines} from './lines.js';
import {type ByteSource, longestText, nameOf} from './pieces.js';

export interface Dialect {
	separator: ',' | '\t';
	/** Whether a cell may be quoted, and so hold separators and newlines. */
	hasQuotes: boolean;
	columns: string[];
}

/** The dialect that a header line shows: a tab in it makes TSV. */
export function dialectOf(header: string, where: string): Dialect {
	const separator = header.includes('\t') ? '\t' : ',';
	const dialect: Dialect = {
		separator,
		hasQuotes: separator === ',' || header.startsWith('"'),
		columns: [],
	};
	const columns = cellsOf(header, dialect, where);
	const seen = new Set<string>();
	const repeated = columns.find(column => seen.size === seen.add(column).size);
	if (repeated === undefined) return {...dialect, columns};
	const expected = 'expected a header of distinct names';
	throw new EngineError('FILE_FORMAT', `${where}: ${expected}, got "${repeated}" twice`);
}

/** The dialect of a file, by its first line that is not blank. */
export async function readDialect(source: string | FileHandle, name?: string): Promise<Dialect> {
	const label = nameOf(source, name);
	for await (const lines of readLines(source, {name})) {
		const header = lines.find(isNotBlank);
		if (header !== undefined) return dialectOf(header.text, `${label}:${header.number}`);
	}

	throw new EngineError('FILE_EMPTY', `${label}: expected a header, got nothing`);
}

/** The rows below the header, as they stand in the file; blank lines are left out. */
export async function* readRows(
	source: ByteSource,
	dialect: Dialect,
	options: Omit<LineOptions, 'start'> = {},
): AsyncGenerator<Line[], void, undefined> {
	const joiner = new RowJoiner(dialect, nameOf(source, options.name));
	let isBelowHeader = false;
	for await (const lines of readLines(source, options)) {
		const rows = lines.flatMap(line => joiner.push(line)).filter(isNotBlank);
		const below = isBelowHeader ? rows : rows.slice(1);
		isBelowHeader ||= rows.length > 0;
		if (below.length > 0) yield below;
	}

	joiner.end();
}

/** A row as an object. An empty cell is an absent field. */
export function recordOf(row: string, dialect: Dialect, where: string): Record<string, string> {
	const cells = cellsOf(row, dialect, where);
	const {columns} = dialect;
	if (cells.length !== columns.length) {
		const expected = `expected ${columns.length} cells as in the header`;
		throw new EngineError('FILE_FORMAT', `${where}: ${expected}, got ${cells.length}`);
	}

	const pairs = columns.map((column, index) => [column, cells[index]!] as const);
	return Object.fromEntries(pairs.filter(([, cell]) => cell !== ''));
}

/** The cells of one row. */
export function cellsOf(row: string, dialect: Dialect, where: string): string[] {
	const {separator, hasQuotes} = dialect;
	if (!hasQuotes) return row.split(separator).map(unquoteSpreadsheet);
	const cells: string[] = [];
	for (let at = 0; at <= row.length; ) {
		const isQuoted = row[at] === '"';
		const end = isQuoted ? behindQuotes(row, at, where) : cellEnd(row, at, separator);
		if (end < row.length && row[end] !== separator) {
			const got = JSON.stringify(row.slice(end, end + 10));
			const expected = 'expected a separator after a closing quote';
			throw new EngineError('FILE_FORMAT', `${where}: ${expected}, got ${got}`);
		}

		const cell = row.slice(at, end);
		cells.push(isQuoted ? unquote(cell) : cell);
		at = end + 1;
	}

	return cells;
}

function cellEnd(row: string, from: number, separator: string): number {
	const end = row.indexOf(separator, from);
	return end < 0 ? row.length : end;
}

function behindQuotes(row: string, begin: number, where: string): number {
	let at = row.indexOf('"', begin + 1);
	while (at >= 0 && row[at + 1] === '"') at = row.indexOf('"', at + 2);
	if (at >= 0) return at + 1;
	const message = `${where}: expected a closing quote, got the end of the row`;
	throw new EngineError('FILE_FORMAT', message);
}

function unquote(cell: string): string {
	return cell.slice(1, -1).replaceAll('""', '"');
}

/** `"say ""hi"""` is quoted by a program; `"hi"` and `5" disk` stand so in the text. */
function unquoteSpreadsheet(cell: string): string {
	if (cell.length < 4 || !cell.startsWith('"') || !cell.endsWith('"')) return cell;
	const inside = cell.slice(1, -1);
	const isQuoted = inside.includes('""') && !inside.replaceAll('""', '').includes('"');
	return isQuoted ? unquote(cell) : cell;
}

function isNotBlank({text}: Line): boolean {
	return text.trim() !== '';
}

/** Joins the lines of a row whose quoted cell holds newlines. */
class RowJoiner {
	readonly #dialect: Dialect;
	readonly #name: string;
	#open: Line[] = [];
	#length = 0;

	constructor(dialect: Dialect, name: string) {
		this.#dialect = dialect;
		this.#name = name;
	}

	push(line: Line): Line[] {
		const {separator, hasQuotes} = this.#dialect;
		const isOpen = hasQuotes && endsInQuotes(line.text, separator, this.#open.length > 0);
		if (this.#open.length === 0 && !isOpen) return [line];
		this.#open.push(line);
		this.#length += line.length;
		if (this.#length > longestText) this.#refuse(`${longestText} bytes without one`);
		return isOpen ? [] : [this.#join()];
	}

	end(): void {
		if (this.#open.length > 0) this.#refuse('the end of the file');
	}

	#join(): Line {
		const [first, ...rest] = this.#open;
		let text = first!.text;
		let end = first!.offset + first!.length;
		for (const line of rest) {
			text += (line.offset - end === 2 ? '\r\n' : '\n') + line.text;
			end = line.offset + line.length;
		}

		this.#open = [];
		this.#length = 0;
		return {number: first!.number, offset: first!.offset, length: end - first!.offset, text};
	}

	#refuse(got: string): never {
		const where = `${this.#name}:${this.#open[0]!.number}`;
		throw new EngineError('FILE_FORMAT', `${where}: expected a closing quote, got ${got}`);
	}
}

/** Whether a line ends inside a quoted cell; `isInside` says whether it begins in one. */
function endsInQuotes(line: string, separator: string, isInside: boolean): boolean {
	let at = isInside ? 0 : behindOpeningQuote(line, 0, separator);
	while (at >= 0) {
		let end = line.indexOf('"', at);
		while (end >= 0 && line[end + 1] === '"') end = line.indexOf('"', end + 2);
		if (end < 0) return true;
		const next = line.indexOf(separator, end);
		at = next < 0 ? -1 : behindOpeningQuote(line, next + 1, separator);
	}

	return false;
}

/** Where the next quoted cell at or behind `cell` begins, or -1. */
function behindOpeningQuote(line: string, cell: number, separator: string): number {
	if (line[cell] === '"') return cell + 1;
	const next = line.indexOf(`${separator}"`, cell);
	return next < 0 ? -1 : next + 2;
}
