// The rows of a data file as values, whatever its format: JSON lines, one JSON array, CSV or TSV
// with a header. The format is recognised by content. What the fields mean is not known here.

import type {FileHandle} from 'node:fs/promises';
import {EngineError} from '../errors.js';
import {readDialect, readRows, recordOf} from './delimited.js';
import {readJsonArray} from './json-array.js';
import {type LineOptions, readLines} from './lines.js';
import {nameOf, readHead} from './pieces.js';
import {type ContentKind, sniff} from './sniff.js';
import {expectDistinctKeys} from './strict-json.js';

/** The text of one row and where it stands. */
export interface Slice {
	/** For messages: `path:line`. */
	where: string;
	offset: number;
	length: number;
	text: string;
}

type SliceOptions = Omit<LineOptions, 'start'>;

/** How to read one data file: all its rows in order, and the value of a row's text. */
export interface RecordFormat {
	kind: ContentKind;
	slices: (options?: SliceOptions) => AsyncGenerator<Slice[], void, undefined>;
	/** Throws an {@link EngineError} that begins with `where`. */
	parse: (text: string, where: string) => unknown;
	/** Where a row says that it stands; missing where its place is its line. */
	whereOf?: (text: string) => string;
}

/** Finds out how to read a file. Plain text has no rows and is refused. */
export async function recognise(source: string | FileHandle, name?: string): Promise<RecordFormat> {
	const label = nameOf(source, name);
	const kind = await sniff(source);
	if (kind === 'json-lines') {
		await refuseIndented(source, label);
		return {
			kind,
			slices: options => filledLines(source, {name: label, ...options}),
			parse: parseJson,
		};
	}

	if (kind === 'json-array') {
		return {kind, slices: options => elements(source, {name: label, ...options}), parse: parseJson};
	}

	return kind === 'delimited' ? delimited(source, label) : refuseText(source, label);
}

/** The format of plain text: each line that is not blank is a row of one text. */
export function textFormat(source: string | FileHandle, label: string): RecordFormat {
	const slices = (options?: SliceOptions) => filledLines(source, {name: label, ...options});
	return {kind: 'text', slices, parse: text => ({text})};
}

/** The format of a file known to hold one JSON value a line. */
export function jsonLinesFormat(source: string | FileHandle, label: string): RecordFormat {
	const slices = (options?: SliceOptions) => filledLines(source, {name: label, ...options});
	return {kind: 'json-lines', slices, parse: parseJson};
}

/** A line of a format whose rows say where they stand, which is what messages then call them. */
export function locatedLine(where: string, json: string): string {
	return `${where.replaceAll(/[\t\r\n]/g, ' ')}\t${json}\n`;
}

/** The format of a file of lines that {@link locatedLine} made. */
export function locatedFormat(source: FileHandle, name: string): RecordFormat {
	const whereOf = (text: string) => text.slice(0, text.indexOf('\t'));
	async function* slices(options: SliceOptions = {}) {
		for await (const lines of readLines(source, {name, ...options})) {
			yield lines.map(line => ({...line, where: whereOf(line.text)}));
		}
	}

	const parse = (text: string) => parseJson(text.slice(text.indexOf('\t') + 1), whereOf(text));
	return {kind: 'json-lines', slices, parse, whereOf};
}

/**
The rows of a file as values, in batches, each with where it stands.

@example
for await (const rows of readRecords('pairs.tsv')) for (const {where, value} of rows) {}
*/
export async function* readRecords(
	path: string,
	options: SliceOptions = {},
): AsyncGenerator<{where: string; value: unknown}[], void, undefined> {
	const {slices, parse} = await recognise(path, options.name);
	for await (const batch of slices(options)) {
		yield batch.map(({where, text}) => ({where, value: parse(text, where)}));
	}
}

/** The value of one line or element of JSON, in which no object names a key twice. */
export function parseJson(text: string, where: string): unknown {
	const value = parsed(text, where);
	expectDistinctKeys(text, value, where);
	return value;
}

function parsed(text: string, where: string): unknown {
	try {
		return JSON.parse(text);
	} catch (error) {
		const reason = error instanceof Error ? error.message.replaceAll('\n', ' ').slice(0, 120) : '';
		const message = `${where}: expected a whole JSON value, got other text (${reason})`;
		throw new EngineError('FILE_FORMAT', message, {cause: error});
	}
}

/** The lines that are not blank. */
async function* filledLines(source: string | FileHandle, options: SliceOptions) {
	for await (const lines of readLines(source, options)) {
		const filled = lines.filter(line => line.text.trim() !== '');
		if (filled.length > 0)
			yield filled.map(line => ({...line, where: `${options.name}:${line.number}`}));
	}
}

async function* elements(source: string | FileHandle, options: SliceOptions) {
	for await (const batch of readJsonArray(source, options)) {
		yield batch.map(element => ({
			...element,
			where: `${options.name}:${element.line}: element ${element.number}`,
		}));
	}
}

/** CSV or TSV with a header, whatever its rows look like. */
export async function delimited(source: string | FileHandle, label: string): Promise<RecordFormat> {
	const dialect = await readDialect(source, label);
	async function* slices(options: SliceOptions = {}) {
		for await (const rows of readRows(source, dialect, {name: label, ...options})) {
			yield rows.map(row => ({...row, where: `${label}:${row.number}`}));
		}
	}

	return {kind: 'delimited', slices, parse: (text, where) => recordOf(text, dialect, where)};
}

/** One value over several lines, as programs indent it, would be as many bad lines. */
async function refuseIndented(source: string | FileHandle, label: string): Promise<void> {
	const head = (await readHead(source, 256)).toString('utf8');
	const [, blank] = /^(\s*)\{[ \t]*\r?\n/.exec(head) ?? [];
	if (blank === undefined) return;
	const number = blank.split('\n').length;
	const expected = 'expected a whole record on each line, or one array of records';
	const got = 'an object that goes on in the next line; write each record on one line';
	throw new EngineError('FILE_FORMAT', `${label}:${number}: ${expected}, got ${got}`);
}

async function refuseText(source: string | FileHandle, label: string): Promise<never> {
	for await (const lines of readLines(source, {name: label})) {
		const first = lines.find(line => line.text.trim() !== '');
		if (first === undefined) continue;
		const expected = 'expected JSON lines, a JSON array, or CSV or TSV with a header';
		const tabs = 'of TSV without a header all rows have as many cells as the first';
		const hint = first.text.includes('\t') ? `; ${tabs}` : '';
		const got = `got text that begins ${JSON.stringify(first.text.slice(0, 40))}${hint}`;
		throw new EngineError('FILE_FORMAT', `${label}:${first.number}: ${expected}, ${got}`);
	}

	throw new EngineError('FILE_EMPTY', `${label}: expected rows, got an empty file`);
}
