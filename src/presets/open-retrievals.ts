// The preset of open-retrievals: `-m retrievals.pipelines.embed`.

import {existsSync} from 'node:fs';
import {modelArguments} from './model-arguments.js';
import {dead, maps, type Ours, type Preset, read, refused, renamed, type Table} from './table.js';
import {prompt} from './texts.js';
import {trainingArguments, trainsOnlyIfTold} from './training-arguments.js';
import type {Values} from './values.js';

const poolings: Readonly<Record<string, string>> = {
	mean: 'mean',
	avg: 'mean',
	average: 'mean',
	cls: 'cls',
	first: 'cls',
	last: 'last',
	eos: 'last',
};

const modelOptions: Table = {
	...modelArguments,
	lora_path: dead('text', 'it is read by --do_encode only'),
	pooling_method: {
		kind: 'text',
		default: 'cls',
		to: values => ({pooling: poolings[values.text('pooling_method') ?? 'cls']}),
		refused(values) {
			if (poolings[values.text('pooling_method') ?? 'cls']) return undefined;
			return `the poolings are ${Object.keys(poolings).join(', ')}`;
		},
	},
	normalized: dead(
		'boolean',
		"the loss compares cosines, and open-retrievals' program never reads it",
		{
			default: true,
		},
	),
	fix_position_embedding: maps('boolean', fixedPositions, {default: false}),
	use_lora: refused('boolean', 'adapters are not trained here; leave it out to train all weights', {
		default: false,
	}),
	use_quantization_config: refused('boolean', 'bases of 4 bits are not trained here', {
		default: false,
	}),
};

function fixedPositions(values: Values, say: (text: string) => void): Ours {
	if (!values.is('fix_position_embedding')) return {};
	say('--fix_position_embedding: followed here; open-retrievals reads it and does nothing');
	return {freeze: ['positions']};
}

const dataOptions: Table = {
	data_name_or_path: maps('text', dataOf),
	train_group_size: maps('number', values => ({negatives: negativesOf(values)}), {default: 2}),
	unfold_each_positive: maps('boolean', positives, {default: false}),
	query_max_length: renamed('number', 'queryMaxLength', {default: 32}),
	document_max_length: renamed('number', 'documentMaxLength', {default: 128}),
	query_instruction: prompt('query_instruction', 'queryPrompt'),
	document_instruction: prompt('document_instruction', 'documentPrompt'),
	query_key: maps('text', named('query'), {default: 'query'}),
	positive_key: maps('text', named('positive'), {default: 'positive'}),
	negative_key: maps('text', named('negative'), {default: 'negative'}),
	is_query: dead('boolean', 'it is read by --do_encode only', {default: false}),
	encoding_save_file: dead('text', 'it is read by --do_encode only', {default: 'embed.pkl'}),
	do_encode: refused('boolean', '`inbatch encode` turns texts into vectors', {default: false}),
};

function dataOf(values: Values): Ours {
	const path = sourceOf(values);
	return {data: path === undefined ? undefined : [path]};
}

/** A file or folder; what is none, and is called as data sets of the hub are, is one of them. */
function sourceOf(values: Values): string | undefined {
	const path = values.text('data_name_or_path');
	if (path === undefined || existsSync(path) || /\.?jsonl?$/.test(path)) return path;
	const [, name, more] = /^([\w-][\w.-]*\/[\w.-]+)(?:[/:]([\w.-]+))?$/.exec(path) ?? [];
	if (name === undefined) return path;
	return `hf://datasets/${name}${more === undefined ? '' : `/${more}`}`;
}

function negativesOf(values: Values): number {
	const isWithout = lossOf(values).scored || values.around.hasNegatives === false;
	return isWithout ? 0 : values.number('train_group_size')! - 1;
}

/** Negatives are drawn anew each time a row is read, and too few are repeated; vectors keep their length. */
function fixed(values: Values): Ours {
	const drawn = {negativeChoice: 'random', resample: 'epoch', onShortage: 'tileOrDrop'};
	const common = {normalize: false, allowDuplicates: true};
	return negativesOf(values) > 0 ? {...common, ...drawn} : common;
}

function positives(values: Values, say: (text: string) => void): Ours {
	if (!values.is('unfold_each_positive')) return {positives: 'random'};
	say('--unfold_each_positive: followed here; in open-retrievals it has no effect');
	return {positives: 'each'};
}

const fieldKeys = {query: 'query_key', positive: 'positive_key', negative: 'negative_key'} as const;

