// SimCSE: a text must find itself, as another dropout shows it, among the texts of the batch.

import {type InfoNceOptions, inBatch} from './infonce.js';
import {expectNoTeacher, settle} from './infonce-options.js';
import type {Loss} from './loss.js';

const taken = ['candidates', 'positives', 'hardnessOf'] as const;

export type SimCseOptions = Omit<InfoNceOptions, (typeof taken)[number]>;

/**
infoNce over texts alone: each is encoded twice, and the two dropouts are all that tells the query from
its positive (Gao and others, 2021).

Columns: the text under one dropout, and under another.

@example
await train(model, {data: 'sentences.txt', loss: simCse({temperature: 0.05})});
*/
export function simCse(options: SimCseOptions = {}): Loss {
	const settings = settle('simcse', options, taken);
	expectNoTeacher('simcse', settings);
	const {directions, partition} = settings;
	const groups = partition === 'joint' ? [directions] : directions.map(each => [each]);
	return inBatch('simcse', settings, groups, {row: 'text', views: 2, negatives: 'none', taken});
}
