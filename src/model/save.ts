// Writes a model as a sentence-transformers folder of the layout that every version reads (up to 5.3).
//
// Weights keep the names they came with, tensors that are not used are carried along, and what was
// written is read back and compared before it counts.

import {mkdir, writeFile} from 'node:fs/promises';
import {join, resolve} from 'node:path';
import {EngineError} from '../errors.js';
import {writeFailure} from '../files/failures.js';
import {sha256File} from '../files/hash.js';
import {Output} from '../files/output.js';
import {
	readTensor,
	type TensorEntry,
	type TensorSource,
	type TensorTable,
} from '../files/safetensors.js';
import {writeShards} from '../files/shards.js';
import {readTensorTable} from '../files/tensor-files.js';
import type {NativeModel} from '../native.js';
import {modelCard} from './card.js';
import type {ModelFolder} from './folder.js';
import type {ModuleWeights} from './load.js';
import {placeOf, type Route} from './router.js';
import type {Tower} from './towers.js';
import type {MappedTensor} from './weights.js';
import {writeModules} from './write-modules.js';

/** What saving needs of a model. */
export type Savable = {
	towers: readonly Pick<Tower, 'folder'>[];
	defaultRoute: Route | null;
	stored: readonly ModuleWeights[];
	core: Pick<NativeModel, 'parameters' | 'read'>;
	width: number;
};

/** Saves the model under `path`, which appears whole or not at all. */
export async function saveModel(
	model: Savable,
	path: string,
	{overwrite = false, card}: {overwrite?: boolean; card?: string} = {},
): Promise<void> {
	for (const {folder} of model.towers) expectOtherPlace(folder, path);
	const output = await Output.create(path, {kind: 'folder', overwrite});
	try {
		await writeModelFolder(model, output.temporary, card);
		await output.commit();
	} finally {
		await output.discard();
	}
}

/** A model can replace its own folder only where that has what every save reads again where it was. */
function expectOtherPlace(folder: ModelFolder, target: string): void {
	const {path, transformer, modules, route} = folder;
	if (resolve(target) !== resolve(path)) return;
	const places = [{folder: transformer, place: modules.place}, ...modules.dense];
	const isMoved = (from: string, place: string) =>
		resolve(from) !== resolve(path, placeOf(route, place));
	const moved = places.find(({folder, place}) => folder !== undefined && isMoved(folder, place));
	if (!moved) return;
	throw new EngineError(
		'OUTPUT_EXISTS',
		`${path}: expected another place for a model that is saved in another layout, got its own folder`,
	);
}

/** Writes all files of the model into a folder that exists; returns the SHA-256 of each weight file. */
export async function writeModelFolder(
	model: Savable,
	target: string,
	card = modelCard(foldersOf(model), model.width),
): Promise<Record<string, string>> {
	try {
		const hashes: Record<string, string> = {};
		for (const weights of model.stored) {
			Object.assign(hashes, await writeWeights(model.core, weights, target));
		}
		await writeModules(foldersOf(model), target, model.defaultRoute);
		await writeFile(join(target, 'README.md'), card);
		return hashes;
	} catch (error) {
		throw writeFailure(target, error);
	}
}

/** The folders of the towers, that of queries first. */
export function foldersOf({towers}: Pick<Savable, 'towers'>): ModelFolder[] {
	return towers.map(({folder}) => folder);
}

/** Writes the weights of a module; returns the SHA-256 of each file by its path in `target`. */
async function writeWeights(
	core: Savable['core'],
	{place, folder, mapped, carried, metadata}: ModuleWeights,
	target: string,
): Promise<Record<string, string>> {
	await mkdir(join(target, place), {recursive: true});
	const shapes = new Map(core.parameters().map(p => [p.name, p]));
	const table = folder && carried.length > 0 ? await readTensorTable(folder) : undefined;
	const entries: TensorSource[] = [
		...mapped.map(tensor => ({
			name: tensor.file,
			dtype: 'F32' as const,
			shape: tensor.shape,
			bytes: () => readElements(core, tensor, shapes.get(tensor.parameter)!),
		})),
		...carried.map(entry => ({
			name: entry.name,
			dtype: entry.dtype,
			shape: entry.shape,
			bytes: () => readCarried(table!, entry),
		})),
	];
	const written = await writeShards(join(target, place), entries, {
		metadata: {...metadata, format: 'pt'},
	});
	const hashes: Record<string, string> = {};
	for (const [name, hash] of written) {
		await expectHash(join(target, place, name), hash);
		hashes[join(place, name)] = hash;
	}
	return hashes;
}

async function expectHash(path: string, written: string): Promise<void> {
	if ((await sha256File(path)) === written) return;
	throw new EngineError(
		'FILE_WRITE',
		`${path}: expected to read back what was written, got other bytes`,
	);
}

async function readElements(
	core: Savable['core'],
	{parameter, at, count}: MappedTensor,
	{rows, columns}: {rows: number; columns: number},
): Promise<Uint8Array> {
	const isRow = rows === 1;
	const values = new Float32Array(isRow ? columns : count);
	await core.read('weight', parameter, isRow ? 0 : at / columns, values);
	const part = isRow ? values.subarray(at, at + count) : values;
	return new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
}

/** A tensor that nothing here uses, looked up anew: a save over its own folder moves it. */
async function readCarried(
	{path, tensors}: TensorTable,
	{name, dtype, shape}: TensorEntry,
): Promise<Uint8Array> {
	const found = tensors.get(name);
	if (found?.dtype === dtype && found.shape.join() === shape.join()) {
		return readTensor(found.path, found);
	}
	throw new EngineError(
		'MODEL_TENSOR',
		`${path}: expected tensor "${name}" as when the model was loaded, got another file`,
	);
}
