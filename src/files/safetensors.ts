// safetensors files: the header after every check, tensors read one by one, and a streamed writer
// that never holds more than one tensor. Loading maps the data natively; this file only says where
// each tensor lies.

import {createHash} from 'node:crypto';
import type {FileHandle} from 'node:fs/promises';
import {EngineError} from '../errors.js';
import {writeFailure} from './failures.js';
import {openToWrite, readInto, withFile} from './open.js';
import {
	alignedOrder,
	headerLength,
	lengthBytes,
	parseHeader,
	refuse,
	type TensorDtype,
	type TensorEntry,
	type TensorTable,
	tensorBytes,
} from './safetensors-header.js';

export type {TensorDtype, TensorEntry, TensorTable} from './safetensors-header.js';

/** What a safetensors file holds. */
export type SafetensorsHeader = TensorTable;

export interface TensorSource {
	name: string;
	dtype: TensorDtype;
	shape: readonly number[];
	/** Called once, when the tensor is to be written. */
	bytes: () => Promise<Uint8Array>;
}

/** Bytes hashed or written without a pause. */
const pieceSize = 2 ** 20;

/**
Reads and checks the header. The tensors of a file that passes fill its data exactly, without
overlap.
*/
export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
	return withFile(path, async handle => {
		const {size} = await handle.stat();
		const header = await readHeaderBytes(handle, size, path);
		const data = {begin: lengthBytes + header.length, end: size};
		const {metadata, tensors} = parseHeader(header, data, path);
		return {path, metadata, tensors: new Map(tensors.map(tensor => [tensor.name, tensor]))};
	});
}

/** The bytes of one tensor, in memory of their own. */
export async function readTensor(path: string, entry: TensorEntry): Promise<Uint8Array> {
	return withFile(path, async handle => {
		const bytes = new Uint8Array(entry.end - entry.begin);
		const filled = await readInto(handle, bytes, entry.begin);
		if (filled === bytes.length) return bytes;
		return refuse(path, `${bytes.length} bytes of tensor "${entry.name}"`, `${filled}`);
	});
}

/**
Writes a file and flushes it to the disk; returns its SHA-256. Tensors lie by falling width of their
type, so that each is aligned, and in the order given among equals. The file appears under `path` at
once: give a temporary name.
*/
export async function writeSafetensors(
	path: string,
	entries: readonly TensorSource[],
	metadata: Record<string, string> = {format: 'pt'},
): Promise<string> {
	const ordered = alignedOrder(entries);
	const header = headerOf(path, ordered, metadata);
	const hash = createHash('sha256');
	const file = await openToWrite(path);
	try {
		const write = async (bytes: Uint8Array) => {
			for (let at = 0; at < bytes.length; at += pieceSize) {
				const piece = bytes.subarray(at, at + pieceSize);
				hash.update(piece);
				await file.writeFile(piece);
			}
		};

		await write(header);
		for (const entry of ordered) await write(await bytesOf(path, entry));
		await file.sync();
	} catch (error) {
		throw writeFailure(path, error);
	} finally {
		await file.close();
	}

	return hash.digest('hex');
}

async function readHeaderBytes(handle: FileHandle, size: number, path: string): Promise<Buffer> {
	const prefix = Buffer.alloc(lengthBytes);
	await readInto(handle, prefix, 0);
	const header = Buffer.alloc(headerLength(prefix, size, path));
	const filled = await readInto(handle, header, lengthBytes);
	if (filled < header.length) refuse(path, `a header of ${header.length} bytes`, `${filled}`);
	return header;
}

function headerOf(
	path: string,
	entries: readonly TensorSource[],
	metadata: Record<string, string>,
): Uint8Array {
	const header = new Map<string, unknown>([['__metadata__', metadata]]);
	let at = 0;
	for (const {name, dtype, shape} of entries) {
		const bytes = tensorBytes(dtype, shape);
		if (bytes === undefined || header.has(name)) {
			const got = bytes === undefined ? `shape [${shape}]` : 'the name twice';
			const message = `${path}: expected tensor "${name}" of a countable size, once, got ${got}`;
			throw new EngineError('FILE_WRITE', message);
		}

		header.set(name, {dtype, shape, data_offsets: [at, at + bytes]});
		at += bytes;
	}

	const text = Buffer.from(JSON.stringify(Object.fromEntries(header)));
	const padded = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8, ' ');
	padded.writeBigUInt64LE(BigInt(padded.length - 8));
	text.copy(padded, 8);
	return padded;
}

async function bytesOf(path: string, {name, dtype, shape, bytes}: TensorSource) {
	const expected = tensorBytes(dtype, shape);
	const data = await bytes();
	if (data.length === expected) return data;
	const message = `${path}: expected ${expected} bytes of tensor "${name}", got ${data.length}`;
	throw new EngineError('FILE_WRITE', message);
}
