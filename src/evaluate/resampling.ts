// What the paired tests share: options, seeded random numbers, intervals and p-values.

import {EngineError} from '../errors.js';
import {pausing} from './turns.js';

export interface ResamplingOptions {
	/** Number of resamples of each test, 2000 or more. Default 5000. */
	resamples?: number | undefined;
	/** Same seed, same numbers, on every machine. Default 0. */
	seed?: number | undefined;
	/** Share of the resamples inside the interval. Default 0.95. */
	confidence?: number | undefined;
	signal?: AbortSignal | undefined;
}

/** How a system differs from another: after minus before. */
export interface Comparison {
	difference: number;
	/** Percentile bootstrap interval of the difference. */
	interval: [low: number, high: number];
	/** Two-sided, (b + 1) / (n + 1): b of n resamples of systems that are the same differ as much. */
	p: number;
}

export interface Resampling {
	resamples: number;
	seed: number;
	confidence: number;
	pause: () => Promise<void>;
}

/** The options with their defaults, checked. */
export function resampling({
	resamples = 5000,
	seed = 0,
	confidence = 0.95,
	signal,
}: ResamplingOptions): Resampling {
	if (!Number.isSafeInteger(resamples) || resamples < 2000) {
		throw outOfRange(`resamples: expected a whole number from 2000, got ${resamples}`);
	}

	if (!Number.isSafeInteger(seed) || seed < 0) {
		throw outOfRange(`seed: expected a whole number from 0, got ${seed}`);
	}

	if (!(confidence > 0 && confidence < 1)) {
		throw outOfRange(`confidence: expected a number between 0 and 1, got ${confidence}`);
	}

	return {resamples, seed, confidence, pause: pausing(signal)};
}

/** The interval that holds the share `confidence` of the values, by linear interpolation; sorts them. */
export function percentileInterval(values: Float64Array, confidence: number): [number, number] {
	values.sort();
	const outside = (1 - confidence) / 2;
	return [quantile(values, outside), quantile(values, 1 - outside)];
}

/** Share of the resamples, with the observed one among them, that reach the observed difference. */
export function pValue(reached: number, resamples: number): number {
	return (reached + 1) / (resamples + 1);
}

/** How often each row is drawn when as many rows are drawn as there are; overwrites counts. */
export function drawCounts(counts: Uint32Array, random: () => number): void {
	counts.fill(0);
	for (let draw = 0; draw < counts.length; draw += 1) {
		const row = Math.floor((random() / 2 ** 32) * counts.length);
		counts[row]! += 1;
	}
}

/** Uniform whole numbers below 2^32 from a seed (sfc32), the same on every machine. */
export function randomStream(seed: number): () => number {
	let a = seed >>> 0;
	let b = Math.floor(seed / 2 ** 32) >>> 0;
	let c = 0x9e3779b9;
	let counter = 1;
	const next = () => {
		const drawn = (a + b + counter) | 0;
		counter = (counter + 1) | 0;
		a = b ^ (b >>> 9);
		b = (c + (c << 3)) | 0;
		c = (((c << 21) | (c >>> 11)) + drawn) | 0;
		return drawn >>> 0;
	};
	// Seeds that differ in one bit give unlike streams after some rounds.
	for (let round = 0; round < 20; round += 1) next();
	return next;
}

function quantile(sorted: Float64Array, share: number): number {
	const position = share * (sorted.length - 1);
	const low = Math.floor(position);
	const high = Math.ceil(position);
	return sorted[low]! + (position - low) * (sorted[high]! - sorted[low]!);
}

function outOfRange(message: string): EngineError {
	return new EngineError('OPTION_RANGE', message);
}
