// TSV without a header, as MS MARCO writes its triples: query, positive, negatives, as texts or
// as ids of texts in files beside it.

import type {FileHandle} from 'node:fs/promises';
import {EngineError} from '../errors.js';
import {readLines} from '../files/lines.js';
import {readHead} from '../files/pieces.js';
import type {RecordFormat, Slice} from '../files/records.js';
import {isFieldName, type Names} from './fields.js';

/** How a table without a header looks. */
export interface Tabbed {
	cells: number;
	/** Whether every cell is a number, and so an id. */
	isById: boolean;
}

const headBytes = 2 ** 16;

/**
What a table without a header holds; nothing for any other file. A first line of single words is a
header, though of unknown names.
*/
export async function recogniseTabbed(
	handle: FileHandle,
	names?: Names,
): Promise<Tabbed | undefined> {
	const lines = await firstLines(handle);
	const [first, ...others] = lines.map(line => line.split('\t'));
	if (first === undefined || first.length < 2 || /^\s*[[{]/.test(first[0]!)) return;
	if (first.some(cell => isFieldName(cell.trim(), names))) return;
	// A line gone wrong is for the reading to name.
	const fitting = others.filter(cells => cells.length === first.length);
	if (fitting.length * 2 < others.length) return;
	const all = [first, ...fitting];
	const isById = all.every(cells => cells.every(cell => /^\d+$/.test(cell)));
	if (isById) return {cells: first.length, isById};
	// Numbers beside texts are ids, labels or scores, and only a header can say which.
	const hasNumbers = first.some((_, column) => all.every(cells => isNumber(cells[column]!)));
	const isHeader = first.every(cell => /^[\p{L}_][\p{L}\p{N}_.-]*$/u.test(cell));
	return isHeader || hasNumbers ? undefined : {cells: first.length, isById};
}

/** Whether a file begins with the names of fields and nothing else: a header, whatever stands below. */
export async function hasHeader(handle: FileHandle, names?: Names): Promise<boolean> {
	const [first = ''] = await firstLines(handle);
	const cells = first.replace(/^\uFEFF/, '').split(/[\t,;]/);
	return cells.length > 1 && cells.every(cell => isFieldName(cell.trim(), names));
}

function isNumber(cell: string): boolean {
	return cell.trim() !== '' && Number.isFinite(Number(cell));
}

/** Rows as lists of cells. */
export function tabbedFormat(handle: FileHandle, name: string, count: number): RecordFormat {
	async function* slices(options = {}): AsyncGenerator<Slice[], void, undefined> {
		for await (const lines of readLines(handle, {name, ...options})) {
			const filled = lines.filter(line => line.text.trim() !== '');
			yield filled.map(line => ({...line, where: `${name}:${line.number}`}));
		}
	}

	const parse = (text: string, where: string) => {
		const cells = text.split('\t');
		if (cells.length === count) return cells;
		const expected = `expected ${count} cells as in the first line`;
		throw new EngineError('FILE_FORMAT', `${where}: ${expected}, got ${cells.length}`);
	};
	return {kind: 'delimited', slices, parse};
}

/** Whole lines at the begin of a file, at most 20. */
async function firstLines(handle: FileHandle): Promise<string[]> {
	const head = await readHead(handle, headBytes);
	const text = new TextDecoder().decode(head);
	const lines = text.split(/\r?\n/).filter(line => line.trim() !== '');
	const isCut = head.length >= headBytes && lines.length > 1;
	return (isCut ? lines.slice(0, -1) : lines).slice(0, 20);
}
