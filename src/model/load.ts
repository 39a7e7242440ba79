// From a model folder to weights on a device.

import {access} from 'node:fs/promises';
import {join} from 'node:path';
import type {Device} from '../device.js';
import {EngineError} from '../errors.js';
import {readSafetensorsHeader, type TensorEntry} from '../files/safetensors.js';
import {cancellable, type NativeModel, native} from '../native.js';
import type {ModelFolder} from './folder.js';
import type {DenseModule} from './modules.js';
import type {Family} from './spec.js';
import {type MappedTensor, type ParameterShape, planWeights, type WeightPlan} from './weights.js';

/** One weight file of a folder, and what of it goes where. */
export type WeightFile = {
	/** Where it lies, relative to the model folder. */
	name: string;
	path: string;
	mapped: MappedTensor[];
	carried: TensorEntry[];
	metadata: Record<string, string>;
};

export type LoadedWeights = {
	core: NativeModel;
	files: WeightFile[];
	/** Of the values read. */
	fingerprint: string;
	warnings: string[];
};

/** The layer of a Dense module, as a family of one tensor or two. */
function denseFamily(index: number): Family {
	return {
		name: 'dense',
		modelTypes: [],
		prefixes: [],
		unused: [],
		spec: () => {
			throw new EngineError('INTERNAL', 'dense: has no configuration of its own');
		},
		dropout: () => ({hidden: 0, attention: 0}),
		tensors: [
			['linear.weight', `head.${index}.weight`],
			['linear.bias', `head.${index}.bias`],
		],
	};
}

/** Makes the model on the device and fills it from the folder's files. */
export async function loadWeights(
	folder: ModelFolder,
	device: Device,
	signal?: AbortSignal,
): Promise<LoadedWeights> {
	const core = makeCore(folder, device);
	try {
		const parameters = core.parameters();
		const body = parameters.filter(p => !p.name.startsWith('head.'));
		const sources = [
			{name: 'model.safetensors', family: folder.family, parameters: body},
			...folder.modules.dense.map((dense, index) =>
				denseSource(dense, index, folder.path, parameters),
			),
		];
		const loaded: LoadedWeights = {core, files: [], fingerprint: '', warnings: []};
		for (const source of sources) await loadFile(loaded, folder.path, source, signal);
		return {...loaded, fingerprint: await core.pack()};
	} catch (error) {
		await core.dispose();
		throw error;
	}
}

/** The model on the device, its weights still empty. */
function makeCore({path, spec}: ModelFolder, device: Device): NativeModel {
	try {
		return new (native().Model)(device.native, spec);
	} catch (error) {
		if (!(error instanceof EngineError) || error.code !== 'OP_INVALID') throw error;
		const message = `${join(path, 'config.json')}: ${error.message}`;
		throw new EngineError('MODEL_CONFIG', message, {cause: error});
	}
}

type Source = {name: string; family: Family; parameters: ParameterShape[]};

function denseSource(
	dense: DenseModule,
	index: number,
	root: string,
	all: ParameterShape[],
): Source {
	return {
		name: join(dense.folder.slice(root.length + 1), 'model.safetensors'),
		family: denseFamily(index),
		parameters: all.filter(p => p.name.startsWith(`head.${index}.`)),
	};
}

async function loadFile(
	loaded: LoadedWeights,
	root: string,
	{name, family, parameters}: Source,
	signal?: AbortSignal,
): Promise<void> {
	const path = join(root, name);
	await expectFile(path);
	const header = await readSafetensorsHeader(path);
	const plan: WeightPlan = planWeights(family, parameters, header);
	loaded.files.push({
		name,
		path,
		mapped: plan.mapped,
		carried: plan.carried,
		metadata: header.metadata,
	});
	for (const tensor of plan.unknown) {
		loaded.warnings.push(
			`${path}: tensor "${tensor}" is not known and not used; it is kept in every save`,
		);
	}
	await cancellable(signal, canceller => loaded.core.load(path, plan.parts, canceller));
}

async function expectFile(path: string): Promise<void> {
	try {
		await access(path);
	} catch {
		throw new EngineError(
			'MODEL_NOT_FOUND',
			`${path}: expected the weights of the model, got no such file; only safetensors are read, and of these no shards`,
		);
	}
}
