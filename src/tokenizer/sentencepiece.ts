// The file of a SentencePiece model, a protocol buffer: its pieces and how it normalises. Fields that
// are not asked for are stepped over.

import {EngineError} from '../errors.js';
import {invalid} from './json.js';

export interface Piece {
	readonly text: string;
	readonly score: number;
	/** 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. */
	readonly type: number;
}

export interface SentencePieces {
	readonly pieces: readonly Piece[];
	readonly unknownId: number;
	/** The normaliser, in base64; empty when there is none. */
	readonly charsmap: string;
}

interface Field {
	readonly number: number;
	/** A number, or the bytes of a text, a message or a 32-bit value. */
	readonly value: number | Buffer;
}

const unigram = 1;
const modelKinds = ['none', 'Unigram', 'BPE', 'words', 'characters'];

/** Parses a Unigram model; throws `TOKENIZER_INVALID`, or `TOKENIZER_KIND` for one of another kind. */
export function readSentencePieces(bytes: Uint8Array, path: string): SentencePieces {
	const model = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const pieces: Piece[] = [];
	let kind = unigram;
	let unknownId = 0;
	let charsmap = '';
	for (const {number, value} of fieldsOf(model, path)) {
		if (number === 1) pieces.push(readPiece(bytesOf(value, path), path));
		if (number === 2) {
			for (const setting of fieldsOf(bytesOf(value, path), path)) {
				if (setting.number === 3) kind = numberOf(setting.value, path);
				if (setting.number === 40) unknownId = numberOf(setting.value, path);
			}
		}
		if (number === 3) {
			for (const setting of fieldsOf(bytesOf(value, path), path)) {
				if (setting.number === 2) charsmap = bytesOf(setting.value, path).toString('base64');
			}
		}
	}
	if (pieces.length === 0) throw invalid(path, 'pieces', undefined);
	if (kind === unigram) return {pieces, unknownId, charsmap};
	const got = modelKinds[kind] ?? `kind ${kind}`;
	throw new EngineError(
		'TOKENIZER_KIND',
		`${path}: expected a Unigram model, got ${got}; save the model with a tokenizer.json`,
	);
}

function readPiece(bytes: Buffer, path: string): Piece {
	let text = '';
	let score = 0;
	let type = 1;
	for (const {number, value} of fieldsOf(bytes, path)) {
		if (number === 1) text = bytesOf(value, path).toString('utf8');
		if (number === 2) score = floatOf(value, path);
		if (number === 3) type = numberOf(value, path);
	}
	return {text, score, type};
}

/** The fields of a message in their order. */
function* fieldsOf(bytes: Buffer, path: string): Generator<Field> {
	const cursor = {at: 0};
	while (cursor.at < bytes.length) {
		const tag = readVarint(bytes, cursor, path);
		const number = Math.floor(tag / 8);
		const length = lengthOf(tag % 8, bytes, cursor, path);
		if (length === undefined) {
			yield {number, value: readVarint(bytes, cursor, path)};
			continue;
		}
		const end = cursor.at + length;
		if (end > bytes.length) throw invalid(path, `${length} bytes of field ${number}`, 'fewer');
		yield {number, value: bytes.subarray(cursor.at, end)};
		cursor.at = end;
	}
}

type Cursor = {at: number};

/** The bytes of a value by its wire type; nothing for a number that says itself where it ends. */
function lengthOf(
	wireType: number,
	bytes: Buffer,
	cursor: Cursor,
	path: string,
): number | undefined {
	if (wireType === 0) return undefined;
	if (wireType === 1) return 8;
	if (wireType === 2) return readVarint(bytes, cursor, path);
	if (wireType === 5) return 4;
	throw invalid(path, 'a SentencePiece model', 'another file');
}

/** A number of seven bits a byte, lowest first. Bits beyond 2^53 are of no field that is read. */
function readVarint(bytes: Buffer, cursor: Cursor, path: string): number {
	let value = 0;
	for (let shift = 0; shift < 70; shift += 7) {
		const byte = bytes[cursor.at++];
		if (byte === undefined) throw invalid(path, 'a whole SentencePiece model', 'one that is cut');
		value += (byte & 127) * 2 ** shift;
		if (byte < 128) return value;
	}
	throw invalid(path, 'a SentencePiece model', 'another file');
}

function bytesOf(value: number | Buffer, path: string): Buffer {
	if (typeof value !== 'number') return value;
	throw invalid(path, 'a SentencePiece model', 'another file');
}

function numberOf(value: number | Buffer, path: string): number {
	if (typeof value === 'number') return value;
	throw invalid(path, 'a SentencePiece model', 'another file');
}

function floatOf(value: number | Buffer, path: string): number {
	const bytes = bytesOf(value, path);
	if (bytes.length !== 4) throw invalid(path, 'a score of 4 bytes', bytes.length);
	const score = bytes.readFloatLE(0);
	if (Number.isFinite(score)) return score;
	throw invalid(path, 'a finite score', String(score));
}
