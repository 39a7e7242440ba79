// What lies at the paths that a command names.

import {existsSync, readdirSync, statSync} from 'node:fs';

export function isFolder(path: string): boolean {
	return existsSync(path) && statSync(path).isDirectory();
}

/** The names in a folder, in their order, without hidden ones; none where there is no folder. */
export function namesIn(path: string): string[] {
	if (!isFolder(path)) return [];
	return readdirSync(path)
		.filter(name => !name.startsWith('.'))
		.sort();
}
