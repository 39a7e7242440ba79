// From a model folder to weights on a device.

import {join} from 'node:path';
import type {Device} from '../device.js';
import {EngineError} from '../errors.js';
import type {TensorEntry, TensorTable} from '../files/safetensors.js';
import {readTensorTable} from '../files/tensor-files.js';
import {cancellable, type NativeModel, native, type WeightPart} from '../native.js';
import {familyConfig} from './config.js';
import type {HeadLayer} from './dense-config.js';
import type {ModelFolder} from './folder.js';
import {familyStart, initialize, linearStart, type StartRule} from './initialize.js';
import type {Family} from './spec.js';
import {type MappedTensor, planWeights, type WeightPlan} from './weights.js';

/** The weights of one module, in one file or in several, and what of them goes where. */
export type ModuleWeights = {
	/** Where they are saved, relative to the model folder. */
	place: string;
	/** The folder they come from; none: they began anew. */
	folder: string | undefined;
	mapped: MappedTensor[];
	carried: TensorEntry[];
	metadata: Record<string, string>;
};

export type LoadedWeights = {
	core: NativeModel;
	stored: ModuleWeights[];
	/** Of the values read. */
	fingerprint: string;
	warnings: string[];
};

/** A layer behind pooling, as a family of one tensor or two. */
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
			['norm.weight', `head.${index}.norm.weight`],
			['norm.bias', `head.${index}.norm.bias`],
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
		const {config, configPath, family, modules, newParts, spec} = folder;
		const sources: Source[] = [
			{
				place: modules.place,
				folder: newParts.init === undefined ? folder.transformer : undefined,
				family,
				parameters: body,
				start: () => familyStart(family, familyConfig(config, configPath), spec),
			},
			...folder.modules.dense.map((layer, index) => denseSource(layer, index, parameters)),
		];
		const loaded: LoadedWeights = {core, stored: [], fingerprint: '', warnings: []};
		for (const source of sources) {
			signal?.throwIfAborted();
			if (source.folder === undefined) await startModule(loaded, source, folder);
			else await loadModule(loaded, {...source, folder: source.folder}, signal);
		}
		return {...loaded, fingerprint: await core.pack(device.dtype === 'int8')};
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
		const where = join(path, 'config.json');
		const code = error instanceof EngineError ? error.code : undefined;
		if (code === 'OUT_OF_MEMORY') {
			const expected = 'expected sizes whose weights fit into memory, got larger ones';
			throw new EngineError('OUT_OF_MEMORY', `${where}: ${expected}`, {cause: error});
		}
		if (code !== 'OP_INVALID') throw error;
		const message = `${where}: ${(error as EngineError).message}`;
		throw new EngineError('MODEL_CONFIG', message, {cause: error});
	}
}

type Source = {
	place: string;
	/** Undefined: the weights begin anew, by the rule `start`. */
	folder: string | undefined;
	family: Family;
	parameters: ReturnType<NativeModel['parameters']>;
	start: () => StartRule;
};

function denseSource(
	{place, folder, inputs}: HeadLayer,
	index: number,
	all: Source['parameters'],
): Source {
	const parameters = all.filter(p => p.name.startsWith(`head.${index}.`));
	const start = () => linearStart(inputs);
	return {place, folder, family: denseFamily(index), parameters, start};
}

async function startModule(
	loaded: LoadedWeights,
	{place, family, parameters, start}: Source,
	{spec, newParts: {seed = 0}}: ModelFolder,
): Promise<void> {
	const module = {family, parameters, rule: start()};
	const mapped = await initialize(loaded.core, module, {spec, seed, place});
	loaded.stored.push({place, folder: undefined, mapped, carried: [], metadata: {}});
}

async function loadModule(
	loaded: LoadedWeights,
	{place, folder, family, parameters}: Source & {folder: string},
	signal?: AbortSignal,
): Promise<void> {
	const table = await readTensorTable(folder);
	const plan: WeightPlan = planWeights(family, parameters, table);
	const {mapped, carried, unknown} = plan;
	loaded.stored.push({place, folder, mapped, carried, metadata: table.metadata});
	for (const tensor of unknown) {
		loaded.warnings.push(
			`${table.path}: tensor "${tensor}" is not known and not used; it is kept in every save`,
		);
	}
	for (const [path, parts] of partsByFile(plan, table)) {
		await cancellable(signal, canceller => loaded.core.load(path, parts, canceller));
	}
}

/** What each file gives. The plan has a part for each tensor that it maps. */
function partsByFile(
	{mapped, parts}: WeightPlan,
	{tensors}: TensorTable,
): Map<string, WeightPart[]> {
	const files = new Map<string, WeightPart[]>();
	for (const [n, part] of parts.entries()) {
		const {path} = tensors.get(mapped[n]!.file)!;
		const list = files.get(path);
		if (list) list.push(part);
		else files.set(path, [part]);
	}
	return files;
}
