// Is one system better than another on the same queries? Paired tests of the mean difference.
//
// The interval is the percentile bootstrap over queries, the p-value that of the paired randomisation
// test: each query's difference changes sign by a coin. Both are seeded.

import {EngineError} from '../errors.js';
import type {Series} from './correlation.js';
import type {Metrics} from './metrics.js';
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
import {pausing} from './turns.js';

// Differences (rows, columns): a row is a query, a column a metric.
interface Differences {
	rows: number;
	columns: number;
	values: Float64Array;
}

// Sums of equal terms in another order differ by rounding; they must count as equal.
const roundingSlack = 1e-12;

/**
Compares the values of two systems on the same queries, given in the same order: the mean of after minus
before.

@example
const {difference, interval, p} = await comparePaired(beforeNdcg, afterNdcg);
*/
export async function comparePaired(
	before: Series,
	after: Series,
	options: ResamplingOptions = {},
): Promise<Comparison> {
	if (before.length !== after.length) {
		throw mismatch(`as many values after as before (${before.length}), got ${after.length}`);
	}

	const values = Float64Array.from(after).map((value, row) => value - before[row]!);
	if (!values.every(Number.isFinite)) throw mismatch('finite values, got one that is not');
	const [comparison] = await compareColumns({rows: values.length, columns: 1, values}, options);
	return comparison!;
}

/**
Compares two systems by the metrics of each query ({@link RetrievalReport.perQuery}), every metric with
the same resamples. Both must have the same queries and metrics.
*/
export async function compareMetrics(
	before: ReadonlyMap<string, Metrics>,
	after: ReadonlyMap<string, Metrics>,
	options: ResamplingOptions = {},
): Promise<Record<string, Comparison>> {
	if (before.size !== after.size) {
		throw mismatch(`as many queries after as before (${before.size}), got ${after.size}`);
	}

	const names = Object.keys(after.values().next().value ?? {});
	const values = new Float64Array(after.size * names.length);
	const pause = pausing(options.signal);
	let at = 0;
	for (const [query, metrics] of after) {
		await pause();
		for (const name of names) {
			const difference = metrics[name]! - (before.get(query)?.[name] ?? Number.NaN);
			if (Number.isNaN(difference)) throw mismatch(`${name} of query "${query}" in both, got one`);
			values[at] = difference;
			at += 1;
		}
	}

	const table = {rows: after.size, columns: names.length, values};
	const comparisons = await compareColumns(table, options);
	return Object.fromEntries(names.map((name, column) => [name, comparisons[column]!]));
}

async function compareColumns(
	table: Differences,
	options: ResamplingOptions,
): Promise<Comparison[]> {
	const settings = resampling(options);
	if (table.rows === 0) throw mismatch('a query to compare, got none');
	const observed = weightedSums(table, new Int8Array(table.rows).fill(1));
	const intervals = await bootstrap(table, settings);
	const ps = await randomisation(table, observed, settings);
	return Array.from(observed, (sum, column) => ({
		difference: sum / table.rows,
		interval: intervals[column]!,
		p: ps[column]!,
	}));
}

async function bootstrap(
	table: Differences,
	{resamples, seed, confidence, pause}: Resampling,
): Promise<[number, number][]> {
	const random = randomStream(seed);
	const counts = new Uint32Array(table.rows);
	const means = Array.from({length: table.columns}, () => new Float64Array(resamples));
	for (let resample = 0; resample < resamples; resample += 1) {
		await pause();
		drawCounts(counts, random);
		weightedSums(table, counts).forEach((sum, column) => {
			means[column]![resample] = sum / table.rows;
		});
	}

	const intervals: [number, number][] = [];
	for (const values of means) {
		await pause();
		intervals.push(percentileInterval(values, confidence));
	}

	return intervals;
}

async function randomisation(
	table: Differences,
	observed: Float64Array,
	{resamples, seed, pause}: Resampling,
): Promise<number[]> {
	const random = randomStream(seed);
	const signs = new Int8Array(table.rows);
	const sizes = {...table, values: table.values.map(Math.abs)};
	const slacks = weightedSums(sizes, signs.fill(1)).map(size => size * roundingSlack);
	const reached = new Uint32Array(table.columns);
	for (let resample = 0; resample < resamples; resample += 1) {
		await pause();
		for (let row = 0; row < table.rows; row += 1) signs[row] = random() & 1 ? 1 : -1;
		weightedSums(table, signs).forEach((sum, column) => {
			const needed = Math.abs(observed[column]!) - slacks[column]!;
			if (Math.abs(sum) >= needed) reached[column]! += 1;
		});
	}

	return Array.from(reached, count => pValue(count, resamples));
}

function weightedSums({rows, columns, values}: Differences, weights: Series): Float64Array {
	const sums = new Float64Array(columns);
	for (let row = 0, at = 0; row < rows; row += 1) {
		const weight = weights[row]!;
		for (let column = 0; column < columns; column += 1, at += 1)
			sums[column]! += weight * values[at]!;
	}

	return sums;
}

function mismatch(rest: string): EngineError {
	return new EngineError('OP_INVALID', `paired comparison: expected ${rest}`);
}
