// The tiny models of every family with what torch makes of them; see test/fixtures/families.

import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {onTestFinished} from 'vitest';
import {readNpy} from '../../dist/files/npy.js';
import {readSafetensorsHeader, readTensor} from '../../dist/files/safetensors.js';
import {readModelFolder} from '../../dist/model/folder.js';
import {loadWeights} from '../../dist/model/load.js';
import type {Pooling} from '../../dist/model/spec.js';
import type {MappedTensor} from '../../dist/model/weights.js';
import type {NativeDevice} from '../../dist/native.js';
import type {Matrix} from '../support/matrix.js';
import type {Batch} from '../support/model64.js';
import {newDevice} from '../support/run-op.js';
import type {TinyModel} from '../support/tiny-model.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Those of the repository, which are narrow, and those that are handed out beside it. */
export const fixtures = join(root, 'test/fixtures/families');
export const sharedFixtures = join(
	process.env['INBATCH_SHARED'] ?? join(root, '../shared'),
	'fixtures/families',
);

export type FamilyFolder = {name: string; path: string; hiddenError: number};

/** The models in a folder of them; none where there is no such folder. */
export function familyFolders(folder: string): FamilyFolder[] {
	const file = join(folder, 'precision.json');
	if (!existsSync(file)) return [];
	const precision: Record<string, {forward_f32_max_error: number}> = JSON.parse(
		readFileSync(file, 'utf8'),
	);
	const names = readdirSync(folder).filter(name => name in precision);
	return names.map(name => ({
		...{name, path: join(folder, name)},
		hiddenError: precision[name]!.forward_f32_max_error,
	}));
}

export type LoadedFamily = {model: TinyModel; mapped: MappedTensor[]};

type Loading = {pooling?: Pooling; device?: NativeDevice; dtype?: 'f32' | 'bf16'};

/** A model ready to train, with the rows of all tokens unless a pooling is given. */
export async function loadFamily(
	path: string,
	{pooling, device = newDevice(2), dtype = 'f32'}: Loading = {},
): Promise<LoadedFamily> {
	const found = await readModelFolder(path, {pooling: 'mean'});
	const head = {pooling: pooling ? [pooling] : [], dense: [], normalize: false};
	const spec = {...found.spec, head};
	const place = {name: 'cpu', kernels: '', dtype, threads: 0, native: device};
	const {core, stored} = await loadWeights([{...found, spec}], place);
	onTestFinished(() => core.dispose());
	await core.prepareTraining([]);
	const model = {spec, device, core, weights: new Map<string, Matrix>()};
	return {model, mapped: stored.flatMap(({mapped}) => mapped)};
}

export async function goldenBatch(path: string): Promise<Batch> {
	const lines = readFileSync(join(path, 'golden/texts.jsonl'), 'utf8').trim().split('\n');
	const texts = lines.map(line => (JSON.parse(line) as {ids: number[]}).ids);
	const {data} = await readNpy(join(path, 'golden/offsets.npy'));
	return {
		ids: Int32Array.from(texts.flat()),
		offsets: data as Int32Array,
		texts: Int32Array.from(texts.keys()),
	};
}

export async function goldenMatrix(path: string, name: string): Promise<Matrix> {
	const {data, shape} = await readNpy(join(path, `golden/${name}.npy`));
	return {rows: shape[0]!, columns: shape[1]!, values: Float64Array.from(data as Float32Array)};
}

/** By the names of the tensors in the model's file. */
export async function goldenGradients(path: string): Promise<Map<string, Matrix>> {
	const header = await readSafetensorsHeader(join(path, 'golden/gradients.safetensors'));
	const found = new Map<string, Matrix>();
	for (const [name, entry] of header.tensors) {
		const {buffer} = await readTensor(header.path, entry);
		const values = Float64Array.from(new Float32Array(buffer));
		found.set(name, {rows: 1, columns: values.length, values});
	}
	return found;
}
