// The folder a run writes: locked while it runs, filled from the first step on, emptied of a failed
// start. Outputs of an earlier run are only touched once the new one has something to put there.

import {rmdirSync} from 'node:fs';
import {mkdir, readdir, realpath, rename, rm} from 'node:fs/promises';
import {dirname, join, resolve} from 'node:path';
import {EngineError} from '../errors.js';
import {writeFailure} from '../files/failures.js';
import {type Lock, lockOutput} from '../files/lock.js';
import {expectOwnFolder, writeFileAtomic} from '../files/output.js';
import {stagingFolder} from '../files/temporary-names.js';
import {readJsonObject} from '../model/config.js';
import {stepsIn} from './checkpoint.js';

export type RunFolderOptions = {overwrite: boolean; resume: boolean};

export class RunFolder {
	readonly path: string;
	/** Whether what an earlier run left may be replaced or gone on with. */
	readonly mayReplace: boolean;
	readonly #lock: Lock;
	/** The outermost of the folders around it that were made for it. */
	readonly #made: string | undefined;
	#isBegun = false;

	private constructor(
		path: string,
		{lock, made}: {lock: Lock; made: string | undefined},
		{overwrite, resume}: RunFolderOptions,
	) {
		this.path = path;
		this.mayReplace = overwrite || resume;
		this.#lock = lock;
		this.#made = made;
	}

	/** Locks the place and refuses an output that is there, unless it may be replaced or gone on with. */
	static async open(path: string, options: RunFolderOptions): Promise<RunFolder> {
		let made: string | undefined;
		let lock: Lock;
		try {
			made = await mkdir(dirname(resolve(path)), {recursive: true});
			lock = lockOutput(path);
		} catch (error) {
			removeEmpty(path, made);
			throw writeFailure(path, error);
		}
		try {
			await expectUsable(path, options);
			return new RunFolder(path, {lock, made}, options);
		} catch (error) {
			lock.release();
			removeEmpty(path, made);
			throw error;
		}
	}

	/**
	Makes the folder: empty, or, when the run goes on from a step, without what a killed run left half done and without
	later checkpoints, which are broken. What the run reads (`inputs`) is never removed.
	*/
	async begin(from: number | null, inputs: readonly string[]): Promise<void> {
		try {
			if (from === null) await this.#empty(inputs);
			else await this.#clear(from);
			await mkdir(join(this.path, 'checkpoints'), {recursive: true});
			this.#isBegun = true;
		} catch (error) {
			throw writeFailure(this.path, error);
		}
	}

	async #empty(inputs: readonly string[]): Promise<void> {
		const names = await namesIn(this.path);
		if (names.length === 0) return;
		const place = await placeOf(this.path);
		for (const input of inputs) {
			if (!`${await placeOf(input)}/`.startsWith(`${place}/`)) continue;
			throw new EngineError(
				'OPTION_CONFLICT',
				`output: expected a folder that may be emptied, got ${this.path}, which holds ${input}; use another --output`,
			);
		}
		for (const name of names) await rm(join(this.path, name), {recursive: true, force: true});
	}

	async #clear(from: number): Promise<void> {
		const checkpoints = join(this.path, 'checkpoints');
		const drafts = [this.path, checkpoints].map(async folder =>
			(await namesIn(folder)).filter(isDraft).map(name => join(folder, name)),
		);
		const later = (await stepsIn(checkpoints)).filter(step => step > from);
		const broken = later.map(step => join(checkpoints, `step-${step}`));
		for (const path of [...(await Promise.all(drafts)).flat(), ...broken]) {
			await rm(path, {recursive: true, force: true});
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
		removeEmpty(this.path, this.#made);
	}
}

/** Removes folders that were made around an output, from the inside, where nothing came into them. */
function removeEmpty(output: string, made: string | undefined): void {
	if (made === undefined) return;
	try {
		for (let folder = dirname(resolve(output)); folder.startsWith(made); folder = dirname(folder)) {
			rmdirSync(folder);
		}
	} catch {
		// Something is in it.
	}
}

/** What a writer of this package makes beside its output and a killed one leaves. */
function isDraft(name: string): boolean {
	return /^\..+\.(tmp|old|lock(\.\d+\.\d+)?)$/.test(name);
}

/** The absolute path; of a link, what it points to. */
async function placeOf(path: string): Promise<string> {
	return realpath(path).catch(() => resolve(path));
}

/** Refuses an output that is there, unless it may be replaced or is a run's and gone on with. */
async function expectUsable(path: string, {overwrite, resume}: RunFolderOptions): Promise<void> {
	const names = await namesIn(path);
	if (names.length === 0) return;
	if (!overwrite && !resume) {
		throw new EngineError(
			'OUTPUT_EXISTS',
			`${path}: expected no such output, got one; use --resume to go on with it or --overwrite to replace it`,
		);
	}
	expectOwnFolder(await placeOf(path));
	if (overwrite || names.includes('checkpoints') || names.includes('run.json')) return;
	throw new EngineError(
		'OUTPUT_EXISTS',
		`${path}: expected the output of a run to go on with, got a folder of other things; use another --output`,
	);
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
	const staged = stagingFolder(target);
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
