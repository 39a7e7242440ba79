// What is known and said while sources of data are opened.

import type {FileHandle} from 'node:fs/promises';
import {folderOf} from '../files/scratch.js';
import type {HubOptions} from '../hub/settings.js';
import type {Names} from './fields.js';
import type {RowKind} from './record.js';

export interface Opening {
	warnings: string[];
	names?: Names | undefined;
	/** What sources without a name of their own are called. Default: as their path. */
	name?: string | undefined;
	/** What rows are; of texts alone plain text has one a line. Default pairs. */
	kind?: RowKind | undefined;
	/** Where data sets of the hub come from. */
	hub?: HubOptions | undefined;
	signal?: AbortSignal | undefined;
}

/** Records that were made of other files, each with where it stands, in a file without a name. */
export interface Joined {
	file: FileHandle;
	/** Of all files that it was made of. */
	sha256: string;
}

/** Tells that the disk holds a copy for the time of the run. */
export async function sayCopied(
	{warnings}: Opening,
	path: string,
	file: FileHandle,
): Promise<void> {
	const {size} = await file.stat();
	const amount = size < 2 ** 20 ? `${size} bytes` : `${(size / 2 ** 20).toFixed(0)} MiB`;
	warnings.push(`${path}: read from a copy of ${amount} in ${folderOf(file)} while this runs`);
}
