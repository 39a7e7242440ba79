// The folder a run writes: locked while it runs, filled from the first step on, emptied of a failed
// start. Outputs of an earlier run are only touched once the new one has something to put there.

import {mkdir, readdir, rename, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {EngineError} from '../errors.js';
import {writeFailure} from '../files/failures.js';
import {type Lock, lockOutput} from '../files/lock.js';
import {writeFileAtomic} from '../files/output.js';
import {readJsonObject} from '../model/config.js';

export type RunFolderOptions = {overwrite: boolean; resume: boolean};

export class RunFolder {
	readonly path: string;
	readonly #lock: Lock;
	readonly #options: RunFolderOptions;
	#isBegun = false;

	private constructor(path: string, lock: Lock, options: RunFolderOptions) {
		this.path = path;
		this.#lock = lock;
		this.#options = options;
	}

	/** Locks the place and refuses an output that is there, unless it may be replaced or gone on with. */
	static async open(path: string, options: RunFolderOptions): Promise<RunFolder> {
		let lock: Lock;
		try {
			lock = lockOutput(path);
		} catch (error) {
			throw writeFailure(path, error);
		}
		try {
			if (!options.overwrite && !options.resume && (await namesIn(path)).length > 0) {
				throw new EngineError(
					'OUTPUT_EXISTS',
					`${path}: expected no such output, got one; use --resume to go on with it or --overwrite to replace it`,
				);
			}
			return new RunFolder(path, lock, options);
		} catch (error) {
			lock.release();
			throw error;
		}
	}

	/** Makes the folder, empty unless the run goes on from a checkpoint in it. */
	async begin(goesOn: boolean): Promise<void> {
		try {
			if (!goesOn && (this.#options.overwrite || this.#options.resume)) {
				for (const name of await namesIn(this.path)) {
					await rm(join(this.path, name), {recursive: true, force: true});
				}
			}
			await mkdir(join(this.path, 'checkpoints'), {recursive: true});
			this.#isBegun = true;
		} catch (error) {
			throw writeFailure(this.path, error);
		}
	}

	async writeJson(name: string, value: unknown): Promise<void> {
		await writeFileAtomic(join(this.path, name), `${JSON.stringify(value, null, '\t')}\n`);
	}

	async readJson(name: string): Promise<Record<string, unknown> | undefined> {
		return readJsonObject(join(this.path, name)).catch(() => undefined);
	}

	/** Leaves nothing of a run that failed before its first checkpoint. */
	async abandon(): Promise<void> {
		if (!this.#isBegun || (await namesIn(join(this.path, 'checkpoints'))).length > 0) return;
		await rm(this.path, {recursive: true, force: true});
	}

	release(): void {
		this.#lock.release();
	}
}

async function namesIn(path: string): Promise<string[]> {
	try {
		return await readdir(path);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
		throw writeFailure(path, error);
	}
}

/** Puts the files of a model folder into a folder that has other things too, each by rename. */
export async function installModel(
	target: string,
	write: (folder: string) => Promise<unknown>,
): Promise<void> {
	const staged = join(target, `.model.${process.pid}.tmp`);
	try {
		await rm(staged, {recursive: true, force: true});
		await mkdir(staged, {recursive: true});
		await write(staged);
		for (const name of await readdir(staged)) {
			await rm(join(target, name), {recursive: true, force: true});
			await rename(join(staged, name), join(target, name));
		}
	} catch (error) {
		throw writeFailure(target, error);
	} finally {
		await rm(staged, {recursive: true, force: true});
	}
}
