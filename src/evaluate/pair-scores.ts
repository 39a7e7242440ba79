// How alike the two texts of a pair are, by their vectors, and how well that follows the gold scores.

import {EngineError} from '../errors.js';
import {pearson, type Series, spearman} from './correlation.js';
import type {Metrics} from './metrics.js';
import {pausing} from './turns.js';

export const similarityNames = ['cosine', 'dot', 'manhattan', 'euclidean'] as const;

/** Distances are negative, so that more is more alike with all four. */
export type SimilarityName = (typeof similarityNames)[number];

/** One value a pair. */
export type PairScores = Record<SimilarityName, Float64Array>;

/** Row n of `first` belongs to row n of `second`; both (N, width). */
export interface PairVectors {
	first: Float32Array;
	second: Float32Array;
	width: number;
}

interface Waiting {
	signal?: AbortSignal | undefined;
}

/** The four similarities of every pair, summed in f64. The cosine with a vector of zeros is 0. */
export async function pairScores(
	{first, second, width}: PairVectors,
	{signal}: Waiting = {},
): Promise<PairScores> {
	if (first.length !== second.length || first.length % width !== 0) {
		const got = `${first.length} and ${second.length} values`;
		const message = `pairs: expected two matrices of ${width} columns and equal rows, got ${got}`;
		throw new EngineError('OP_INVALID', message);
	}

	const pause = pausing(signal);
	const pairs = first.length / width;
	const scores: PairScores = {
		cosine: new Float64Array(pairs),
		dot: new Float64Array(pairs),
		manhattan: new Float64Array(pairs),
		euclidean: new Float64Array(pairs),
	};
	for (let pair = 0; pair < pairs; pair += 1) {
		await pause();
		const [begin, end] = [pair * width, (pair + 1) * width];
		const values = similarities(first.subarray(begin, end), second.subarray(begin, end));
		for (const name of similarityNames) scores[name][pair] = values[name];
	}

	return scores;
}

/** `spearman_cosine`, `pearson_cosine`, `spearman_dot`, …; NaN where nothing varies. */
export async function correlationMetrics(
	gold: Series,
	scores: PairScores,
	{signal}: Waiting = {},
): Promise<Metrics> {
	const pause = pausing(signal);
	const metrics: Metrics = {};
	for (const name of similarityNames) {
		await pause();
		metrics[`spearman_${name}`] = spearman(gold, scores[name]);
		await pause();
		metrics[`pearson_${name}`] = pearson(gold, scores[name]);
	}

	return metrics;
}

function similarities(x: Float32Array, y: Float32Array): Record<SimilarityName, number> {
	let xx = 0;
	let yy = 0;
	let dot = 0;
	let manhattan = 0;
	let squares = 0;
	for (let column = 0; column < x.length; column += 1) {
		const [left, right] = [x[column]!, y[column]!];
		const difference = left - right;
		xx += left * left;
		yy += right * right;
		dot += left * right;
		manhattan += Math.abs(difference);
		squares += difference * difference;
	}

	const lengths = Math.sqrt(xx * yy);
	const cosine = lengths > 0 ? dot / lengths : 0;
	return {cosine, dot, manhattan: -manhattan, euclidean: -Math.sqrt(squares)};
}
