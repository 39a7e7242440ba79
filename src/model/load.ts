// From a model folder to weights on a device.

import {join} from 'node:path';
import type {Device} from '../device.js';
import {EngineError} from '../errors.js';
import type {TensorEntry, TensorTable} from '../files/safetensors.js';
import {readTensorTable} from '../files/tensor-files.js';
import {cancellable, type NativeModel, native, type WeightPart} from '../native.js';
import {familyConfig} from './config.js';
import type {PoolerFile} from './dense-config.js';
import {poolerTable} from './dense-pooler.js';
import type {ModelFolder} from './folder.js';
import {familyStart, initialize, linearStart, type StartRule} from './initialize.js';
import {firstPower, layerMeanPlace, poolingPlace} from './learned-pooling.js';
import {placeOf} from './router.js';
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

/** What stands behind the transformer, as a family of a tensor or two. */
const plainFamily: Omit<Family, 'name' | 'tensors'> = {
	modelTypes: [],
	prefixes: [],
	unused: [],
	spec: () => {
		throw new EngineError('INTERNAL', 'a layer has no configuration of its own');
	},
	dropout: () => ({hidden: 0, attention: 0}),
};

function denseFamily(index: number): Family {
	return {
		...plainFamily,
		name: 'dense',
		tensors: [
			['linear.weight', `head.${index}.weight`],
			['linear.bias', `head.${index}.bias`],
			['norm.weight', `head.${index}.norm.weight`],
			['norm.bias', `head.${index}.norm.bias`],
		],
	};
}

/** Makes the model on the device and fills it from the files of its towers' folders. */
export async function loadWeights(
	folders: readonly [ModelFolder, ...ModelFolder[]],
	device: Device,
	signal?: AbortSignal,
): Promise<LoadedWeights> {
	await device.native.synchronize(); // a card starts on its own thread
	const core = makeCore(folders, device);
	try {
		const warnings = slowAttention(folders, device);
		const loaded: LoadedWeights = {core, stored: [], fingerprint: '', warnings};
		for (const [tower, folder] of folders.entries()) {
			for (const source of sourcesOf(folder, towerParameters(core, tower))) {
				signal?.throwIfAborted();
				if (source.folder === undefined) await startModule(loaded, source, folder);
				else await loadModule(loaded, {...source, folder: source.folder}, signal);
			}
		}
		return {...loaded, fingerprint: await core.pack(device.dtype === 'int8')};
	} catch (error) {
		await core.dispose();
		throw error;
	}
}

/** Widths of heads that native/cuda/attention_mma.cuh has kernels for. */
export const matrixHeadWidths: readonly number[] = [32, 64, 80, 96, 128];

function slowAttention(folders: readonly ModelFolder[], {dtype}: Device): string[] {
	const all = folders.flatMap(({spec}) => spec.blocks.map(block => block.attention.headWidth));
	const others = [...new Set(all)].filter(width => !matrixHeadWidths.includes(width));
	if (dtype !== 'bf16' || others.length === 0) return [];
	const heads = `heads of ${others.join(', ')} columns have attention on ordinary cores`;
	return [`${heads}, which is slower: tensor cores take ${matrixHeadWidths.join(', ')}`];
}

const documentPrefix = 'document.';

/** The parameters of a tower by their names in it, and what comes before these in the whole model. */
function towerParameters(core: NativeModel, tower: number) {
	const prefix = tower === 0 ? '' : documentPrefix;
	const own = core.parameters().filter(({name}) => name.startsWith(documentPrefix) === tower > 0);
	return {prefix, parameters: own.map(p => ({...p, name: p.name.slice(prefix.length)}))};
}

type TowerParameters = ReturnType<typeof towerParameters>;

/** The modules of a tower that have weights. */
function sourcesOf(folder: ModelFolder, {prefix, parameters}: TowerParameters): Source[] {
	const {config, configPath, family, modules, newParts, spec, route, transformer} = folder;
	const body = {
		place: placeOf(route, modules.place),
		folder: newParts.init === undefined ? transformer : undefined,
		family,
		prefix,
		parameters: parameters.filter(({name}) => !/^(head|layers)\./.test(name)),
		start: () => familyStart(family, familyConfig(config, configPath), spec),
	};
	const dense = modules.dense.map((layer, index) => ({
		place: placeOf(route, layer.place),
		folder: layer.folder,
		...(layer.pooler && {pooler: layer.pooler}),
		family: denseFamily(index),
		prefix,
		parameters: parameters.filter(({name}) => name.startsWith(`head.${index}.`)),
		start: () => linearStart(layer.inputs),
	}));
	return [body, ...learnedSources(folder, {prefix, parameters}), ...dense];
}

/** The weights of a pooling that has some. */
function learnedSources(
	{modules, route}: ModelFolder,
	{prefix, parameters}: TowerParameters,
): Source[] {
	const {layerMean, poolingFolder} = modules;
	const known = [
		['layers.weight', 'layer_weights', layerMeanPlace, layerMean?.folder, 1],
		['head.power', 'p', poolingPlace(modules), poolingFolder, firstPower],
	] as const;
	return known.flatMap(([parameter, file, place, folder, value]) => {
		const own = parameters.filter(({name}) => name === parameter);
		if (own.length === 0) return [];
		const family = {...plainFamily, name: file, tensors: [[file, parameter] as const]};
		const start = () => () => ({kind: 'value' as const, value});
		return {place: placeOf(route, place), folder, family, prefix, parameters: own, start};
	});
}

/** The model on the device, its weights still empty. */
function makeCore(
	[{path, spec}, document]: readonly [ModelFolder, ...ModelFolder[]],
	device: Device,
): NativeModel {
	try {
		const computed = device.dtype === 'bf16' ? 'bf16' : 'f32';
		return new (native().Model)(device.native, spec, document?.spec, computed);
	} catch (error) {
		const where = join(path, 'config.json');
		const code = error instanceof EngineError ? error.code : undefined;
		if (code === 'OUT_OF_MEMORY') {
			const {message: reason} = error as EngineError;
			const message = `${where}: the weights do not fit into memory; ${reason}`;
			throw new EngineError('OUT_OF_MEMORY', message, {cause: error});
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
	/** The file in it, where it is not that of a module. */
	pooler?: PoolerFile;
	family: Family;
	/** What comes before the names of its parameters in the whole model. */
	prefix: string;
	parameters: ReturnType<NativeModel['parameters']>;
	start: () => StartRule;
};

async function startModule(
	loaded: LoadedWeights,
	{place, start, ...module}: Source,
	{spec, newParts: {seed = 0}}: ModelFolder,
): Promise<void> {
	const mapped = await initialize(loaded.core, {...module, rule: start()}, {spec, seed});
	loaded.stored.push({place, folder: undefined, mapped, carried: [], metadata: {}});
}

async function loadModule(
	loaded: LoadedWeights,
	{place, folder, pooler, family, prefix, parameters}: Source & {folder: string},
	signal?: AbortSignal,
): Promise<void> {
	const table = await (pooler ? poolerTable(folder, pooler) : readTensorTable(folder));
	const plan = withPrefix(planWeights(family, parameters, table), prefix);
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

/** The plan of a tower as one of the whole model. */
function withPrefix(plan: WeightPlan, prefix: string): WeightPlan {
	const mapped = plan.mapped.map(one => ({...one, parameter: prefix + one.parameter}));
	return {...plan, mapped, parts: plan.parts.map(part => ({...part, name: prefix + part.name}))};
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
