// A temporary folder for the tests of one file, removed afterwards.

import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll} from 'vitest';

/** Makes the folder; returns its path and a function that writes a file into it and gives the file's path. */
export function temporaryFolder() {
	const folder = mkdtempSync(join(tmpdir(), 'inbatch-test-'));
	afterAll(() => rmSync(folder, {recursive: true, force: true}));
	const put = (name: string, data: string | Uint8Array) => {
		const path = join(folder, name);
		writeFileSync(path, data);
		return path;
	};

	return {folder, put};
}

/** Everything that an async generator of batches yields. */
export async function collect<T>(batches: AsyncIterable<T[]>): Promise<T[]> {
	const all: T[] = [];
	for await (const batch of batches) all.push(...batch);
	return all;
}
