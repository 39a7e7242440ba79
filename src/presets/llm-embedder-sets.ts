// The files that LLM-Embedder trains on: below a data root, each a data set by the name of its folder,
// with the task of its first record.

import {basename, dirname, join} from 'node:path';
import type {TrainingRecord} from '../data/record.js';
import type {Values} from './values.js';

const prefix = 'llm-embedder:';

export type DataSet = {
	/** Nothing where there is one file alone. */
	name: string | undefined;
	path: string;
	first: TrainingRecord | undefined;
};

/** A path below the data root, where it says so. */
export function resolved(path: string, values: Values): string {
	if (!path.startsWith(prefix)) return path;
	return join(values.text('data_root')!, path.slice(prefix.length));
}

/** Each file is a set by the name of its folder; a folder that is named again counts again. */
export function setsOf(values: Values): DataSet[] {
	const counts = new Map<string, number>();
	const paths = values.list('train_data').map(path => resolved(path, values));
	const {firsts = []} = values.around;
	return paths.map((path, n) => {
		const folder = basename(dirname(path)).replaceAll(/[^\w-]/g, '_') || 'data';
		const count = counts.get(folder) ?? 0;
		counts.set(folder, count + 1);
		const name = count === 0 ? folder : `${folder}_${count}`;
		return {name: paths.length === 1 ? undefined : name, path, first: firsts[n]};
	});
}
