// What the tests of planning share: rows of records in memory, and the batches of a plan.

import {onTestFinished} from 'vitest';
import {openDataset} from '../../dist/data/dataset.js';
import {type PlanOptions, planEpoch} from '../../dist/data/mixing.js';
import type {EpochPlan} from '../../dist/data/plan.js';
import {Rows} from '../../dist/data/rows.js';

export const numbers = (length: number) => Array.from({length}, (_, n) => n);

/** Rows of files, closed when the test ends. */
export async function rowsIn(
	sources: Parameters<typeof openDataset>[0],
	options: Parameters<typeof Rows.select>[1] = {},
): Promise<Rows> {
	const dataset = await openDataset(sources);
	onTestFinished(() => dataset.close());
	return Rows.select(dataset, options);
}

/** Rows whose texts stand nowhere else. */
export const distinct = (length: number, name = '') =>
	numbers(length).map(n => ({query: `${name}q${n}`, pos: `${name}p${n}`}));

export async function batchesOf(plan: EpochPlan, first = 0): Promise<number[][]> {
	const batches: number[][] = [];
	for await (const batch of plan.from(first)) batches.push([...batch]);
	return batches;
}

export async function batchesIn(rows: Rows, options: PlanOptions): Promise<number[][]> {
	return batchesOf(await planEpoch(rows, options));
}
