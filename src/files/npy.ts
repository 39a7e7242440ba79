// NumPy files: a writer that appends rows of f32 without knowing how many will come, and a reader
// of whole arrays that checks the header before it believes it. Always little endian and in C
// order.

import type {FileHandle} from 'node:fs/promises';
import {EngineError} from '../errors.js';
import {writeFailure} from './failures.js';
import {openToWrite, readInto, withFile} from './open.js';

/**
Writes a matrix of f32 row by row, in the layout of NumPy 1.0. The row count is put into the header
by `close`; without it the file says that it has no rows.
*/
export class NpyWriter {
	readonly #path: string;
	readonly #file: FileHandle;
	readonly #columns: number;
	#rows = 0;
	#isClosed = false;

	private constructor(path: string, file: FileHandle, columns: number) {
		this.#path = path;
		this.#file = file;
		this.#columns = columns;
	}

	static async open(path: string, columns: number): Promise<NpyWriter> {
		const writer = new NpyWriter(path, await openToWrite(path), columns);
		await writer.#write(headerOf(0, columns), 0);
		return writer;
	}

	/** Adds whole rows, end to end. */
	async append(data: Float32Array): Promise<void> {
		const rows = data.length / this.#columns;
		if (this.#isClosed || !Number.isInteger(rows)) {
			const got = this.#isClosed ? 'a closed file' : `${data.length} values`;
			const expected = `expected whole rows of ${this.#columns} values`;
			throw new EngineError('FILE_WRITE', `${this.#path}: ${expected}, got ${got}`);
		}

		const position = headerBytes + this.#rows * this.#columns * data.BYTES_PER_ELEMENT;
		this.#rows += rows;
		await this.#write(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
	}

	/** Writes the row count, flushes the file to the disk and closes it. */
	async close(): Promise<void> {
		if (this.#isClosed) return;
		await this.#write(headerOf(this.#rows, this.#columns), 0);
		await this.#end(() => this.#file.sync());
	}

	/** Closes the file as it is; for a write that is given up. */
	async dispose(): Promise<void> {
		if (!this.#isClosed) await this.#end(async () => {});
	}

	async #end(work: () => Promise<void>): Promise<void> {
		this.#isClosed = true;
		try {
			await work();
		} catch (error) {
			throw writeFailure(this.#path, error);
		} finally {
			await this.#file.close();
		}
	}

	async #write(bytes: Uint8Array, position: number): Promise<void> {
		try {
			for (let at = 0; at < bytes.length; ) {
				const {bytesWritten} = await this.#file.write(bytes, at, bytes.length - at, position + at);
				at += bytesWritten;
			}
		} catch (error) {
			throw writeFailure(this.#path, error);
		}
	}
}

const magic = Buffer.from('\x93NUMPY', 'latin1');

/** All headers have this size, so that any row count fits in afterwards. */
const headerBytes = 128;

function headerOf(rows: number, columns: number): Uint8Array {
	const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${columns}), }`;
	const header = Buffer.alloc(headerBytes, ' ');
	magic.copy(header);
	header.set([1, 0], 6);
	header.writeUInt16LE(headerBytes - 10, 8);
	header.write(text, 10, 'latin1');
	header[headerBytes - 1] = 0x0a;
	return header;
}

const arrays = {
	'<f4': Float32Array,
	'<f8': Float64Array,
	'<i4': Int32Array,
	'<i8': BigInt64Array,
} as const;

type NpyType = keyof typeof arrays;

export type NpyData = InstanceType<(typeof arrays)[NpyType]>;

export interface NpyArray {
	data: NpyData;
	shape: number[];
}

/** What a header says: the type, the extents and the byte at which the data begin. */
export interface NpyHeader {
	type: NpyType;
	shape: number[];
	values: number;
	begin: number;
}

/** Reads a whole array of f4, f8, i4 or i8. */
export async function readNpy(path: string): Promise<NpyArray> {
	return withFile(path, async handle => {
		const {size} = await handle.stat();
		const head = Buffer.alloc(Math.min(size, longestHead));
		const filled = await readInto(handle, head, 0);
		const {type, shape, values, begin} = parseNpyHeader(head.subarray(0, filled), size, path);
		const data = allocate(type, values, path);
		const got = await readInto(handle, new Uint8Array(data.buffer), begin);
		if (got !== data.byteLength) refuse(path, `${data.byteLength} bytes of data`, `${got}`);
		return {data, shape};
	});
}

function refuse(path: string, expected: string, got: string): never {
	throw new EngineError('FILE_FORMAT', `${path}: expected ${expected}, got ${got}`);
}

const longestHeader = 2 ** 16;
const longestHead = 12 + longestHeader;

/**
Reads the header of a file of `size` bytes that begins with `head`, which holds the whole header.
The data of one that passes fill the rest of the file exactly.
*/
export function parseNpyHeader(head: Buffer, size: number, path: string): NpyHeader {
	const major = head[6] ?? 0;
	const isKnown = head.length >= 12 && head.subarray(0, 6).equals(magic) && major >= 1;
	if (!isKnown || major > 3) refuse(path, 'a NumPy file of version 1 to 3', 'other content');
	const textBegin = major === 1 ? 10 : 12;
	const length = major === 1 ? head.readUInt16LE(8) : head.readUInt32LE(8);
	if (length > longestHeader) {
		refuse(path, `a header of at most ${longestHeader} bytes`, `${length}`);
	}

	const begin = textBegin + length;
	if (head.length < begin) {
		refuse(path, `a header of ${length} bytes`, `${head.length - textBegin}; the file is cut`);
	}

	const {type, shape} = parseText(head.toString('latin1', textBegin, begin).trim(), path);
	const values = shape.reduce((product, extent) => product * extent, 1);
	const bytes = values * arrays[type].BYTES_PER_ELEMENT;
	if (!Number.isSafeInteger(bytes) || bytes !== size - begin) {
		refuse(path, `${bytes} bytes of data for shape (${shape.join(', ')})`, `${size - begin}`);
	}

	return {type, shape, values, begin};
}

/** Reads a Python dictionary of three known keys; anything else in it is refused. */
function parseText(text: string, path: string): {type: NpyType; shape: number[]} {
	const pair = /'(\w+)':\s*('[^']*'|\w+|\([\d\s,]*\))\s*(?:,\s*|(?=\}))/y;
	const fields = new Map<string, string>();
	let at = text.startsWith('{') ? 1 : text.length;
	for (pair.lastIndex = at; ; at = pair.lastIndex) {
		const match = pair.exec(text);
		if (match === null) break;
		fields.set(match[1]!, match[2]!);
	}

	const type = fields.get('descr')?.slice(1, -1) ?? '';
	const shape = (fields.get('shape') ?? '').match(/^\((.*)\)$/)?.[1]?.split(',');
	if (text.slice(at) !== '}' || fields.size !== 3 || shape === undefined) {
		refuse(path, 'a header with descr, fortran_order and shape', text.slice(0, 80));
	}

	if (!isNpyType(type)) refuse(path, `values of ${Object.keys(arrays).join(', ')}`, type);
	if (fields.get('fortran_order') !== 'False') refuse(path, 'rows in C order', 'Fortran order');
	return {type, shape: shape.filter(extent => extent.trim() !== '').map(Number)};
}

function isNpyType(type: string): type is NpyType {
	return Object.hasOwn(arrays, type);
}

function allocate(type: NpyType, values: number, path: string): NpyData {
	try {
		return new arrays[type](values);
	} catch (cause) {
		const message = `${path}: expected memory for ${values} values, got too little`;
		throw new EngineError('OUT_OF_MEMORY', message, {cause});
	}
}
