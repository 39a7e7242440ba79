// The header of a safetensors file: what it claims is believed only after every claim was checked.
// Bytes in, entries out; reading and writing files is not done here.

import {EngineError, kindOf} from '../errors.js';
import {decodeUtf8} from '../utf8.js';
import {parseStrictJson} from './strict-json.js';

/** Bits of one value of each type the format knows. */
const bitsOf = {
	BOOL: 8,
	U8: 8,
	I8: 8,
	F8_E4M3: 8,
	F8_E5M2: 8,
	F8_E8M0: 8,
	F8_E4M3FNUZ: 8,
	F8_E5M2FNUZ: 8,
	I16: 16,
	U16: 16,
	F16: 16,
	BF16: 16,
	I32: 32,
	U32: 32,
	F32: 32,
	I64: 64,
	U64: 64,
	F64: 64,
	C64: 64,
	F4: 4,
	F6_E2M3: 6,
	F6_E3M2: 6,
} as const;

export type TensorDtype = keyof typeof bitsOf;

export interface TensorEntry {
	name: string;
	/** The file it lies in. */
	path: string;
	dtype: TensorDtype;
	shape: number[];
	/** Bytes of the file: the first, and the one behind the last. */
	begin: number;
	end: number;
}

/** What a weight file holds, or several of one model together. */
export interface TensorTable {
	/** The file, or the index of several; for messages. */
	path: string;
	metadata: Record<string, string>;
	tensors: Map<string, TensorEntry>;
}

/** A header as its text says it, offsets counted from the begin of the data. */
export interface ParsedHeader {
	metadata: Record<string, string>;
	tensors: TensorEntry[];
}

/** Throws the error of a file that lies. */
export function refuse(where: string, expected: string, got: string): never {
	const message = `${where}: expected ${expected}, got ${got}`;
	throw new EngineError('SAFETENSORS_INVALID', message);
}

/** The bytes that a tensor takes, or nothing when they are too many to count or no whole number. */
export function tensorBytes(dtype: TensorDtype, shape: readonly number[]): number | undefined {
	let bits: number = bitsOf[dtype];
	for (const extent of shape) {
		bits *= extent;
		if (!Number.isSafeInteger(bits)) return;
	}

	return bits % 8 === 0 ? bits / 8 : undefined;
}

/**
Tensors by falling width of their type, so that each lies aligned; equal widths keep their order.
*/
export function alignedOrder<T extends {dtype: TensorDtype}>(tensors: readonly T[]): T[] {
	return tensors.toSorted((a, b) => bitsOf[b.dtype] - bitsOf[a.dtype]);
}

const longestHeader = 100_000_000;

/** Bytes of a file before its header, which say how long the header is. */
export const lengthBytes = 8;

/** The length of the header of a file of `size` bytes, which begins with `prefix`. */
export function headerLength(prefix: Buffer, size: number, path: string): number {
	if (size < lengthBytes) refuse(path, `at least ${lengthBytes} bytes`, `${size}`);
	const claimed = prefix.readBigUInt64LE();
	const bytes = Number(claimed);
	if (bytes > longestHeader) {
		const got = `${claimed}; it is no safetensors file`;
		refuse(path, `a header of at most ${longestHeader} bytes`, got);
	}

	if (bytes > size - lengthBytes) {
		const got = `a file of ${size}; it is cut or no safetensors file`;
		refuse(path, `a header of ${bytes} bytes`, got);
	}

	return bytes;
}

/**
Reads a header (without its length). The tensors of one that passes fill `data` (bytes of the file)
exactly: no hole, no overlap, nothing cut.
*/
export function parseHeader(
	bytes: Buffer,
	data: {begin: number; end: number},
	path: string,
): ParsedHeader {
	const code = 'SAFETENSORS_INVALID';
	const header = parseObject(decodeUtf8(bytes, path, {code, offset: lengthBytes}), path);
	const metadata = checkMetadata(header.__metadata__ ?? {}, path);
	const entries = Object.entries(header).filter(([name]) => name !== '__metadata__');
	const tensors = entries.map(entry => checkEntry(entry, data.begin, path));
	checkTiling(tensors, data, path);
	return {metadata, tensors};
}

function parseObject(text: string, path: string): Record<string, unknown> {
	try {
		const header = parseStrictJson(text);
		if (isObject(header) && text.startsWith('{')) return header;
	} catch (error) {
		const reason = error instanceof Error ? error.message.slice(0, 120) : '';
		refuse(path, 'a header of JSON', `other text (${reason})`);
	}

	return refuse(path, 'a header that is an object', `text that begins ${shorten(text)}`);
}

function checkMetadata(metadata: unknown, path: string): Record<string, string> {
	if (!isObject(metadata)) refuse(path, '"__metadata__" to be an object', kindOf(metadata));
	for (const [key, value] of Object.entries(metadata)) {
		if (typeof value !== 'string') refuse(path, `metadata "${key}" to be a string`, kindOf(value));
	}

	return metadata as Record<string, string>;
}

function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkEntry(
	[name, value]: [string, unknown],
	dataBegin: number,
	path: string,
): TensorEntry {
	const where = `${path}: tensor "${name}"`;
	if (!isObject(value)) refuse(where, 'an object', kindOf(value));
	const {dtype, shape, data_offsets: offsets} = value;
	if (!isDtype(dtype)) refuse(where, 'a known dtype', JSON.stringify(dtype) ?? 'none');
	if (!isCounts(shape)) refuse(where, 'a shape of whole numbers from 0', shorten(shape));
	if (!isCounts(offsets) || offsets.length !== 2) refuse(where, 'two offsets', shorten(offsets));
	const [begin, end] = offsets as [number, number];
	const bytes = tensorBytes(dtype, shape);
	if (bytes === undefined)
		refuse(where, 'a size in whole bytes below 2^50', `shape ${shorten(shape)}`);
	if (end - begin !== bytes) {
		const claim = `${dtype} of shape ${shorten(shape)}`;
		refuse(where, `${bytes} bytes for ${claim}`, `offsets ${begin} to ${end}`);
	}

	return {name, path, dtype, shape, begin: dataBegin + begin, end: dataBegin + end};
}

function isDtype(value: unknown): value is TensorDtype {
	return typeof value === 'string' && Object.hasOwn(bitsOf, value);
}

function isCounts(value: unknown): value is number[] {
	return Array.isArray(value) && value.every(count => Number.isSafeInteger(count) && count >= 0);
}

function shorten(value: unknown): string {
	return (JSON.stringify(value) ?? 'none').slice(0, 80);
}

/**
Tensors end to end from the first to the last byte of the data: no hole, no overlap, nothing cut.
*/
function checkTiling(
	tensors: TensorEntry[],
	data: {begin: number; end: number},
	path: string,
): void {
	const inOrder = tensors.toSorted((a, b) => a.begin - b.begin || a.end - b.end);
	let at = data.begin;
	for (const {name, begin, end} of inOrder) {
		if (end > data.end) {
			refuse(path, `data up to byte ${end} for tensor "${name}"`, `a file of ${data.end} bytes`);
		}

		if (begin !== at) {
			refuse(path, `tensor "${name}" to begin at byte ${at}`, `byte ${begin}`);
		}

		at = end;
	}

	if (at !== data.end) refuse(path, `a file of ${at} bytes`, `${data.end}`);
}
