// Poolings with weights of their own: the generalised mean (GeM; Radenović et al. 2018), whose power is
// learned, and the weighted mean of the outputs of several layers, sentence-transformers' WeightedLayerPooling,
// which stands before a pooling of the usual kinds.

import {join} from 'node:path';
import {EngineError} from '../errors.js';
import type {JsonObject} from './config.js';
import {moduleConfig} from './dense-config.js';
import type {BodySpec, Pooling, PoolingKind} from './spec.js';

/** The weighted mean of the outputs of layers, from `start` on: 0 is the embedding, 1 the first block. */
export type LayerMean = {
	start: number;
	/** The number of the last output. */
	last: number;
	/** Where its weights lie; none: they begin anew. */
	folder: string | undefined;
};

/** What a chain of modules has for its pooling. */
export type PoolingParts = {
	/** Whether the first module is a table of embeddings that pools by itself. */
	isStatic: boolean;
	/** Whether the rows of tokens are handed up: a MultiVectorEncoder. */
	isUnpooled: boolean;
	/** In the order in which they are joined; none: the folder does not say. */
	poolings: readonly PoolingKind[];
	/** Where the weights of a pooling lie that has some; none: they begin anew. */
	poolingFolder: string | undefined;
	layerMean: LayerMean | undefined;
};

/** What --pooling can ask for beside the kinds of folders: poolings that begin anew. */
export const learnedPoolings = ['gem', 'layer-weighted'] as const;
export type AskedPooling = Pooling | (typeof learnedPoolings)[number];

/** How the power of a generalised mean begins. */
export const firstPower = 3;

export const layerMeanPlace = '1_WeightedLayerPooling';

export function poolingPlace({layerMean}: Pick<PoolingParts, 'layerMean'>): string {
	return `${layerMean ? 2 : 1}_Pooling`;
}

export async function readLayerMean(folder: string): Promise<LayerMean> {
	const path = join(folder, 'config.json');
	const {layer_start: start = 4, num_hidden_layers: last = 12} = await moduleConfig(folder);
	const isNumber = (value: unknown) => Number.isInteger(value) && Number(value) >= 0;
	if (isNumber(start) && isNumber(last) && Number(start) <= Number(last)) {
		return {start: Number(start), last: Number(last), folder};
	}
	const got = `${JSON.stringify(start)} and ${JSON.stringify(last)}`;
	throw new EngineError(
		'MODEL_CONFIG',
		`${path}: expected "layer_start" up to "num_hidden_layers", got ${got}`,
	);
}

export function layerMeanConfig({start, last}: LayerMean, width: number): JsonObject {
	return {word_embedding_dimension: width, layer_start: start, num_hidden_layers: last};
}

/**
Puts what is asked for into the chain, its weights anew where the folder has none; returns the kind of pooling
that is asked for instead of the folder's.
*/
export function takePooling(
	chain: PoolingParts,
	asked: AskedPooling | undefined,
	{blocks}: Pick<BodySpec, 'blocks'>,
): PoolingKind | undefined {
	if (chain.isStatic || chain.isUnpooled || (asked !== 'gem' && asked !== 'layer-weighted')) {
		return asked as PoolingKind | undefined;
	}
	if (asked === 'gem') {
		if (chain.poolings.join() !== 'gem') chain.poolingFolder = undefined;
		return 'gem';
	}
	const last = blocks.length;
	chain.layerMean ??= {start: last > 4 ? 4 : Math.min(1, last), last, folder: undefined};
	return chain.poolings.length > 0 ? undefined : 'mean';
}

/** Refuses a mean over more or fewer layers than the transformer has. */
export function expectLayers(
	{layerMean}: Pick<PoolingParts, 'layerMean'>,
	{blocks}: Pick<BodySpec, 'blocks'>,
	path: string,
): void {
	if (layerMean === undefined || layerMean.last === blocks.length) return;
	throw new EngineError(
		'MODEL_CONFIG',
		`${path}: expected a WeightedLayerPooling of ${blocks.length} layers, got one of ${layerMean.last}`,
	);
}
