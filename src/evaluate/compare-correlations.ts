// Does one system's similarity follow the gold scores more closely than another's? Paired tests over pairs.
//
// The interval is the percentile bootstrap over pairs. The p-value is that of a permutation test: the two
// predictions of each pair are exchanged by a coin. Predictions are standardised first (for Spearman they
// become ranks), because a cosine and a dot product could not be exchanged as they are.

import {
	averageRanks,
	countedPearson,
	countedRanks,
	pearson,
	risingOrder,
	type Series,
	spearman,
} from './correlation.js';
import {
	type Comparison,
	drawCounts,
	percentileInterval,
	pValue,
	type Resampling,
	type ResamplingOptions,
	randomStream,
	resampling,
} from './resampling.js';

export type Correlation = 'spearman' | 'pearson';

/** Gold scores and the predictions of two systems, pair by pair. */
export interface Predictions {
	gold: Series;
	before: Series;
	after: Series;
}

type CountedDifference = (counts: Uint32Array) => number;

// Exchanging every pair gives the observed difference but for its last bits; it must count.
const roundingSlack = 1e-12;

/**
Compares two systems by the correlation of their predictions with the gold scores. Where a correlation
is undefined (predictions that do not vary), all numbers are NaN.

@example
const {interval} = await compareCorrelations('spearman', {gold, before, after}, {seed: 1});
*/
export async function compareCorrelations(
	kind: Correlation,
	predictions: Predictions,
	options: ResamplingOptions = {},
): Promise<Comparison> {
	const settings = resampling(options);
	const {gold, before, after} = predictions;
	const correlate = kind === 'spearman' ? spearman : pearson;
	const difference = correlate(gold, after) - correlate(gold, before);
	if (Number.isNaN(difference)) {
		return {difference, interval: [Number.NaN, Number.NaN], p: Number.NaN};
	}

	const interval = await bootstrap(resampledDifference(kind, predictions), gold.length, settings);
	return {difference, interval, p: await permutation(kind, predictions, settings)};
}

// A resample that leaves a series without variation has no correlation and is drawn again. That ends:
// the whole series vary, so at least one resample in ten does.
async function bootstrap(
	differenceOf: CountedDifference,
	pairs: number,
	{resamples, seed, confidence, pause}: Resampling,
): Promise<[number, number]> {
	const random = randomStream(seed);
	const counts = new Uint32Array(pairs);
	const differences = new Float64Array(resamples);
	for (let resample = 0; resample < resamples; ) {
		await pause();
		drawCounts(counts, random);
		const difference = differenceOf(counts);
		if (Number.isNaN(difference)) continue;
		differences[resample] = difference;
		resample += 1;
	}

	return percentileInterval(differences, confidence);
}

function resampledDifference(
	kind: Correlation,
	{gold, before, after}: Predictions,
): CountedDifference {
	const [x, y, z] = [gold, before, after].map(series => {
		const values = Float64Array.from(series);
		const order = risingOrder(values);
		return (counts: Uint32Array) =>
			kind === 'spearman' ? countedRanks(values, order, counts) : values;
	});
	return counts => {
		const target = x!(counts);
		const correlationBefore = countedPearson(target, y!(counts), counts);
		return countedPearson(target, z!(counts), counts) - correlationBefore;
	};
}

async function permutation(
	kind: Correlation,
	{gold, before, after}: Predictions,
	{resamples, seed, pause}: Resampling,
): Promise<number> {
	const [target, first, second] = [gold, before, after].map(series =>
		standardised(kind === 'spearman' ? averageRanks(series) : Float64Array.from(series)),
	) as [Float64Array, Float64Array, Float64Array];
	const differenceOf = exchangedDifference(target);
	const left = Float64Array.from(first);
	const right = Float64Array.from(second);
	const observed = differenceOf(left, right);
	const random = randomStream(seed);
	let reached = 0;
	for (let resample = 0; resample < resamples; resample += 1) {
		await pause();
		for (let pair = 0; pair < left.length; pair += 1) {
			const exchanged = (random() & 1) === 1;
			left[pair] = exchanged ? second[pair]! : first[pair]!;
			right[pair] = exchanged ? first[pair]! : second[pair]!;
		}

		// Without variation the difference is NaN, which reaches nothing.
		if (differenceOf(left, right) >= observed - roundingSlack) reached += 1;
	}

	return pValue(reached, resamples);
}

function exchangedDifference(
	target: Float64Array,
): (left: Float64Array, right: Float64Array) => number {
	const once = new Uint32Array(target.length).fill(1);
	return (left, right) =>
		Math.abs(countedPearson(target, right, once) - countedPearson(target, left, once));
}

// Mean 0 and variance 1.
function standardised(values: Float64Array): Float64Array {
	const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
	const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
	const deviation = Math.sqrt(squares / values.length);
	return values.map(value => (value - mean) / deviation);
}
