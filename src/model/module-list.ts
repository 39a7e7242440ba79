// modules.json, and the router_config.json of a Router with one route: which classes a model is made of,
// in their order, and in which folder each lies. No class is looked up or run; names outside of
// sentence-transformers are refused.

import {join, normalize} from 'node:path';
import {EngineError, kindOf} from '../errors.js';
import {isObject, readJson, readJsonObject} from './config.js';
import {moduleConfig} from './dense-config.js';

export type Module = {
	/** The class, as the file names it. */
	type: string;
	/** Its last word. */
	kind: string;
	folder: string;
	/** The file and the place in it, for messages. */
	where: string;
};

/** The modules of a folder; undefined when it is no sentence-transformers folder. */
export async function readModuleList(root: string): Promise<Module[] | undefined> {
	const path = join(root, 'modules.json');
	const list = await readJson(path);
	if (list === undefined) return undefined;
	if (!Array.isArray(list) || list.length === 0) {
		throw new EngineError(
			'MODEL_MODULE',
			`${path}: expected a list of modules, got ${kindOf(list)}`,
		);
	}
	const modules: Module[] = [];
	for (const [index, entry] of list.entries()) {
		const module = moduleOf(entry, root, `${path}: module ${index}`);
		modules.push(...(isRouter(module) ? await routeOf(module) : [module]));
	}
	return modules;
}

function moduleOf(entry: unknown, root: string, where: string): Module {
	const {type, path} = isObject(entry) ? entry : {};
	if (typeof type !== 'string' || typeof path !== 'string') {
		throw new EngineError(
			'MODEL_MODULE',
			`${where}: expected "type" and "path", got ${kindOf(entry)}`,
		);
	}
	if (!type.startsWith('sentence_transformers.')) {
		throw new EngineError(
			'MODEL_MODULE',
			`${where}: expected a class of sentence_transformers, got ${type}, which needs remote code; it is never run`,
		);
	}
	const kind = type.slice(type.lastIndexOf('.') + 1);
	return {type, kind, folder: join(root, insideOf(path, where)), where};
}

/**
A path inside the folder; one that leaves it is refused. Only its text counts: the folders of the hub's cache are made of
links that lead elsewhere.
*/
function insideOf(path: string, where: string): string {
	const parts = path.split(/[/\\]/);
	if (!parts.includes('..') && !/^([/\\]|[a-z]:)|\0/i.test(path)) return normalize(path);
	throw new EngineError('MODEL_MODULE', `${where}: expected a path inside the folder, got ${path}`);
}

function isRouter({kind}: Module): boolean {
	return kind === 'Router' || kind === 'Asym';
}

/** The modules of a Router whose routes are all the same. */
async function routeOf({folder, type}: Module): Promise<Module[]> {
	const isNew = (await readJsonObject(join(folder, 'router_config.json'))) !== undefined;
	const path = join(folder, isNew ? 'router_config.json' : 'config.json');
	const {types, structure} = await moduleConfig(
		folder,
		isNew ? 'router_config.json' : 'config.json',
	);
	const routes = isObject(structure) ? Object.entries(structure) : [];
	const [first] = routes;
	if (!isObject(types) || first === undefined) {
		throw new EngineError('MODEL_MODULE', `${path}: expected "types" and "structure" of a ${type}`);
	}
	if (routes.some(([, names]) => JSON.stringify(names) !== JSON.stringify(first[1]))) {
		const names = routes.map(([name]) => name).join(', ');
		throw new EngineError(
			'MODEL_MODULE',
			`${path}: expected routes that are all the same, got ${names}, which differ; ` +
				'a tower of its own for each kind of text is not supported',
		);
	}
	return [first[1]].flat().map(name => {
		const where = `${path}: ${name}`;
		const module = moduleOf({type: types[String(name)], path: name}, folder, where);
		if (!isRouter(module)) return module;
		throw new EngineError('MODEL_MODULE', `${where}: expected no ${type} within another`);
	});
}
