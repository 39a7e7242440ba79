// A teacher's vectors on disk, a row for each record of the data, read where they are needed: NumPy
// files of float32, or float32 end to end without a header.

import type {FileHandle} from 'node:fs/promises';
import type {Dataset} from '../data/dataset.js';
import {EngineError} from '../errors.js';
import {readFailure} from '../files/failures.js';
import {sha256File} from '../files/hash.js';
import {parseNpyHeader} from '../files/npy.js';
import {openToRead, readInto} from '../files/open.js';
import type {Loss} from '../loss/loss.js';
import {giveTurn} from '../pace.js';
import type {TrainSettings} from './options.js';

export type TeacherOptions = {
	/** Records of the data, for which there must be rows. */
	records: number;
	/** Columns of a file without a header. Default: its size by the number of records. */
	width?: number | undefined;
	signal?: AbortSignal | undefined;
};

type Layout = {rows: number; width: number; begin: number};

const longestHead = 2 ** 16;
const magic = Buffer.from('\x93NUMPY', 'latin1');

export class TeacherVectors {
	readonly width: number;
	readonly sha256: string;
	readonly #path: string;
	readonly #handle: FileHandle;
	readonly #layout: Layout;

	private constructor(path: string, handle: FileHandle, layout: Layout, sha256: string) {
		this.#path = path;
		this.#handle = handle;
		this.#layout = layout;
		this.width = layout.width;
		this.sha256 = sha256;
	}

	/** Opens a file and checks that there is a row for each record. */
	static async open(path: string, options: TeacherOptions): Promise<TeacherVectors> {
		const handle = await openToRead(path);
		try {
			const layout = await layoutOf(handle, path, options);
			if (layout.rows < options.records) {
				refuse(path, `a vector for each of ${options.records} records`, `${layout.rows}`);
			}
			return new TeacherVectors(path, handle, layout, await sha256File(path, options.signal));
		} catch (error) {
			await handle.close();
			throw readFailure(path, error);
		}
	}

	/** The vectors of these rows, end to end. */
	async read(rows: readonly number[], signal?: AbortSignal): Promise<Float32Array> {
		const {width, begin} = this.#layout;
		const values = new Float32Array(rows.length * width);
		for (const [n, row] of rows.entries()) {
			if (row >= this.#layout.rows) {
				refuse(this.#path, `row ${row} of a record`, `${this.#layout.rows} rows`);
			}
			const part = values.subarray(n * width, (n + 1) * width);
			const bytes = new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
			await readInto(this.#handle, bytes, begin + row * bytes.length);
			if (!part.every(Number.isFinite)) {
				refuse(this.#path, `row ${row} of finite numbers`, 'another');
			}
			await giveTurn(signal);
		}
		return values;
	}

	async close(): Promise<void> {
		await this.#handle.close();
	}
}

async function layoutOf(
	handle: FileHandle,
	path: string,
	{records, width}: TeacherOptions,
): Promise<Layout> {
	const {size} = await handle.stat();
	const head = Buffer.alloc(Math.min(size, longestHead));
	await readInto(handle, head, 0);
	if (!head.subarray(0, magic.length).equals(magic)) {
		if (width !== undefined && (size < 4 * width * records || size % (4 * width) > 0)) {
			const expected = `${4 * width * records} bytes, for ${records} records of ${width} numbers`;
			refuse(path, expected, `${size}`);
		}
		return rawLayout(path, size, width ?? size / (4 * records));
	}
	const {type, shape, begin} = parseNpyHeader(head, size, path);
	if (type !== '<f4' || shape.length !== 2) {
		refuse(path, 'a matrix of <f4', `${type} of shape (${shape.join(', ')})`);
	}
	const [rows, columns] = shape as [number, number];
	if (width !== undefined && width !== columns) {
		refuse(path, `vectors of ${width} columns`, `${columns}`);
	}
	return {rows, width: columns, begin};
}

function rawLayout(path: string, size: number, width: number): Layout {
	const rows = size / (4 * width);
	if (!Number.isInteger(width) || !Number.isInteger(rows) || size === 0) {
		const hint = 'give --teacher-width, or a NumPy file';
		refuse(path, 'as many float32 numbers for each record', `${size} bytes; ${hint}`);
	}
	return {rows, width, begin: 0};
}

function refuse(path: string, expected: string, got: string): never {
	throw new EngineError('FILE_FORMAT', `${path}: expected ${expected}, got ${got}`);
}

/** The vectors of a teacher that the options name; they and a loss that needs them belong together. */
export async function teacherOf(
	{name, needs}: Loss,
	{teacherVectors, teacherWidth}: TrainSettings,
	{all: records, teacher}: Dataset,
	signal?: AbortSignal,
): Promise<TeacherVectors | undefined> {
	const path = teacherVectors ?? teacher?.path;
	const width = teacherWidth ?? (teacherVectors === undefined ? teacher?.width : undefined);
	if (needs?.teacher && path === undefined) {
		const message = `teacher-vectors: expected a file of vectors for the loss ${name}, got none`;
		throw new EngineError('OPTION_MISSING', message);
	}
	if (path === undefined && teacherWidth !== undefined) {
		const message = 'teacher-width: expected teacher-vectors beside it, got none';
		throw new EngineError('OPTION_CONFLICT', message);
	}
	if (path === undefined) return undefined;
	if (needs && !needs.teacher) {
		const message = `teacher-vectors: expected a loss that learns from vectors, got ${name}`;
		throw new EngineError('OPTION_CONFLICT', message);
	}
	return TeacherVectors.open(path, {records, width, signal});
}
