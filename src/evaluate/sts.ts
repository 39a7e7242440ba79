// A model on pairs with gold scores: how well four similarities of its embeddings follow them.

import type {EmbeddingModel, EncodeOptions} from '../model/embedding-model.js';
import type {Route} from '../model/router.js';
import type {Metrics} from './metrics.js';
import type {EvaluateSettings} from './options.js';
import {correlationMetrics, type PairScores, pairScores, similarityNames} from './pair-scores.js';
import type {ScoredPairs} from './pairs.js';
import type {Watching} from './retrieval.js';

export type PairsOutcome = {
	metrics: Metrics;
	scores: PairScores;
	/** Texts that were cut. */
	truncated: number;
};

// Pairs of one call; their vectors are let go of before the next.
const slicePairs = 4096;

export async function evaluatePairs(
	model: EmbeddingModel,
	{name, first, second, scores: gold}: ScoredPairs,
	{dimensions, batchTokens}: EvaluateSettings,
	{signal, onProgress}: Watching = {},
): Promise<PairsOutcome> {
	const total = 2 * gold.length;
	const scores = emptyScores(gold.length);
	let truncated = 0;
	for (let begin = 0; begin < gold.length; begin += slicePairs) {
		const end = Math.min(gold.length, begin + slicePairs);
		const texts = [first.slice(begin, end), second.slice(begin, end)] as const;
		const vectors = await vectorsOf(model, texts, {
			dimensions,
			batchTokens,
			signal,
			onDone(count) {
				onProgress?.({name, done: 2 * begin + count, total});
			},
		});
		truncated += vectors.truncated;
		const slice = await pairScores(vectors, {signal});
		for (const similarity of similarityNames) scores[similarity].set(slice[similarity], begin);
	}
	return {metrics: await correlationMetrics(gold, scores, {signal}), scores, truncated};
}

type Vectors = {first: Float32Array; second: Float32Array; width: number; truncated: number};

type Encoding = Pick<EncodeOptions, 'dimensions' | 'batchTokens' | 'signal'> & {
	onDone: (texts: number) => void;
};

/** One call for both sides; of a model of two towers the first are queries and the second documents. */
async function vectorsOf(
	model: EmbeddingModel,
	[left, right]: readonly [readonly string[], readonly string[]],
	{onDone, ...options}: Encoding,
): Promise<Vectors> {
	const encode = (texts: readonly string[], route: Route, before: number) =>
		model.encode(texts, {
			...options,
			...model.side(route),
			onProgress({done, total}) {
				onDone(before + Math.round((done / total) * texts.length));
			},
		});
	if (model.towers.length === 1) {
		const {data, width, truncated} = await encode([...left, ...right], 'query', 0);
		const middle = left.length * width;
		return {first: data.subarray(0, middle), second: data.subarray(middle), width, truncated};
	}
	const first = await encode(left, 'query', 0);
	const second = await encode(right, 'document', left.length);
	const truncated = first.truncated + second.truncated;
	return {first: first.data, second: second.data, width: first.width, truncated};
}

function emptyScores(pairs: number): PairScores {
	const entries = similarityNames.map(name => [name, new Float64Array(pairs)] as const);
	return Object.fromEntries(entries) as PairScores;
}
