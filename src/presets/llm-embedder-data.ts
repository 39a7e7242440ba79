// What LLM-Embedder trains on: files below a data root, one positive and so many negatives of each
// record, drawn once, and batches of one data set.

import {setsOf} from './llm-embedder-sets.js';
import {configOf, tasksOf} from './llm-embedder-tasks.js';
import {maps, type Ours, read, renamed, type Table} from './table.js';
import type {Values} from './values.js';

const positives: Readonly<Record<string, string>> = {
	first: 'first',
	random: 'random',
	teacher: 'teacher',
	'teacher-pos': 'teacherPositive',
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
			return `the choices are ${Object.keys(positives).join(', ')}`;
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
	teacher_scores_margin: maps('number', margin),
	teacher_scores_min: renamed('number', 'teacherMin'),
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

function sourcesOf(values: Values): string[] {
	return setsOf(values).map(({name, path}) => (name === undefined ? path : `${name}=${path}`));
}

/** Everything is chosen once, before training; too few negatives are repeated, records of none left out. */
export function fixed(values: Values): Ours {
	const common = {resample: 'once', allowDuplicates: true};
	return values.number('train_group_size')! > 1 ? {...common, onShortage: 'tileOrDrop'} : common;
}

function group(values: Values): Ours {
	return {negatives: values.number('train_group_size')! - 1};
}

/** Chosen where there are any to take; without a teacher's scores at random, as there. */
function negativeChoiceOf(values: Values, say: (text: string) => void): Ours {
	if (values.number('train_group_size')! === 1) return {};
	const asked = configOf(values).select_negative ?? values.text('select_negative') ?? 'random';
	if (!lacksScores(values, asked)) return {negativeChoice: negatives[asked]};
	say(`select_negative ${asked}: the first record has no teacher_scores, so they are random`);
	return {negativeChoice: 'random'};
}

/** Whether a choice is by the scores of a teacher that are not there. */
function lacksScores({around: {first}}: Values, asked: string): boolean {
	return asked.startsWith('teacher') && first !== undefined && first.positiveScores === undefined;
}

/** Without a teacher's scores its choice is the first, as there. */
function positiveOf(values: Values, say: (text: string) => void): Ours {
	const several = tasksOf(values);
	if (several !== undefined) {
		const others = several.filter(({config}) => config.select_positive !== 'first');
		const own = others.map(({name, config}) => `${name}.positives=${config.select_positive}`);
		return {positives: 'first', ...(own.length > 0 && {setOption: own})};
	}

	const asked = configOf(values).select_positive ?? values.text('select_positive') ?? 'first';
	if (!lacksScores(values, asked)) return {positives: positives[asked]};
	say(`select_positive ${asked}: the first record has no teacher_scores, so the first is taken`);
	return {positives: 'first'};
}

function most(values: Values): Ours {
	const several = tasksOf(values);
	if (several === undefined) {
		const count = configOf(values).max_sample_num ?? values.number('max_sample_num');
		return count === undefined ? {} : {maxRows: count, maxRowsChoice: 'last'};
	}

	const limits = several.flatMap(({name, config: {max_sample_num: count}}) =>
		count === undefined ? [] : [`${name}.max-rows=${count}`, `${name}.max-rows-choice=last`],
	);
	return limits.length > 0 ? {setOption: limits} : {};
}

function margin(values: Values): Ours {
	const several = tasksOf(values);
	if (several === undefined) {
		const own = configOf(values).teacher_scores_margin;
		return {teacherMargin: own ?? values.number('teacher_scores_margin')};
	}

	const margins = several.flatMap(({name, config: {teacher_scores_margin: least}}) =>
		least === undefined ? [] : [`${name}.teacher-margin=${least}`],
	);
	return margins.length > 0 ? {setOption: margins} : {};
}

function mixing(values: Values): Ours {
	const manner = values.text('inbatch_same_dataset');
	if (manner === undefined) return {};
	return {mixing: 'homogeneous', homogeneous: manner, dropLast: true};
}
