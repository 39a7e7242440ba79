// Checkpoints: a complete model folder plus trainer/, with which a run goes on to the same bits.
//
// trainer/state.json names every file by its SHA-256 and itself by a checksum, so a torn or altered
// checkpoint is known as such; the one before it is then used.

import {createHash} from 'node:crypto';
import {mkdir, readdir, readFile, rm, writeFile} from 'node:fs/promises';
import {join, relative} from 'node:path';
import {EngineError} from '../errors.js';
import {writeFailure} from '../files/failures.js';
import {sha256File} from '../files/hash.js';
import {Output} from '../files/output.js';
import {
	readSafetensorsHeader,
	readTensor,
	type TensorSource,
	writeSafetensors,
} from '../files/safetensors.js';
import {readTensorTable} from '../files/tensor-files.js';
import {isObject} from '../model/config.js';
import type {EmbeddingModel} from '../model/embedding-model.js';
import {writeModelFolder} from '../model/save.js';
import type {HeldState, WeightPart} from '../native.js';
import {giveTurn} from '../pace.js';
import type {Ranked} from './best.js';
import type {Scores} from './evaluations.js';
import type {HardPair} from './hardest.js';
import type {LossParameters} from './loss-parameters.js';
import {dropNames} from './output-names.js';
import type {Waiting} from './patience.js';

/** What a run must remember beside its tensors. */
export type RunState = {
	step: number;
	/** The options and data of the run: resuming under others is refused. */
	identity: Record<string, unknown>;
	/** Where it was computed: another place gives other bits, which is said. */
	device: string;
	kernels: string;
	/** Numbers that the summary needs. */
	totals: {rows: number; tokens: number; seconds: number};
	lastLoss: number;
	evaluationBefore: Scores;
	/** The newest evaluation, and of all after the first step the best. */
	evaluated: {step: number; scores: Scores} | null;
	best: {value: number; step: number; scores: Scores} | null;
	/** With --keep-best as many as it says, the best first. */
	bests: Ranked[];
	/** For the report: the hardest negatives of the last pass over the data. */
	hardest: HardPair[];
	/** With --patience: how long the metric has not risen, and whether that ended the run. */
	waiting: Waiting | null;
	stopped: boolean;
};

type StateFile = {version: 1; state: RunState; files: Record<string, string>; checksum: string};

/** Elements that are copied to the device in one go. */
const pieceSize = 2 ** 18;

const momentsName = 'trainer/moments.safetensors';
const stateName = join('trainer', 'state.json');

export type Checkpoint = {folder: string; state: RunState};

/** Which checkpoints stay: the newest ones, and those of these steps. */
export type Retention = {keep: number | 'all'; spare: readonly number[]};

/** Writes checkpoints/step-<n>, whole or not at all, and drops the oldest. */
export async function writeCheckpoint(
	model: EmbeddingModel,
	extras: LossParameters,
	{output, state, ...retention}: {output: string; state: RunState} & Retention,
): Promise<void> {
	const folder = join(output, 'checkpoints');
	await mkdir(folder, {recursive: true});
	const target = await Output.create(join(folder, `step-${state.step}`), {
		kind: 'folder',
		overwrite: true,
	});
	try {
		const known = await writeModelFolder(model, target.temporary);
		await mkdir(join(target.temporary, 'trainer'));
		known[momentsName] = await writeMoments(model, extras, join(target.temporary, momentsName));
		const files = await hashesOf(target.temporary, known);
		const content = {version: 1 as const, state, files};
		const text = JSON.stringify({...content, checksum: checksumOf(content)}, null, '\t');
		await writeFile(join(target.temporary, stateName), `${text}\n`);
		await target.commit();
	} catch (error) {
		throw writeFailure(target.path, error);
	} finally {
		await target.discard();
	}
	await dropCheckpoints(output, retention);
}

/** Removes the checkpoints that are neither new enough nor spared. */
export async function dropCheckpoints(output: string, {keep, spare}: Retention): Promise<void> {
	if (keep === 'all') return;
	const folder = join(output, 'checkpoints');
	const old = (await stepsIn(folder)).slice(keep).filter(step => !spare.includes(step));
	for (const step of old) await rm(join(folder, `step-${step}`), {recursive: true, force: true});
	if (old.length > 0) await dropNames(output);
}

/** The SHA-256 of every file of a folder; those that are known are not read again. */
async function hashesOf(
	folder: string,
	known: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
	const entries = await readdir(folder, {recursive: true, withFileTypes: true});
	const names = entries
		.filter(entry => entry.isFile())
		.map(entry => relative(folder, join(entry.parentPath, entry.name)))
		.sort();
	const hashes: Record<string, string> = {};
	for (const name of names) hashes[name] = known[name] ?? (await sha256File(join(folder, name)));
	return hashes;
}

function checksumOf(content: Omit<StateFile, 'checksum'>): string {
	return createHash('sha256').update(JSON.stringify(content)).digest('hex');
}

/** The steps of the checkpoints in a folder, newest first. */
export async function stepsIn(folder: string): Promise<number[]> {
	const names = await readdir(folder).catch(() => []);
	return names
		.flatMap(name => /^step-(\d+)$/.exec(name)?.[1] ?? [])
		.map(Number)
		.sort((a, b) => b - a);
}

/** The newest checkpoint that is whole; each that is not is told to `warn`. */
export async function newestCheckpoint(
	output: string,
	warn: (message: string) => void,
): Promise<Checkpoint | undefined> {
	const root = join(output, 'checkpoints');
	for (const step of await stepsIn(root)) {
		const folder = join(root, `step-${step}`);
		try {
			return {folder, state: await readState(folder, step)};
		} catch (error) {
			warn(`${error instanceof Error ? error.message : error}; the checkpoint before it is used`);
		}
	}
	return undefined;
}

