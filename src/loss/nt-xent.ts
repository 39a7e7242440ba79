// NT-Xent of SimCLR: of all views of all texts of a batch, each must find the other view of its own.

import {type InfoNceOptions, inBatch} from './infonce.js';
import {expectNoTeacher, settle} from './infonce-options.js';
import type {Loss, LossNeeds} from './loss.js';
import {expectOneOf} from './options.js';

const taken = [
	'candidates',
	'directions',
	'partition',
	'positives',
	'hardnessOf',
	'queue',
] as const;

export type NtXentOptions = Omit<InfoNceOptions, (typeof taken)[number]> & {
	/** Whether the two views are a query and its positive, or a text under two dropouts. Default pair. */
	row?: 'pair' | 'text';
};

/**
Mean over the 2 N views of log Σ eˢ − s⁺, where s runs over the 2 N − 1 other views and s⁺ is the score
of the other view of the same text. Scores are divided by the temperature (Chen and others, 2020).

Columns: the two views: query and positive, or a text under two dropouts.

@example
await train(model, {data: 'sentences.txt', loss: ntXent({row: 'text', temperature: 0.1})});
*/
export function ntXent({row = 'pair', ...options}: NtXentOptions = {}): Loss {
	expectOneOf('ntxent', 'row', row, ['pair', 'text']);
	const directions = ['qd', 'qq', 'dq', 'dd'] as const;
	const settings = {...settle('ntxent', options, taken), directions};
	expectNoTeacher('ntxent', settings);
	const groups = [directions.slice(0, 2), directions.slice(2)];
	const needs: LossNeeds = {row, views: row === 'text' ? 2 : 1, negatives: 'none'};
	const loss = inBatch('ntxent', settings, groups, {...needs, taken});
	return Object.assign(loss, {options: {...loss.options, row}});
}
