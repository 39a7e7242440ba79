// modules.json, and a route of a Router in it: which classes a model is made of, in their order, and in
// which folder each lies. No class is looked up or run; names outside of sentence-transformers are refused.

import {join, normalize} from 'node:path';
import {EngineError, kindOf} from '../errors.js';
import {isObject, readJson} from './config.js';
import {hasTwoPoolers} from './dense-pooler.js';
import {type Route, readRouter, routesOf} from './router.js';

export type Module = {
	/** The class, as the file names it. */
	type: string;
	/** Its last word. */
	kind: string;
	folder: string;
	/** The file and the place in it, for messages. */
	where: string;
};

/** The modules of a folder, of a route of its own where it has two; undefined when it is no sentence-transformers folder. */
export async function readModuleList(root: string, route?: Route): Promise<Module[] | undefined> {
	const list = await readTopList(root);
	const modules: Module[] = [];
	for (const module of list ?? []) {
		modules.push(...(isRouter(module) ? await routeOf(module, route) : [module]));
	}
	return list && modules;
}

/** Two routes that differ, and the one of texts of which nothing is said; undefined: one for all texts. */
export async function readRoutes(root: string): Promise<{defaultRoute: Route | null} | undefined> {
	const list = await readTopList(root);
	if (list === undefined) return (await hasTwoPoolers(root)) ? {defaultRoute: null} : undefined;
	const module = list.find(isRouter);
	return module && routesOf(await readRouter(module.folder, module.type));
}

async function readTopList(root: string): Promise<Module[] | undefined> {
	const path = join(root, 'modules.json');
	const list = await readJson(path);
	if (list === undefined) return undefined;
	if (!Array.isArray(list) || list.length === 0) {
		throw new EngineError(
			'MODEL_MODULE',
			`${path}: expected a list of modules, got ${kindOf(list)}`,
		);
	}
	return list.map((entry, index) => moduleOf(entry, root, `${path}: module ${index}`));
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

/** The modules of a route of a Router; of any, where all are the same. */
async function routeOf({folder, type}: Module, route: Route | undefined): Promise<Module[]> {
	const router = await readRouter(folder, type);
	const {path, types, structure} = router;
	const names = routesOf(router) ? structure[route ?? 'query'] : Object.values(structure)[0];
	return [names].flat().map(name => {
		const where = `${path}: ${name}`;
		const module = moduleOf({type: types[String(name)], path: name}, folder, where);
		if (!isRouter(module)) return module;
		throw new EngineError('MODEL_MODULE', `${where}: expected no ${type} within another`);
	});
}
