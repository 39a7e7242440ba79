// The configuration of a Router (Asym before sentence-transformers 5): chains of modules by the name of a
// route. Here there is one for all texts, or one of queries and one of documents.

import {join} from 'node:path';
import {EngineError} from '../errors.js';
import {isObject, type JsonObject, readJsonObject} from './config.js';
import {moduleConfig} from './dense-config.js';

/** The towers of a model of two. */
export const routes = ['query', 'document'] as const;
export type Route = (typeof routes)[number];

export type Router = {
	path: string;
	/** Classes by the names of modules. */
	types: JsonObject;
	/** Names of modules by the names of routes. */
	structure: JsonObject;
	parameters: JsonObject;
};

const file = 'router_config.json';

export async function readRouter(folder: string, type: string): Promise<Router> {
	const isNew = (await readJsonObject(join(folder, file))) !== undefined;
	const name = isNew ? file : 'config.json';
	const path = join(folder, name);
	const {types, structure, parameters} = await moduleConfig(folder, name);
	if (isObject(types) && isObject(structure) && Object.keys(structure).length > 0) {
		return {path, types, structure, parameters: isObject(parameters) ? parameters : {}};
	}
	throw new EngineError('MODEL_MODULE', `${path}: expected "types" and "structure" of a ${type}`);
}

/** The default of two routes that differ, `query` and `document`; undefined: all routes are the same. */
export function routesOf({
	path,
	structure,
	parameters,
}: Router): {defaultRoute: Route | null} | undefined {
	const [first, ...others] = Object.values(structure).map(names => JSON.stringify(names));
	if (others.every(names => names === first)) return undefined;
	const names = Object.keys(structure);
	if (names.length !== 2 || !routes.every(route => names.includes(route))) {
		throw new EngineError(
			'MODEL_MODULE',
			`${path}: expected routes that are all the same, or query and document, got ${names.join(', ')}`,
		);
	}
	const mappings = parameters['route_mappings'];
	if (isObject(mappings) && Object.keys(mappings).length > 0) {
		const got = JSON.stringify(mappings);
		throw new EngineError('MODEL_MODULE', `${path}: expected no "route_mappings", got ${got}`);
	}
	const said = parameters['default_route'] ?? null;
	const defaultRoute = routes.find(route => route === said) ?? null;
	if (defaultRoute !== null || said === null) return {defaultRoute};
	throw new EngineError(
		'MODEL_CONFIG',
		`${path}: expected "default_route" of query, document or null, got ${JSON.stringify(said)}`,
	);
}

/** The folder of a module in a saved model: in the root and by its number, or named after its route. */
export function placeOf(route: Route | undefined, place: string): string {
	return route === undefined ? place : `${route}_${place || '0_Transformer'}`;
}

/** The configuration of a Router as versions from 5.0 on read it. */
export function routerConfig(
	types: Readonly<Record<string, string>>,
	defaultRoute: Route | null,
): JsonObject {
	const names = Object.keys(types);
	const structure = routes.map(route => [
		route,
		names.filter(name => name.startsWith(`${route}_`)),
	]);
	return {
		types,
		structure: Object.fromEntries(structure),
		parameters: {default_route: defaultRoute, allow_empty_key: true},
	};
}
