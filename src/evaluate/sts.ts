// A model on pairs with gold scores: how well four similarities of its embeddings follow them.

import type {EmbeddingModel} from '../model/embedding-model.js';
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
		const texts = [...first.slice(begin, end), ...second.slice(begin, end)];
		const encoded = await model.encode(texts, {
			dimensions,
			batchTokens,
			signal,
			onProgress(progress) {
				const part = progress.done / progress.total;
				onProgress?.({name, done: 2 * begin + Math.round(part * texts.length), total});
			},
		});
		truncated += encoded.truncated;
		const {data, width} = encoded;
		const middle = (end - begin) * width;
		const vectors = {first: data.subarray(0, middle), second: data.subarray(middle), width};
		const slice = await pairScores(vectors, {signal});
		for (const similarity of similarityNames) scores[similarity].set(slice[similarity], begin);
	}
	return {metrics: await correlationMetrics(gold, scores, {signal}), scores, truncated};
}

function emptyScores(pairs: number): PairScores {
	const entries = similarityNames.map(name => [name, new Float64Array(pairs)] as const);
	return Object.fromEntries(entries) as PairScores;
}