function named(field: keyof typeof fieldKeys) {
	return (values: Values): Ours => {
		const name = values.text(fieldKeys[field]) ?? field;
		const isMissing = field === 'negative' && values.around.hasNegatives === false;
		return name === field || isMissing ? {} : {map: [`${field}=${name}`]};
	};
}

/** Names of fields that are not ours. */
function namesIn(values: Values): Record<string, string> {
	const names = Object.entries(fieldKeys).map(([field, key]) => [field, values.text(key) ?? field]);
	return Object.fromEntries(names.filter(([field, name]) => field !== name));
}

type LossChoice = {
	/** Whether rows are pairs with a number. */
	scored?: boolean;
	to: (values: Values, say: (text: string) => void) => Ours;
};

const allCandidates = ['inBatchPositives', 'ownHard', 'otherHard'];

const inBatch: LossChoice = {
	to(values, say) {
		const isShared = meetsBatch(values);
		if (isShared && !values.is('use_inbatch_negative')) {
			say('--use_inbatch_negative false: without effect, as the data have no negatives');
		}
		const candidates = isShared ? allCandidates : ['ownHard'];
		return {loss: 'infonce', temperature: values.number('temperature'), candidates};
	},
};

/** Without negatives in the data, queries meet the batch whatever is asked for. */
function meetsBatch(values: Values): boolean {
	return values.is('use_inbatch_negative') || values.around.hasNegatives === false;
}

const lossChoices: Readonly<Record<string, LossChoice>> = {
	infonce: inBatch,
	triplet_ranking: inBatch,
	simcse: {
		to: values => ({loss: 'infonce', temperature: values.number('temperature')}),
	},
	triplet: {
		to: values => ({
			loss: 'triplet',
			temperature: values.number('temperature'),
			lossOption: ['form=logSigmoid', 'margin=0'],
		}),
	},
	cosent: {
		scored: true,
		to: () => ({loss: 'cosent', lossOption: ['scale=1']}),
	},
	pearson: {scored: true, to: () => ({loss: 'pearson'})},
};

function lossOf(values: Values): LossChoice {
	return lossChoices[values.text('loss_fn') ?? 'infonce'] ?? inBatch;
}

const lossOptions: Table = {
	loss_fn: {
		kind: 'text',
		default: 'infonce',
		to: (values, say) => {
			if (lossOf(values).scored) {
				say(
					`loss_fn ${values.text('loss_fn')}: rows need a label or score, which that program drops`,
				);
			}
			return lossOf(values).to(values, say);
		},
		refused(values) {
			const name = values.text('loss_fn') ?? 'infonce';
			if (lossChoices[name]) return undefined;
			if (name === 'arcface') {
				return 'that program gives it no labels; `inbatch train --loss arcface` has them';
			}
			return `the losses of that program are ${Object.keys(lossChoices).join(', ')}`;
		},
	},
	temperature: read('number', {default: 0.02}),
	use_inbatch_negative: read('boolean', {default: true, aliases: ['use_inbatch_neg']}),
	negatives_cross_device: read('boolean', {default: false}),
	train_type: refused('text', 'the program trains pairwise; --loss_fn says how', {
		default: 'pairwise',
	}),
};

export const openRetrievals: Preset = {
	name: 'open-retrievals',
	title: 'open-retrievals',
	dialect: 'flags',
	fixed,
	names: {model: '--model_name_or_path', data: '--data_name_or_path', output: '--output_dir'},
	programs: [
		{name: /(^|[./])embed(\.py)?$/},
		{name: /build_hn/, instead: '`inbatch mine` finds hard negatives'},
		{name: /rerank/, instead: 'rerankers are not trained here'},
	],
	options: {
		...modelOptions,
		...dataOptions,
		...lossOptions,
		...trainingArguments({
			negativesCross: values => values.is('negatives_cross_device'),
		}),
		output_dir: renamed('text', 'output', {default: './checkpoint'}),
		do_train: trainsOnlyIfTold('open-retrievals'),
		remove_unused_columns: dead('boolean', 'fields that nothing reads are left', {default: false}),
	},
	negativesIn: values => ({data: sourceOf(values), map: namesIn(values)}),
	check(values, say) {
		if (values.is('negatives_cross_device') && values.around.processes === 1) {
			say('--negatives_cross_device: without effect, the command starts one process');
		}
		if (values.number('temperature')! > 0.5) {
			say('--temperature is above 0.5, for cosines 0.01 to 0.1 is usual');
		}
	},
};
