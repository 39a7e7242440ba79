// Outputs that appear whole or not at all: written under a temporary name beside their place,
// flushed, renamed. An output given up, by discard or by the end of the process, leaves nothing
// behind; what a killed one left is cleared.

import {renameSync, rmSync, type Stats} from 'node:fs';
import {lstat, mkdir, open, readdir, realpath, rename, rm, stat} from 'node:fs/promises';
import {homedir} from 'node:os';
import {dirname, join, resolve} from 'node:path';
import {EngineError} from '../errors.js';
import {atExit} from './at-exit.js';
import {systemCode, writeFailure} from './failures.js';
import {type Lock, lockOutput} from './lock.js';
import {leftoverEnding, temporaryName} from './temporary-names.js';

export interface OutputOptions {
	kind: 'file' | 'folder';
	/** Whether an output that is there may be replaced. */
	overwrite?: boolean | undefined;
}

/**
One output being made. A folder is there under `temporary` at once, a file is for the caller to
write there. It holds the lock of its place until `commit` or `discard`.

@example
const output = await Output.create('vectors.npy', {kind: 'file'});
try {
	await write(output.temporary);
	await output.commit();
} finally {
	await output.discard();
}
*/
export class Output {
	readonly path: string;
	readonly temporary: string;
	readonly #kind: 'file' | 'folder';
	readonly #overwrite: boolean;
	readonly #lock: Lock;
	readonly #forget: () => void;
	#isOpen = true;

	private constructor(path: string, lock: Lock, {kind, overwrite = false}: OutputOptions) {
		this.path = path;
		this.temporary = temporaryName(path, 'tmp');
		this.#kind = kind;
		this.#overwrite = overwrite;
		this.#lock = lock;
		this.#forget = atExit(() => rmSync(this.temporary, {recursive: true, force: true}));
	}

	static async create(path: string, options: OutputOptions): Promise<Output> {
		const target = await placeOf(path);
		await checkParent(target);
		const lock = lockOutput(target);
		try {
			await clearLeftovers(target);
			await checkTarget(target, options);
			const output = new Output(target, lock, options);
			if (options.kind === 'folder') await mkdir(output.temporary);
			return output;
		} catch (error) {
			lock.release();
			throw writeFailure(target, error);
		}
	}

	/** Puts the output in its place, on the disk. After a failure nothing is left of it. */
	async commit(): Promise<void> {
		if (!this.#isOpen) {
			throw new EngineError(
				'DISPOSED',
				`${this.path}: expected an open output, got one at its end`,
			);
		}

		try {
			await syncTree(this.temporary);
			await checkTarget(this.path, {kind: this.#kind, overwrite: this.#overwrite});
			await this.#replace();
			await syncFolder(dirname(this.path));
		} catch (error) {
			await this.discard();
			throw writeFailure(this.path, error);
		}

		this.#close();
	}

	/** Takes everything back. Does nothing after `commit`. */
	async discard(): Promise<void> {
		if (!this.#isOpen) return;
		try {
			await rm(this.temporary, {recursive: true, force: true});
		} catch (error) {
			throw writeFailure(this.temporary, error);
		} finally {
			this.#close();
		}
	}

	async #replace(): Promise<void> {
		const isReplacing = this.#kind === 'folder' && (await exists(this.path));
		if (!isReplacing) return rename(this.temporary, this.path);
		const old = temporaryName(this.path, 'old');
		// Nothing may come between the two: a kill there is mended by the next writer (clearLeftovers).
		renameSync(this.path, old);
		renameSync(this.temporary, this.path);
		await rm(old, {recursive: true, force: true});
	}

	#close(): void {
		this.#isOpen = false;
		this.#forget();
		this.#lock.release();
	}
}

/** Replaces a small file at once: it has the old content or the new, whatever happens. */
export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
	const temporary = temporaryName(path, 'tmp');
	try {
		const file = await open(temporary, 'wx');
		try {
			await file.writeFile(data);
			await file.sync();
		} finally {
			await file.close();
		}

		await rename(temporary, path);
		await syncFolder(dirname(path));
	} catch (error) {
		await rm(temporary, {force: true});
		throw writeFailure(path, error);
	}
}

/** The absolute path; of a link, what it points to. */
async function placeOf(path: string): Promise<string> {
	const absolute = resolve(path);
	return realpath(absolute).catch(() => absolute);
}

async function checkParent(path: string): Promise<void> {
	const parent = dirname(path);
	const info = await stat(parent).catch(() => undefined);
	if (info?.isDirectory()) return;
	const got = info === undefined ? 'nothing there' : 'a file';
	throw new EngineError(
		'FILE_WRITE',
		`${path}: expected the folder ${parent}, got ${got}; make it`,
	);
}

/** Refuses what must not be replaced. An empty folder counts as no output. */
async function checkTarget(path: string, {kind, overwrite}: OutputOptions): Promise<void> {
	const info = await lstat(path).catch(() => undefined);
	if (info === undefined) return;
	const isOfKind = kind === 'file' ? info.isFile() : info.isDirectory();
	if (!isOfKind) {
		const message = `${path}: expected a ${kind} or nothing, got ${nameOfKind(info)}`;
		throw new EngineError('FILE_WRITE', message);
	}

	const isEmpty = kind === 'folder' && (await readdir(path)).length === 0;
	if (!overwrite && !isEmpty) {
		const hint = 'use --overwrite or another name';
		throw new EngineError('OUTPUT_EXISTS', `${path}: expected no output there, got one; ${hint}`);
	}

	if (kind === 'folder') expectOwnFolder(path);
}

function nameOfKind(info: Stats): string {
	if (info.isDirectory()) return 'a folder';
	if (info.isFile()) return 'a file';
	// One that leads somewhere was followed before.
	return info.isSymbolicLink() ? 'a link that leads nowhere' : 'a device or pipe';
}

/** Refuses an absolute path whose folder must never be emptied. */
export function expectOwnFolder(path: string): void {
	const holds = (folder: string) => resolve(folder) === path || folder.startsWith(join(path, '/'));
	if (path !== dirname(path) && ![process.cwd(), homedir()].some(holds)) return;
	const got = 'the folder that is worked in, the home folder or one that holds them';
	throw new EngineError('FILE_WRITE', `${path}: expected a folder of its own, got ${got}`);
}

async function exists(path: string): Promise<boolean> {
	return lstat(path).then(
		() => true,
		() => false,
	);
}

/**
Removes what killed writers of `path` left; an old output that one had moved aside is put back.
*/
async function clearLeftovers(path: string): Promise<void> {
	const folder = dirname(path);
	for (const name of await readdir(folder)) {
		const ending = leftoverEnding(name, path);
		if (ending === undefined) continue;
		const file = join(folder, name);
		if (ending === 'old' && !(await exists(path))) await rename(file, path);
		else await rm(file, {recursive: true, force: true});
	}
}

async function syncTree(path: string): Promise<void> {
	const info = await lstat(path);
	if (info.isDirectory()) {
		for (const name of await readdir(path)) await syncTree(join(path, name));
	}

	if (info.isDirectory() || info.isFile()) await syncFolder(path);
}

/** Flushes a folder (its names) or a file to the disk. */
async function syncFolder(path: string): Promise<void> {
	const handle = await open(path, 'r');
	try {
		await handle.sync();
	} catch (error) {
		// Some file systems have no flushing of folders.
		if (!['EINVAL', 'ENOTSUP'].includes(systemCode(error) ?? '')) throw error;
	} finally {
		await handle.close();
	}
}
