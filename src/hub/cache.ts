// The folder of one repository in the cache, in the layout of the reference client, so that both find what
// the other has downloaded: blobs/<etag>, snapshots/<commit>/<path> as relative links to the blobs (or
// as copies), refs/<revision> with the commit. Nothing here makes a folder unless something is put in.

import {
	copyFile,
	mkdir,
	readdir,
	readFile,
	readlink,
	rename,
	stat,
	symlink,
} from 'node:fs/promises';
import {dirname, join, relative} from 'node:path';
import {setTimeout} from 'node:timers/promises';
import {EngineError} from '../errors.js';
import {systemCode, writeFailure} from '../files/failures.js';
import {type Lock, lockOutput} from '../files/lock.js';
import {writeFileAtomic} from '../files/output.js';
import type {RepositoryId} from './id.js';

const commitLength = 40;
const lockPoll = 250;

let count = 0;

export class RepositoryCache {
	readonly folder: string;
	readonly #locks: string;

	constructor(cache: string, {id, kind}: Pick<RepositoryId, 'id' | 'kind'>) {
		const name = [`${kind ?? 'model'}s`, ...id.split('/')].join('--');
		this.folder = join(cache, name);
		this.#locks = join(cache, '.locks', name);
	}

	blob(etag: string): string {
		return join(this.folder, 'blobs', etag);
	}

	snapshot(commit: string): string {
		return join(this.folder, 'snapshots', commit);
	}

	/** The commit that a revision was when it was last downloaded whole; a commit is its own. */
	async commitOf(revision: string): Promise<string | undefined> {
		if (isCommit(revision)) return revision;
		const text = await readFile(this.#ref(revision), 'utf8').catch(() => '');
		const commit = text.trim();
		return isFileName(commit) ? commit : undefined;
	}

	/** To be called last, when everything of the commit is there. */
	async putRef(revision: string, commit: string): Promise<void> {
		if (revision === commit || (await this.commitOf(revision)) === commit) return;
		await folderFor(this.#ref(revision));
		await writeFileAtomic(this.#ref(revision), commit);
	}

	/** The files of a snapshot that can be opened, as paths with slashes. */
	async names(commit: string): Promise<string[]> {
		const root = this.snapshot(commit);
		const options = {recursive: true, withFileTypes: true} as const;
		const entries = await readdir(root, options).catch(() => []);
		const paths = entries
			.filter(entry => !entry.isDirectory())
			.map(entry => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'));
		const sizes = await Promise.all(paths.map(path => sizeOf(join(root, path))));
		return paths.filter((_, index) => sizes[index] !== undefined);
	}

	/** Puts a blob in its place in a snapshot, as a link or, where there are none, as a copy. */
	async link(commit: string, path: string, {blob, hasLinks}: Linked): Promise<void> {
		const place = join(this.snapshot(commit), path);
		const target = relative(dirname(place), blob);
		if (hasLinks && (await readlink(place).catch(() => undefined)) === target) return;
		await folderFor(place);
		const temporary = `${place}.${process.pid}.${count++}.tmp`;
		try {
			if (!hasLinks || !(await isLinked(target, temporary))) await copyFile(blob, temporary);
			await rename(temporary, place);
		} catch (error) {
			throw writeFailure(place, error);
		}
	}

	/** Waits until no other process downloads this repository, then keeps them out. */
	async lock(signal?: AbortSignal): Promise<Lock> {
		const file = join(this.#locks, 'download');
		await folderFor(file);
		for (;;) {
			try {
				return lockOutput(file);
			} catch (error) {
				if (!(error instanceof EngineError) || error.code !== 'OUTPUT_LOCKED') throw error;
			}
			await setTimeout(lockPoll, undefined, {signal}).catch(() => signal?.throwIfAborted());
		}
	}

	#ref(revision: string): string {
		return join(this.folder, 'refs', revision);
	}
}

type Linked = {blob: string; hasLinks: boolean};

export function isCommit(revision: string): boolean {
	return revision.length === commitLength && /^[\da-f]+$/.test(revision);
}

/** Whether what a server sent may be the name of a file of the cache. */
export function isFileName(name: string): boolean {
	return /^[\w-][\w.-]{0,199}$/.test(name) && !name.endsWith('.incomplete');
}

/** Bytes of what a path leads to; undefined where it leads nowhere. */
export async function sizeOf(path: string): Promise<number | undefined> {
	const found = await stat(path).catch(() => undefined);
	return found?.isFile() ? found.size : undefined;
}

/** Makes the folder that a file is to lie in. */
export async function folderFor(path: string): Promise<void> {
	const folder = dirname(path);
	await mkdir(folder, {recursive: true}).catch(error => {
		throw writeFailure(folder, error);
	});
}

/** Whether a failure to write says that the place is not for writing at all. */
export function isReadOnly(error: unknown): boolean {
	if (!(error instanceof EngineError) || error.code !== 'FILE_WRITE') return false;
	return ['EROFS', 'EACCES', 'EPERM'].includes(systemCode(error.cause) ?? '');
}

async function isLinked(target: string, place: string): Promise<boolean> {
	try {
		await symlink(target, place);
		return true;
	} catch (error) {
		if (['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(systemCode(error) ?? ''))
			return false;
		throw error;
	}
}
