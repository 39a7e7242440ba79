// Files for what is too large for memory and not worth keeping: nobody else sees them, and they are
// gone when they are closed, however the process ends. They lie in the cache, since the folder of
// temporary files may be memory itself.

import type {FileHandle} from 'node:fs/promises';
import {mkdir, mkdtemp, open, rm} from 'node:fs/promises';
import {homedir, tmpdir} from 'node:os';
import {join} from 'node:path';
import {writeFailure} from './failures.js';

/**
The folder of what this package keeps between runs: INBATCH_DATA_CACHE, else the user's cache.
*/
export function cacheFolder(): string {
	const {INBATCH_DATA_CACHE, XDG_CACHE_HOME} = process.env;
	return INBATCH_DATA_CACHE || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'inbatch');
}

/** On whose disk a file without a name lies. */
const folders = new WeakMap<FileHandle, string>();

/** A file for reading and writing in the cache, or where there can be none, elsewhere. */
export async function openNameless(): Promise<FileHandle> {
	const cache = cacheFolder();
	try {
		await mkdir(cache, {recursive: true});
		return await openIn(cache);
	} catch {
		const folder = tmpdir();
		return openIn(folder).catch((error: unknown) => {
			throw writeFailure(folder, error);
		});
	}
}

/** The folder whose disk a file without a name fills; for messages. */
export function folderOf(file: FileHandle): string {
	return folders.get(file) ?? tmpdir();
}

/** Writes at the end of a file without a name. */
export async function appendTo(file: FileHandle, data: string | Uint8Array): Promise<void> {
	try {
		await file.appendFile(data);
	} catch (error) {
		throw writeFailure(folderOf(file), error);
	}
}

async function openIn(folder: string): Promise<FileHandle> {
	const own = await mkdtemp(join(folder, 'inbatch-'));
	try {
		const file = await open(join(own, 'records'), 'wx+');
		folders.set(file, folder);
		return file;
	} finally {
		await rm(own, {recursive: true, force: true});
	}
}
