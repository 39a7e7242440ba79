// The files of a model folder beside its weights, in the layout that every version of
// sentence-transformers reads (up to 5.3): modules and their configurations, tokenizer, lengths, prompts.

import {mkdir, readFile, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {expectNoPipe} from '../pipes.js';
import {type JsonObject, readJsonObject} from './config.js';
import {layerConfig} from './dense-config.js';
import type {ModelFolder} from './folder.js';
import {layerMeanConfig, layerMeanPlace, poolingPlace} from './learned-pooling.js';
import {outerConfig} from './outer-config.js';
import {poolingConfig} from './pooling-config.js';
import {placeOf, type Route, routerConfig} from './router.js';
import {spelledAs} from './spelled-json.js';
import {staticPlace} from './static-folder.js';
import {isUnpooled} from './token-head.js';
import {maskConfig, tokenNames, tokenTypes} from './token-modules.js';

/** Writes everything but weights and card of a model of one tower or two into a folder that exists. */
export async function writeModules(
	folders: readonly ModelFolder[],
	target: string,
	defaultRoute: Route | null = null,
): Promise<void> {
	const [first] = folders;
	if (isUnpooled(first!.spec.head)) return writeTokenModules(first!, target);
	const chains: ModuleEntry[][] = [];
	for (const folder of folders) chains.push(await writeChain(folder, target));
	await writeJson(join(target, 'config_sentence_transformers.json'), outerConfig(first!, false));
	const isOne = chains.length === 1;
	await writeJson(join(target, 'modules.json'), isOne ? chains[0] : [module(0, '', 'Router')]);
	if (isOne) return;
	const types = Object.fromEntries(chains.flat().map(({path, type}) => [path, type]));
	await writeJson(join(target, 'router_config.json'), routerConfig(types, defaultRoute));
}

/** The modules of a tower, each in its place. */
async function writeChain(folder: ModelFolder, target: string): Promise<ModuleEntry[]> {
	const {spec, modules, route} = folder;
	const list = modules.isStatic
		? [await writeStatic(folder, target)]
		: [
				await writeTransformer(folder, target),
				...(await writeLayerMean(folder, target)),
				await writePooling(folder, target),
			];
	for (const layer of modules.dense) {
		const place = placeOf(route, layer.place);
		await writeJson(join(target, place, 'config.json'), layerConfig(layer));
		list.push(module(list.length, place, layer.kind));
	}
	if (spec.head.normalize) {
		const place = placeOf(route, `${list.length}_Normalize`);
		await mkdir(join(target, place), {recursive: true});
		list.push(module(list.length, place, 'Normalize'));
	}
	return list;
}

/** The same for a model that hands up token vectors, as version 6 writes it. */
async function writeTokenModules(folder: ModelFolder, target: string): Promise<void> {
	const {spec, modules} = folder;
	const list = [{...(await writeTransformer(folder, target)), type: tokenTypes.Transformer}];
	const add = async (place: string, kind: keyof typeof tokenTypes, config: object) => {
		await writeJson(join(target, place, 'config.json'), config);
		list.push({...module(list.length, place, kind), type: tokenTypes[kind]});
	};
	for (const layer of modules.dense) {
		await add(layer.place, 'Dense', {...layerConfig(layer), ...tokenNames});
	}
	await add(`${list.length}_MultiVectorMask`, 'MultiVectorMask', maskConfig);
	if (spec.head.normalize) await add(`${list.length}_Normalize`, 'Normalize', tokenNames);
	await writeJson(join(target, 'config_sentence_transformers.json'), outerConfig(folder, true));
	await writeJson(join(target, 'modules.json'), list);
}

type ModuleEntry = {idx: number; name: string; path: string; type: string};

function module(idx: number, path: string, kind: string): ModuleEntry {
	return {idx, name: String(idx), path, type: `sentence_transformers.models.${kind}`};
}

/** The transformer in the root, wherever it lay, with the length that the model is used at. */
async function writeTransformer(folder: ModelFolder, root: string): Promise<ModuleEntry> {
	const place = placeOf(folder.route, '');
	const target = join(root, place);
	await mkdir(target, {recursive: true});
	const {transformer, config, configPath, maxLength, truncationSide, lowerCase} = folder;
	await copyFiles(transformer, folder.tokenizerFiles.names, target);
	await copyFiles(dirname(configPath), folder.remoteCode?.files ?? [], target);
	const file = 'tokenizer_config.json';
	const settings = (await readJsonObject(join(transformer, file))) ?? {};
	const isSaid = truncationSide !== 'right' || 'truncation_side' in settings;
	await writeJson(join(target, file), {
		...settings,
		model_max_length: maxLength,
		...(isSaid && {truncation_side: truncationSide}),
	});
	const original = await readFile(configPath, 'utf8');
	const spelled = spelledAs(original.replace(/^\uFEFF/, ''), {
		...withType(config),
		...(folder.modules.layerMean && {output_hidden_states: true}),
	});
	await writeFile(join(target, 'config.json'), `${spelled}\n`);
	await writeJson(join(target, 'sentence_bert_config.json'), {
		max_seq_length: maxLength,
		do_lower_case: lowerCase,
	});
	return module(0, place, 'Transformer');
}

async function writeLayerMean(
	{spec, modules: {layerMean}, route}: ModelFolder,
	target: string,
): Promise<ModuleEntry[]> {
	if (layerMean === undefined) return [];
	const place = placeOf(route, layerMeanPlace);
	await writeJson(join(target, place, 'config.json'), layerMeanConfig(layerMean, spec.width));
	return [module(1, place, 'WeightedLayerPooling')];
}

async function writePooling(
	{spec, modules, route}: ModelFolder,
	target: string,
): Promise<ModuleEntry> {
	const {includePrompt} = modules;
	const place = placeOf(route, poolingPlace(modules));
	const config = poolingConfig(spec.head.pooling, {width: spec.width, includePrompt});
	await writeJson(join(target, place, 'config.json'), config);
	return module(modules.layerMean ? 2 : 1, place, 'Pooling');
}

async function writeStatic(
	{transformer, tokenizerFiles, route}: ModelFolder,
	target: string,
): Promise<ModuleEntry> {
	const place = placeOf(route, staticPlace);
	await copyFiles(transformer, tokenizerFiles.names, join(target, place));
	return module(0, place, 'StaticEmbedding');
}

async function copyFiles(from: string, names: readonly string[], to: string): Promise<void> {
	for (const name of names) {
		await expectNoPipe(join(from, name));
		await writeFile(join(to, name), await readFile(join(from, name)));
	}
}

/** Readers compute in the type that the configuration names, so it names the one that is written. */
function withType(config: JsonObject): JsonObject {
	const keys = ['dtype', 'torch_dtype'].filter(key => key in config);
	return {...config, ...Object.fromEntries(keys.map(key => [key, 'float32']))};
}

async function writeJson(path: string, value: unknown): Promise<void> {
	await mkdir(dirname(path), {recursive: true});
	await writeFile(path, `${JSON.stringify(value, null, 2)}\n`);
}
