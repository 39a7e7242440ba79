// What LLM-Embedder trains on: files below a data root, one positive and so many negatives of each
// record, drawn once, and batches of one data set.

import {basename, dirname, join} from 'node:path';
import {configOf} from './llm-embedder-tasks.js';
import {maps, type Ours, read, type Table} from './table.js';
import type {Values} from './values.js';

const prefix = 'llm-embedder:';

const positives: Readonly<Record<string, string>> = {
	first: 'first',
	random: 'random',
	teacher: 'teacher',
};

const negatives: Readonly<Record<string, string>> = {
	first: 'first',
	random: 'random',
	'teacher+': 'teacherTop',
	'teacher-': 'teacherBottom',
};

const manners = ['epoch', 'epoch-static', 'epoch-random', 'random'];

export const llmEmbedderData: Table = {
	data_root: read('text', {default: '/data/llm-embedder'}),
	dataset_cache_dir: read('text'),
	train_data: maps('list', values => ({data: sourcesOf(values)})),
	train_group_size: maps('number', group, {default: 8}),
	select_positive: {
		kind: 'text',
		default: 'first',
		to: positiveOf,
		refused(values) {
			if (positives[values.text('select_positive') ?? '']) return undefined;
			const hint = 'of the positives alone none is chosen by its score';
			return `the choices here are ${Object.keys(positives).join(', ')}; ${hint}`;
		},
	},
	select_negative: {
		kind: 'text',
		default: 'random',
		to: negativeChoiceOf,
		refused(values) {
			if (negatives[values.text('select_negative') ?? '']) return undefined;
			return `the choices are ${Object.keys(negatives).join(', ')}`;
		},
	},
	max_sample_num: maps('number', most),
	teacher_scores_margin: maps('number', values => ({
		teacherMargin: configOf(values).teacher_scores_margin ?? values.number('teacher_scores_margin'),
	})),
	teacher_scores_min: maps('number', values => ({teacherMin: values.number('teacher_scores_min')})),
	inbatch_same_dataset: {
		kind: 'text',
		to: mixing,
		refused(values) {
			const manner = values.text('inbatch_same_dataset');
			if (manner === undefined || manners.includes(manner)) return undefined;
			return `the ways are ${manners.join(', ')}`;
		},
	},
	use_train_config: read('boolean', {default: false}),
};

/** A path below the data root, where it says so. */
export function resolved(path: string, values: Values): string {
	if (!path.startsWith(prefix)) return path;
	return join(values.text('data_root')!, path.slice(prefix.length));
}

/** Each file is a data set by the name of its folder; a folder named again counts again. */
function sourcesOf(values: Values): string[] {
	const counts = new Map<string, number>();
	const paths = values.list('train_data').map(path => resolved(path, values));
	if (paths.length === 1) return paths;
	return paths.map(path => {
		const folder = basename(dirname(path)).replaceAll(/[^\w.-]/g, '_') || 'data';
		const count = counts.get(folder) ?? 0;
		counts.set(folder, count + 1);
		return `${count === 0 ? folder : `${folder}_${count}`}=${path}`;
	});
}

/** Everything is chosen once, before training; too few negatives are repeated. */
export function fixed(values: Values): Ours {
	const common = {resample: 'once', allowDuplicates: true};
	return values.number('train_group_size')! > 1 ? {...common, onShortage: 'tile'} : common;
}

function group(values: Values): Ours {
	return {negatives: values.number('train_group_size')! - 1};
}

/** Chosen where there are any to take. */
function negativeChoiceOf(values: Values): Ours {
	const config = configOf(values);
	const choice = negatives[config.select_negative ?? values.text('select_negative') ?? 'random'];
	return values.number('train_group_size')! > 1 ? {negativeChoice: choice} : {};
}

/** Without a teacher's scores its choice is the first, as there. */
function positiveOf(values: Values, say: (text: string) => void): Ours {
	const asked = configOf(values).select_positive ?? values.text('select_positive') ?? 'first';
	const {first} = values.around;
	if (asked !== 'teacher' || first === undefined || first.positiveScores !== undefined) {
		return {positives: positives[asked]};
	}

	say('select_positive teacher: the first record has no teacher_scores, so the first is taken');
	return {positives: 'first'};
}

function most(values: Values): Ours {
	const count = configOf(values).max_sample_num ?? values.number('max_sample_num');
	return count === undefined ? {} : {maxRows: count, maxRowsChoice: 'last'};
}

function mixing(values: Values): Ours {
	const manner = values.text('inbatch_same_dataset');
	if (manner === undefined) return {};
	return {mixing: 'homogeneous', homogeneous: manner, dropLast: true};
}