async function readState(folder: string, step: number): Promise<RunState> {
	const refuse = (expected: string, got: string): never => {
		throw new EngineError('CHECKPOINT_INVALID', `${folder}: expected ${expected}, got ${got}`);
	};
	const text = await readFile(join(folder, stateName), 'utf8').catch(() =>
		refuse(stateName, 'none'),
	);
	let file: StateFile;
	try {
		file = JSON.parse(text) as StateFile;
	} catch {
		return refuse(`${stateName} to be JSON`, 'a torn file');
	}
	const {checksum, ...content} = isObject(file)
		? file
		: refuse(`${stateName} as it was written`, 'another');
	if (content.version !== 1 || checksum !== checksumOf(content))
		refuse(`${stateName} as it was written`, 'another');
	if (content.state.step !== step)
		refuse(`the state of step ${step}`, `that of step ${content.state.step}`);
	for (const [name, expected] of Object.entries(content.files)) {
		const found = await sha256File(join(folder, name)).catch(() => 'none');
		if (found !== expected)
			refuse(`${name} as it was written`, found === 'none' ? 'none' : 'other bytes');
	}
	return content.state;
}

/** Puts the weights of a checkpoint and what is kept beside them on the device. */
export async function restoreCheckpoint(
	model: EmbeddingModel,
	extras: LossParameters,
	{folder}: Checkpoint,
): Promise<void> {
	await restoreWeights(model, folder);
	const path = join(folder, momentsName);
	const {tensors} = await readSafetensorsHeader(path);
	const bytesOf = async (name: string): Promise<Uint8Array> => {
		const entry = tensors.get(name);
		if (entry) return readTensor(path, entry);
		throw new EngineError('CHECKPOINT_INVALID', `${path}: expected tensor "${name}", got none`);
	};
	const read = async (name: string): Promise<Float32Array> => floatsOf(await bytesOf(name));
	for (const {key, name, part, rows, columns, type} of stateOf(model)) {
		const bytes = await bytesOf(key);
		const values = type === 'u8' ? bytes : floatsOf(bytes);
		const most = Math.max(1, Math.floor(pieceSize / columns));
		for (let row = 0; row < rows; row += most) {
			const piece = values.subarray(row * columns, (row + most) * columns);
			model.core.write(part, name, row, piece);
			await giveTurn();
		}
	}
	for (const {key, tensor} of extras.tensors()) {
		const values = await read(key);
		if (values.length !== tensor.rows * tensor.columns) {
			const shape = `${tensor.rows} x ${tensor.columns}`;
			const message = `${path}: expected tensor "${key}" of ${shape}, got ${values.length} elements`;
			throw new EngineError('CHECKPOINT_INVALID', message);
		}
		model.computing.native.write(tensor, values);
		await giveTurn();
	}
	await extras.restored();
}

/** Fills the model's weights from another folder of the same model. */
export async function restoreWeights(model: EmbeddingModel, folder: string): Promise<void> {
	for (const {place, mapped} of model.stored) {
		const {path, tensors} = await readTensorTable(join(folder, place));
		const files = new Map<string, WeightPart[]>();
		for (const {file, shape, parameter: name, at, count} of mapped) {
			const entry = tensors.get(file);
			if (!entry || entry.shape.join() !== shape.join() || entry.dtype !== 'F32') {
				throw new EngineError(
					'CHECKPOINT_INVALID',
					`${path}: expected tensor "${file}" of this model`,
				);
			}
			const part: WeightPart = {name, at, count, offset: entry.begin, type: 'f32'};
			files.set(entry.path, [...(files.get(entry.path) ?? []), part]);
		}
		for (const [file, parts] of files) await model.core.load(file, parts);
	}
	await model.refresh();
}

function floatsOf({buffer, byteOffset, byteLength}: Uint8Array): Float32Array {
	return new Float32Array(buffer, byteOffset, byteLength / 4);
}

/**
What is kept of the parameters that are trained, and its name in the file. Where a mean of the weights is
kept, that is the model of a checkpoint, and in its place are the weights.
*/
function stateOf(model: EmbeddingModel): (HeldState & {name: string; key: string})[] {
	return model.core.parameters().flatMap(({name, state}) =>
		state.map(held => {
			const part = held.part === 'average' ? 'weight' : held.part;
			return {...held, name, key: `${part}.${name}`};
		}),
	);
}

async function writeMoments(
	model: EmbeddingModel,
	extras: LossParameters,
	path: string,
): Promise<string> {
	const moments = stateOf(model).map(
		({key, name, part, rows, columns, type}): TensorSource => ({
			name: key,
			dtype: type === 'u8' ? 'U8' : 'F32',
			shape: [rows, columns],
			bytes: async () => {
				const size = rows * columns;
				const values = type === 'u8' ? new Uint8Array(size) : new Float32Array(size);
				await model.core.read(part, name, 0, values);
				return new Uint8Array(values.buffer);
			},
		}),
	);
	const learned = extras.tensors().map(
		({key, tensor}): TensorSource => ({
			name: key,
			dtype: 'F32',
			shape: [tensor.rows, tensor.columns],
			bytes: async () => {
				const values = new Float32Array(tensor.rows * tensor.columns);
				await model.computing.native.read(tensor, values);
				return new Uint8Array(values.buffer);
			},
		}),
	);
	return writeSafetensors(path, [...moments, ...learned]);
}
