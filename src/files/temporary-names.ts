// The names of outputs that are being written: beside their place, hidden, of one process.

import {basename, dirname, join} from 'node:path';

export type Ending = 'tmp' | 'old';

let count = 0;

/**
A name beside `path` that only this process uses, of the kind that the next writer of `path` clears.
*/
export function temporaryName(path: string, ending: Ending): string {
	return join(dirname(path), `.${basename(path)}.${process.pid}.${count++}.${ending}`);
}

/** The ending of a name in the folder of `path` that a writer of `path` left; undefined for others. */
export function leftoverEnding(name: string, path: string): Ending | undefined {
	const begin = `.${basename(path)}.`;
	if (!name.startsWith(begin)) return undefined;
	return /^\d+\.\d+\.(tmp|old)$/.exec(name.slice(begin.length))?.[1] as Ending | undefined;
}

/** A folder within `folder` for files that are put into `folder` when all of them are there. */
export function stagingFolder(folder: string): string {
	return join(folder, `.staged.${process.pid}.tmp`);
}

/** What a path under a temporary name is to be called in the end; for messages. */
export function finalName(path: string): string {
	return path
		.replace(/\/\.staged\.\d+\.tmp(?=\/|$)/, '')
		.replace(/(^|\/)\.([^/]+)\.\d+\.\d+\.tmp(?=\/|$)/, '$1$2');
}
