// Names inside the output that scripts of other systems look for: where the model goes, and a further
// name of each checkpoint, which is a link to it.

import {lstat, mkdir, readdir, readlink, rename, rm, rmdir, symlink} from 'node:fs/promises';
import {basename, dirname, isAbsolute, join, normalize, relative} from 'node:path';
import {EngineError} from '../errors.js';
import {writeFailure} from '../files/failures.js';

const placeholders = ['step', 'epoch', 'rows', 'metric'] as const;

/** What a name of a checkpoint is made of. */
export type CheckpointNumbers = {
	step: number;
	/** From 0. */
	epoch: number;
	/** Seen so far. */
	rows: number;
	/** The newest value of the metric that decides. */
	metric: number | undefined;
};

/** Refuses names that leave the output, take the place of something else or are not told apart. */
export function expectNames(names: {
	modelPlace?: string | undefined;
	checkpointName?: string | undefined;
}): void {
	const {modelPlace, checkpointName} = names;
	if (modelPlace !== undefined) expectInside('model-place', modelPlace);
	if (checkpointName === undefined) return;
	expectInside('checkpoint-name', checkpointName);
	const used = [...checkpointName.matchAll(/\{([^}]*)\}/g)].map(match => match[1]!);
	const unknown = used.find(name => !(placeholders as readonly string[]).includes(name));
	const isDistinct = used.includes('step') || used.includes('epoch');
	if (unknown === undefined && isDistinct) return;
	const expected = 'expected {step} or {epoch} in it, and beside them {rows} and {metric} only';
	throw new EngineError('OPTION_RANGE', `checkpoint-name: ${expected}, got ${checkpointName}`);
}

function expectInside(option: string, path: string): void {
	const name = normalize(path);
	const isTaken = /^(\.|checkpoints)(\/step-[^/]*)?\/?$/.test(name);
	if (!isAbsolute(name) && name.split('/')[0] !== '..' && !isTaken) return;
	const expected = 'expected a name of its own inside the output';
	throw new EngineError('OPTION_RANGE', `${option}: ${expected}, got ${path}`);
}

/** Links the checkpoint of a step under its further name, if it has one. */
export async function nameCheckpoint(
	output: string,
	name: string | undefined,
	numbers: CheckpointNumbers,
): Promise<void> {
	if (name === undefined) return;
	const words = {...numbers, metric: numbers.metric?.toFixed(2) ?? 'none'};
	const link = join(
		output,
		name.replace(/\{(\w+)\}/g, (_, key: keyof typeof words) => `${words[key]}`),
	);
	const target = join(output, 'checkpoints', `step-${numbers.step}`);
	try {
		await mkdir(dirname(link), {recursive: true});
		const draft = join(dirname(link), `.${basename(link)}.${process.pid}.tmp`);
		await rm(draft, {force: true});
		await symlink(relative(dirname(link), target), draft, 'dir');
		await rename(draft, link);
	} catch (error) {
		throw writeFailure(link, error);
	}
}

/** Removes names of checkpoints that are gone, and the folders that they leave empty. */
export async function dropNames(output: string): Promise<void> {
	const entries = await readdir(output, {recursive: true, withFileTypes: true});
	for (const entry of entries) {
		if (!entry.isSymbolicLink()) continue;
		const link = join(entry.parentPath, entry.name);
		const target = join(entry.parentPath, await readlink(link));
		const isOurs = !relative(join(output, 'checkpoints'), target).startsWith('..');
		if (!isOurs || (await lstat(target).catch(() => undefined))) continue;
		await rm(link);
		await dropEmpty(entry.parentPath, output);
	}
}

async function dropEmpty(folder: string, output: string): Promise<void> {
	if (folder === output || (await readdir(folder)).length > 0) return;
	await rmdir(folder);
	await dropEmpty(dirname(folder), output);
}
