// Opens files with errors of this package, and reads whole ranges of them.

import {type FileHandle, open} from 'node:fs/promises';
import {expectNoPipe} from '../pipes.js';
import {readFailure, writeFailure} from './failures.js';

/** Opens a file for reading; what is not there or not readable is an {@link EngineError}. */
export async function openToRead(path: string): Promise<FileHandle> {
	try {
		return await open(path, 'r');
	} catch (error) {
		throw readFailure(path, error);
	}
}

/** Opens a file for writing, empty; where that fails the error says why. */
export async function openToWrite(path: string): Promise<FileHandle> {
	try {
		return await open(path, 'w');
	} catch (error) {
		throw writeFailure(path, error);
	}
}

/** Opens a file, works on it and closes it whatever happens. */
export async function withFile<T>(
	path: string,
	work: (handle: FileHandle) => Promise<T>,
): Promise<T> {
	await expectNoPipe(path);
	const handle = await openToRead(path);
	try {
		return await work(handle);
	} catch (error) {
		throw readFailure(path, error);
	} finally {
		await handle.close();
	}
}

/** Fills `target` from `position` of an open file; returns the bytes that were there. */
export async function readInto(
	handle: Pick<FileHandle, 'read'>,
	target: Uint8Array,
	position: number,
): Promise<number> {
	let filled = 0;
	while (filled < target.length) {
		const wanted = Math.min(target.length - filled, 2 ** 24);
		const {bytesRead} = await handle.read(target, filled, wanted, position + filled);
		if (bytesRead === 0) break;
		filled += bytesRead;
	}

	return filled;
}
