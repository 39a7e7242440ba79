// The rows of training data, for a schedule that another system makes by a rule of its own.

import {openDataset} from '../data/dataset.js';
import {RowStarts} from '../data/row-starts.js';

/** What rows are: a text each, or a positive each. */
export type Counted = {data: string; rowsOf: 'texts' | 'positives'};

/** How many there are; nothing where the data cannot be read, which the run will say. */
export async function rowsIn({data, rowsOf}: Counted): Promise<number | undefined> {
	const kind = rowsOf === 'texts' ? 'text' : 'pair';
	const dataset = await openDataset([data], {kind}).catch(() => undefined);
	if (dataset === undefined) return undefined;
	try {
		if (rowsOf === 'texts') return dataset.length;
		const positives = (record: number) => Math.max(1, dataset.supply(record).positives);
		return (await RowStarts.of(dataset.length, positives)).length;
	} finally {
		await dataset.close();
	}
}

/** How options of ours begin that bear upon rows, steps and the schedule. */
const beginnings = [
	...['data', 'map', 'positives', 'on-shortage', 'max-rows', 'filter', 'teacher-m', 'set-option'],
	...['mixing', 'steps', 'max-steps', 'accumul', 'drop-last', 'no-dup', 'schedule', 'warmup'],
];

/** Whether options of ours may make other rows, other steps or another schedule. */
export function changesCourse(ownWords: readonly string[]): boolean {
	return ownWords.some(word => beginnings.some(name => word.startsWith(`--${name}`)));
}
