// The texts that `encode` reads: a file or standard input, read once and in flat memory. Recognised by
// content: JSON Lines (or one JSON array) of objects, or plain text, of which every line is a text.

import {addAbortSignal} from 'node:stream';
import {EngineError, kindOf} from '../errors.js';
import {readJsonArray} from '../files/json-array.js';
import {readLines} from '../files/lines.js';
import {readPieces} from '../files/pieces.js';
import {parseJson} from '../files/records.js';
import {kindOfHead} from '../files/sniff.js';
import {DistinctIds} from './distinct-ids.js';

/** `where` begins the messages about it. */
export type Text = {id: string; text: string; where: string};

export type TextSource = {
	/** All texts in order; to be read once. */
	texts: AsyncGenerator<Text, void, undefined>;
	/** Bytes that were read so far. */
	bytesRead: () => number;
	/** Lets go of the file; needed only when `texts` is not read to its end. */
	close: () => Promise<void>;
};

type SourceOptions = {
	/** Fields that make up the text of an object, joined by a space. Default: title, if any, and text. */
	fields?: readonly string[] | undefined;
	signal: AbortSignal;
};

type Row = {where: string; number: number; text: string};

const headBytes = 64 * 1024;

/** Opens `-` or a file and looks at its beginning. */
export async function openTexts(
	input: string,
	{fields, signal}: SourceOptions,
): Promise<TextSource> {
	const name = input === '-' ? 'standard input' : input;
	let read = 0;
	const pieces = readPieces(input === '-' ? addAbortSignal(signal, process.stdin) : input, {
		signal,
		name,
		onPiece: piece => {
			read += piece.length;
		},
	});
	const close = async () => void (await pieces.return());
	try {
		const head = await readHead(pieces);
		if (head.length === 0) {
			throw new EngineError('FILE_EMPTY', `${name}: expected texts, got an empty file`);
		}
		const isText = kindOfContent(head) === 'text';
		if (isText && fields) {
			const message = 'field: expected objects of JSON to take fields from, got plain text';
			throw new EngineError('OPTION_CONFLICT', `${name}: ${message}`);
		}
		const rest = rejoin(head, pieces);
		const texts = isText ? textsOfLines(rest, name) : textsOfObjects(rest, {name, head, fields});
		return {texts, bytesRead: () => read, close};
	} catch (error) {
		await close();
		throw error;
	}
}

/** The beginning, up to the end of the first line that is not blank. */
async function readHead(pieces: AsyncGenerator<Buffer, void, undefined>): Promise<Buffer> {
	let head = Buffer.alloc(0);
	while (head.length < headBytes && !/\S[^\n]*\n/.test(head.toString('latin1'))) {
		const {value, done} = await pieces.next();
		if (done) break;
		head = Buffer.concat([head, value]);
	}
	return head;
}

/** Only objects have a text by name; lists and tables are plain text here. */
function kindOfContent(head: Buffer): 'text' | 'lines' | 'array' {
	const kind = kindOfHead(head.subarray(0, headBytes));
	const first = head
		.toString('utf8')
		.replace(/^\uFEFF/, '')
		.trimStart();
	if (kind === 'json-lines' && first.startsWith('{')) return 'lines';
	return kind === 'json-array' && /^\[\s*(\{|\]\s*$)/.test(first) ? 'array' : 'text';
}

async function* rejoin(
	head: Buffer,
	pieces: AsyncGenerator<Buffer, void, undefined>,
): AsyncGenerator<Buffer, void, undefined> {
	yield head;
	yield* pieces;
}

async function* textsOfLines(
	source: AsyncIterable<Buffer>,
	name: string,
): AsyncGenerator<Text, void, undefined> {
	for await (const lines of readLines(source, {name})) {
		for (const {number, text} of lines) {
			yield {id: String(number - 1), text, where: `${name}:${number}`};
		}
	}
}

async function* textsOfObjects(
	source: AsyncIterable<Buffer>,
	{name, head, fields}: {name: string; head: Buffer; fields: readonly string[] | undefined},
): AsyncGenerator<Text, void, undefined> {
	const isArray = kindOfContent(head) === 'array';
	const rows = isArray ? rowsOfArray(source, name) : rowsOfLines(source, name);
	const unit = isArray ? 'element' : 'line';
	const ids = new DistinctIds(name, unit);
	try {
		for await (const batch of rows) {
			for (const {text, where, number} of batch) {
				const object = objectOf(parseJson(text, where), where);
				const id = idOf(object, where) ?? String(number);
				await ids.add(id, number, where);
				yield {id, text: textOf(object, where, fields), where};
			}
		}
		await ids.finish();
	} finally {
		await ids.close();
	}
}

async function* rowsOfLines(
	source: AsyncIterable<Buffer>,
	name: string,
): AsyncGenerator<Row[], void, undefined> {
	for await (const lines of readLines(source, {name})) {
		yield lines
			.filter(({text}) => text.trim() !== '')
			.map(({text, number}) => ({text, where: `${name}:${number}`, number: number - 1}));
	}
}

async function* rowsOfArray(
	source: AsyncIterable<Buffer>,
	name: string,
): AsyncGenerator<Row[], void, undefined> {
	for await (const elements of readJsonArray(source, {name})) {
		yield elements.map(({text, line, number}) => ({
			text,
			where: `${name}:${line}: element ${number}`,
			number: number - 1,
		}));
	}
}

type Fields = Readonly<Record<string, unknown>>;

function objectOf(value: unknown, where: string): Fields {
	if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
	throw badRow(where, 'an object', kindOf(value));
}

// Ids are strings; a number is one if it is whole and was not rounded when it was parsed.
function idOf(object: Fields, where: string): string | undefined {
	const name = object._id === undefined || object._id === null ? 'id' : '_id';
	const id = object[name];
	if (id === undefined || id === null) return undefined;
	if (typeof id === 'string') return id;
	if (Number.isSafeInteger(id)) return String(id);
	const got = typeof id === 'number' ? String(id) : kindOf(id);
	throw badRow(where, `"${name}" to be a string or a whole number below 2^53`, got);
}

function textOf(object: Fields, where: string, fields: readonly string[] | undefined): string {
	if (fields) {
		const parts = fields.map(name => optionalField(object, name, where) ?? '');
		if (fields.every(name => object[name] === undefined || object[name] === null)) {
			throw badRow(where, fields.map(name => `"${name}"`).join(' or '), listOf(object));
		}
		return parts.filter(part => part !== '').join(' ');
	}
	const title = optionalField(object, 'title', where);
	const text = optionalField(object, 'text', where);
	if (text === undefined) throw badRow(where, 'a "text"', listOf(object));
	return title ? `${title} ${text}` : text;
}

function optionalField(object: Fields, name: string, where: string): string | undefined {
	const value = object[name];
	if (typeof value === 'string') return value;
	if (value === undefined || value === null) return undefined;
	throw badRow(where, `"${name}" to be a string`, kindOf(value));
}

function listOf(object: Fields): string {
	const names = Object.keys(object).slice(0, 8);
	return names.length === 0 ? 'no fields' : `only ${names.map(name => `"${name}"`).join(', ')}`;
}

function badRow(where: string, expected: string, got: string): EngineError {
	return new EngineError('DATA_ROW', `${where}: expected ${expected}, got ${got}`);
}
