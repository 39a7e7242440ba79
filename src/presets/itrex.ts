// The preset of Intel's extension for transformers: `finetune.py` of embedding_finetune.

import {join} from 'node:path';
import {isFolder, namesIn} from './folders.js';
import {modelArguments} from './model-arguments.js';
import {asking, dead, maps, type Ours, type Preset, read, renamed, type Table} from './table.js';
import {prompt} from './texts.js';
import {trainingArguments} from './training-arguments.js';
import type {Values} from './values.js';

const poolings = ['cls', 'mean'];

const modelOptions: Table = {
	...modelArguments,
	sentence_pooling_method: {
		kind: 'text',
		default: 'cls',
		to: values => ({pooling: values.text('sentence_pooling_method')}),
		refused(values) {
			if (poolings.includes(values.text('sentence_pooling_method') ?? 'cls')) return undefined;
			return `the poolings are ${poolings.join(' and ')}`;
		},
	},
	normalized: maps('boolean', values => ({normalize: values.is('normalized')}), {default: true}),
	fix_position_embedding: asking({freeze: ['positions']}),
};

const everything = 100_000_000;

const dataOptions: Table = {
	train_data: maps('text', sourcesOf),
	max_example_num_per_dataset: maps(
		'number',
		values => (isLimited(values) ? {maxRows: mostOf(values), maxRowsChoice: 'random'} : {}),
		{default: everything},
	),
	train_group_size: maps(
		'number',
		values => ({negatives: values.number('train_group_size')! - 1}),
		{default: 8},
	),
	query_max_len: renamed('number', 'queryMaxLength', {default: 32}),
	passage_max_len: renamed('number', 'documentMaxLength', {default: 128}),
	query_instruction_for_retrieval: prompt('query_instruction_for_retrieval', 'queryPrompt'),
	passage_instruction_for_retrieval: prompt('passage_instruction_for_retrieval', 'documentPrompt'),
};

const mostOf = (values: Values) => values.number('max_example_num_per_dataset')!;

/** Files of a folder are limited, each for itself; one file alone is not. */
function isLimited(values: Values): boolean {
	return mostOf(values) !== everything && isFolder(values.text('train_data') ?? '');
}

function sourcesOf(values: Values): Ours {
	const path = values.text('train_data');
	if (path === undefined) return {};
	if (!isLimited(values)) return {data: [path]};
	return {
		data: namesIn(path).map(name => `${name.replaceAll(/[^\w.-]/g, '_')}=${join(path, name)}`),
	};
}

/** A random positive and random negatives each time a row is read; too few are repeated. */
function fixed(values: Values): Ours {
	const common = {positives: 'random', resample: 'epoch', allowDuplicates: true};
	const drawn = {negativeChoice: 'random', onShortage: 'tile'};
	return values.number('train_group_size')! > 1 ? {...common, ...drawn} : common;
}

const lossOptions: Table = {
	temperature: maps('number', lossOf, {default: 0.02}),
	use_inbatch_neg: read('boolean', {default: true}),
	negatives_cross_device: read('boolean', {default: false}),
};

/** Without unit length their temperature is always 1. */
function lossOf(values: Values, say: (text: string) => void): Ours {
	const isShared = values.is('use_inbatch_neg');
	const candidates = isShared ? ['inBatchPositives', 'ownHard', 'otherHard'] : ['ownHard'];
	if (values.is('normalized')) {
		return {loss: 'infonce', temperature: values.number('temperature'), candidates};
	}

	if (values.isGiven('temperature')) {
		say(`${values.place('temperature')}: without effect, as --normalized false makes it 1`);
	}

	return {loss: 'infonce', similarity: 'dot', temperature: 1, candidates};
}

export const itrex: Preset = {
	name: 'itrex',
	title: "Intel's embedding_finetune",
	dialect: 'flags',
	fixed,
	names: {model: '--model_name_or_path', data: '--train_data', output: '--output_dir'},
	programs: [
		{name: /(^|\/)finetune\.py$/},
		{name: /mine_hard_neg/, instead: '`inbatch mine` finds hard negatives'},
		{name: /evaluate/, instead: '`inbatch evaluate` measures a model'},
	],
	options: {
		...modelOptions,
		...dataOptions,
		...lossOptions,
		...trainingArguments({
			negativesCross: values => values.is('negatives_cross_device'),
		}),
		do_train: dead('boolean', 'the program trains in any case', {default: false}),
	},
	negativesIn: values => ({data: values.text('train_data'), map: {}}),
	check,
};

function check(values: Values, say: (text: string) => void): void {
	if (values.is('negatives_cross_device') && values.around.processes === 1) {
		say('--negatives_cross_device: without effect, the command starts one process');
	}

	const group = values.number('train_group_size')!;
	const available = values.around.first?.negatives.length;
	if (available !== undefined && available > 0 && group - 1 > available) {
		say(
			`train_group_size ${group}: the first record has ${available} negatives, which are repeated`,
		);
	}

	const isAlone = values.number('per_device_train_batch_size') === 1;
	if (isAlone && values.is('use_inbatch_neg') && values.around.processes === 1) {
		say('per_device_train_batch_size 1: a query meets its own negatives only, none of a batch');
	}

	if (values.number('temperature')! > 0.5 && values.is('normalized')) {
		say('--temperature is above 0.5, for cosines 0.01 to 0.1 is usual');
	}
}
