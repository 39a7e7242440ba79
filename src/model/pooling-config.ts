// 1_Pooling/config.json in both of its shapes: booleans (up to sentence-transformers 5.3) and names.

import {EngineError} from '../errors.js';
import type {JsonObject} from './config.js';
import {type Pooling, type PoolingKind, poolings} from './spec.js';

/** The name of each pooling in the newer shape, and its boolean in the older one. */
const modes: Readonly<Record<Pooling, {name: string; key: string}>> = {
	cls: {name: 'cls', key: 'pooling_mode_cls_token'},
	max: {name: 'max', key: 'pooling_mode_max_tokens'},
	mean: {name: 'mean', key: 'pooling_mode_mean_tokens'},
	mean_sqrt_len: {name: 'mean_sqrt_len_tokens', key: 'pooling_mode_mean_sqrt_len_tokens'},
	weightedmean: {name: 'weightedmean', key: 'pooling_mode_weightedmean_tokens'},
	last: {name: 'lasttoken', key: 'pooling_mode_lasttoken'},
};

const widthKeys = ['word_embedding_dimension', 'embedding_dimension'] as const;

export type PoolingConfig = {
	/** In the order in which they are joined; none: the file does not say. */
	poolings: readonly PoolingKind[];
	/** Whether a prompt's tokens take part. */
	includePrompt: boolean;
	/** Of a token's row, as the file says; undefined: it does not say. */
	width: number | undefined;
};

/** What the file says; a pooling that is not known is refused by name. */
export function readPoolingConfig(config: JsonObject, path: string): PoolingConfig {
	const names = config['pooling_mode'] === undefined ? oldNames(config) : newNames(config);
	const found: readonly (PoolingKind | undefined)[] = isGem(names)
		? names
		: names.map(name => poolings.find(pooling => modes[pooling].name === name));
	if (found.includes(undefined) || new Set(found).size < found.length) {
		const known = poolings.map(pooling => modes[pooling].name).join(', ');
		throw new EngineError(
			'MODEL_POOLING',
			`${path}: expected some of ${known}, each once, got ${names.join(' + ')}`,
		);
	}
	const {include_prompt: includePrompt = true} = config;
	if (typeof includePrompt !== 'boolean') {
		throw new EngineError(
			'MODEL_CONFIG',
			`${path}: expected "include_prompt" to be true or false, got ${JSON.stringify(includePrompt)}`,
		);
	}
	return {poolings: found as PoolingKind[], includePrompt, width: widthOf(config, path)};
}

/** The generalised mean, which only models of this engine have, and alone. */
function isGem(list: readonly string[]): list is readonly ['gem'] {
	return list.length === 1 && list[0] === 'gem';
}

/** The newer key; it counts more than the booleans. The order of a list is that of the result. */
function newNames(config: JsonObject): string[] {
	return [config['pooling_mode']].flat().map(String);
}

/** The booleans that are on; keys that nobody knows keep their names, so that they can be refused. */
function oldNames(config: JsonObject): string[] {
	const on = Object.keys(config).filter(
		key => key.startsWith('pooling_mode_') && config[key] === true,
	);
	const known = poolings.filter(pooling => on.includes(modes[pooling].key));
	const strange = on.filter(key => !poolings.some(pooling => modes[pooling].key === key));
	return [...known.map(pooling => modes[pooling].name), ...strange];
}

function widthOf(config: JsonObject, path: string): number | undefined {
	const said = widthKeys.filter(key => config[key] !== undefined);
	const [first, second] = said.map(key => config[key]);
	if (first === undefined) return undefined;
	if (typeof first === 'number' && (second === undefined || second === first)) return first;
	throw new EngineError(
		'MODEL_CONFIG',
		`${path}: expected one width, got ${said.map(key => `"${key}" ${JSON.stringify(config[key])}`).join(' and ')}`,
	);
}

/** Whether the older shape, which joins poolings in one order only, can say this. */
export function isInOldOrder(list: readonly PoolingKind[]): list is readonly Pooling[] {
	return list.join() === poolings.filter(pooling => list.includes(pooling)).join();
}

/** The file as every version reads it, or as 5.4 and newer do when only these know the order. */
export function poolingConfig(
	list: readonly PoolingKind[],
	{width, includePrompt}: {width: number; includePrompt: boolean},
): JsonObject {
	if (!isInOldOrder(list)) {
		return {
			embedding_dimension: width,
			pooling_mode: list.map(pooling => (pooling === 'gem' ? pooling : modes[pooling].name)),
			include_prompt: includePrompt,
		};
	}
	const order = ['cls', 'mean', 'max', 'mean_sqrt_len', 'weightedmean', 'last'] as const;
	return {
		word_embedding_dimension: width,
		...Object.fromEntries(order.map(pooling => [modes[pooling].key, list.includes(pooling)])),
		include_prompt: includePrompt,
	};
}
