// The preset of NeMo's SBERT: megatron_bert_embedding_finetuning.py with its configuration
// megatron_bert_embedding_config, as of the version that documents it.

import {EngineError} from '../errors.js';
import {
	isValidated,
	nemoExperimentOptions,
	validation,
	validationLimit,
} from './nemo-experiment.js';
import {nemoOptimOptions} from './nemo-optim.js';
import {nemoDeadOptions} from './nemo-sbert-dead.js';
import {
	dataSource,
	dead,
	maps,
	type Ours,
	type Preset,
	read,
	refused,
	renamed,
	type Table,
} from './table.js';
import {sayHalfType} from './texts.js';
import {batchesOf} from './training-arguments.js';
import type {Values} from './values.js';

/** Each query meets all positives of the batch and its own hard negatives. */
const fixed: Ours = {
	...{pooling: 'mean', normalize: true, queryPrompt: 'query: ', documentPrompt: 'passage: '},
	...{loss: 'infonce', candidates: ['inBatchPositives', 'ownHard']},
	...{dropLast: true, allowDuplicates: true},
};

const trainerOptions: Table = {
	'trainer.devices': read('any', {default: 1}),
	'trainer.num_nodes': read('number', {default: 1}),
	'trainer.accelerator': maps('text', onDevice, {default: 'gpu'}),
	'trainer.precision': maps('text', precision, {default: 16}),
	'trainer.max_epochs': {
		kind: 'number',
		default: -1,
		nullable: true,
		to: course,
		refused(values) {
			const ends = ['trainer.max_epochs', 'trainer.max_steps'].map(
				name => values.number(name) ?? -1,
			);
			return ends.some(end => end > 0)
				? undefined
				: 'a run needs an end, this or trainer.max_steps';
		},
	},
	'trainer.max_steps': read('number', {default: 100_000, nullable: true}),
	'trainer.log_every_n_steps': renamed('number', 'loggingSteps', {default: 10}),
	'trainer.val_check_interval': maps('number', checks, {default: 100}),
	[validationLimit]: read('number', {default: 50, nullable: true}),
	'trainer.accumulate_grad_batches': refused(
		'number',
		'NeMo accumulates nothing for this loss; give model.global_batch_size',
		{default: 1},
	),
	'trainer.gradient_clip_val': maps(
		'number',
		values => ({clip: values.number('trainer.gradient_clip_val') ?? 0}),
		{default: 1, nullable: true},
	),
	'trainer.num_sanity_val_steps': dead('number', 'an evaluation stands before every training', {
		default: 2,
	}),
};

function onDevice(values: Values): Ours {
	return values.text('trainer.accelerator') === 'cpu' ? {device: 'cpu'} : {};
}

function precision(values: Values, say: (text: string) => void): Ours {
	const asked = String(values.text('trainer.precision') ?? 16);
	if (/^32/.test(asked)) return {dtype: 'f32'};
	sayHalfType(`trainer.precision ${asked}`, say);
	return {};
}

/** The end is what comes first: the epochs or the steps. */
function course(values: Values): Ours {
	const epochs = values.number('trainer.max_epochs') ?? -1;
	const steps = values.number('trainer.max_steps') ?? -1;
	if (epochs < 1) return {steps};
	return steps < 1 ? {epochs} : {epochs, maxSteps: steps};
}

/** Validation, and with it the checkpoints. */
function checks(values: Values, say: (text: string) => void): Ours {
	const interval = values.number('trainer.val_check_interval')!;
	if (!Number.isInteger(interval) || interval < 1) {
		say(`trainer.val_check_interval ${interval}: not a number of steps; checkpoints follow epochs`);
		return {};
	}
	return isValidated(values) ? {saveSteps: interval, evalSteps: interval} : {saveSteps: interval};
}

const modelOptions: Table = {
	restore_from_path: {
		kind: 'text',
		to: values => ({model: values.text('restore_from_path')}),
		refused(values) {
			const path = values.text('restore_from_path');
			if (path === undefined) {
				return 'name the folder of a BERT; from scratch trains `inbatch train --init config.json`';
			}
			if (!path.endsWith('.nemo')) return undefined;
			return 'archives of NeMo are not read; name the Hugging Face folder that it was made from';
		},
	},
	'model.micro_batch_size': read('number', {default: 4}),
	'model.global_batch_size': maps('number', batch, {default: 8}),
	'model.tensor_model_parallel_size': read('number', {default: 1}),
	'model.pipeline_model_parallel_size': read('number', {default: 1}),
	'model.encoder_seq_length': maps('number', lengths, {default: 512}),
	'model.hidden_dropout': maps('number', dropout, {default: 0.1}),
	'model.activations_checkpoint_granularity': maps('text', values => {
		const isAsked = values.text('model.activations_checkpoint_granularity') !== undefined;
		return isAsked ? {recompute: 'blocks'} : {};
	}),
	'model.seed': renamed('number', 'seed', {default: 1234}),
	'model.softmax_temp': maps('number', contrastive, {default: 0.05}),
	'model.label_smoothing': read('number', {default: 0}),
	'model.global_inbatch_negatives': read('boolean', {default: false}),
};

/** Processes that do not gather their negatives are batches of their own. */
function batch(values: Values, say: (text: string) => void): Ours {
	const devices = values.any('trainer.devices');
	if (devices === -1 || devices === 'auto') say(`trainer.devices ${devices}: taken for one here`);
	const global = values.number('model.global_batch_size')!;
	expectWholeBatch(values, global);
	const pools = values.is('model.global_inbatch_negatives') ? 1 : ranksOf(values);
	return batchesOf(global / pools, pools);
}

/** NeMo accumulates nothing for this loss: the global batch is what the processes hold at once. */
function expectWholeBatch(values: Values, global: number): void {
	const micro = values.number('model.micro_batch_size')!;
	const ranks = ranksOf(values);
	if (micro * ranks === global) return;
	const sum = `${micro} rows of model.micro_batch_size × ${ranks} of trainer.devices and nodes`;
	throw new EngineError(
		'OPTION_CONFLICT',
		`model.global_batch_size: expected ${micro * ranks}, which is ${sum}, got ${global}; set both to the rows of a step`,
	);
}

/** Processes that hold different rows. */
function ranksOf(values: Values): number {
	const parallel =
		values.number('model.tensor_model_parallel_size')! *
		values.number('model.pipeline_model_parallel_size')!;
	const all = devicesOf(values) * values.number('trainer.num_nodes')!;
	return Math.max(1, Math.floor(all / parallel));
}

/** A number of devices or a list of them; `auto` and -1 are one here. */
function devicesOf(values: Values): number {
	const devices = values.any('trainer.devices');
	if (Array.isArray(devices)) return Math.max(1, devices.length);
	return Math.max(1, Number(devices) || 1);
}

function lengths(values: Values): Ours {
	const longest = values.number('model.encoder_seq_length');
	return {queryMaxLength: longest, documentMaxLength: longest};
}

/** The dropout of the model, unless one is given. */
function dropout(values: Values): Ours {
	const isGiven = values.isGiven('model.hidden_dropout');
	return isGiven ? {dropout: values.number('model.hidden_dropout')} : {};
}

function contrastive(values: Values): Ours {
	return {
		temperature: values.number('model.softmax_temp'),
		labelSmoothing: values.number('model.label_smoothing'),
	};
}

const dataOptions: Table = {
	'model.data.data_train': dataSource(),
	[validation]: maps('text', heldOut),
	'model.data.hard_negatives_to_train': maps('number', negatives, {default: 4}),
	'model.data.negative_sample_strategy': read('text', {default: 'first'}),
	'model.data.dataloader_type': {
		kind: 'text',
		default: 'single',
		to: values => ({
			order: values.text('model.data.dataloader_type') === 'cyclic' ? 'shuffle' : 'file',
		}),
		refused(values) {
			const type = values.text('model.data.dataloader_type') ?? 'single';
			if (type === 'single' || type === 'cyclic') return undefined;
			return 'single reads the file in its order, cyclic shuffles it; others are not offered';
		},
	},
};

/** The file whose loss decides which checkpoints are the best. */
function heldOut(values: Values, say: (text: string) => void): Ours {
	const path = values.text(validation);
	if (!isValidated(values)) return {};
	const batches = values.number(validationLimit);
	const isCount = batches === undefined || Number.isInteger(batches);
	if (!isCount) say(`${validationLimit} ${batches}: a share of the rows; all are validated on`);
	const rows = isCount && batches ? batches * values.number('model.global_batch_size')! : undefined;
	return {evalLoss: [`val=${path}`], metric: 'val/loss', evalLossRows: rows};
}

/** The first of a record's; the version that can draw them fills up what is missing. */
function negatives(values: Values): Ours {
	const wanted = values.number('model.data.hard_negatives_to_train');
	const isRandom = values.text('model.data.negative_sample_strategy') === 'random';
	const canFill = values.isGiven('model.data.negative_sample_strategy');
	return {
		negatives: wanted,
		negativeChoice: isRandom ? 'random' : 'first',
		onShortage: canFill ? 'replace' : 'error',
	};
}

export const nemoSbert: Preset = {
	name: 'nemo-sbert',
	title: "NeMo's SBERT",
	dialect: 'overrides',
	fixed: () => fixed,
	configName: 'megatron_bert_embedding_config',
	names: {
		model: 'restore_from_path',
		data: 'model.data.data_train',
		output: 'exp_manager.explicit_log_dir',
	},
	programs: [
		{name: /megatron_bert_embedding_finetuning(\.py)?$/},
		{name: /megatron_gpt_embedding_finetuning/, instead: 'decoders are not trained by this preset'},
		{name: /convert_bert/, instead: 'Hugging Face folders are read as they are'},
		{name: /generate/, instead: '`inbatch encode` turns texts into vectors'},
	],
	options: {
		...modelOptions,
		...dataOptions,
		...trainerOptions,
		...nemoOptimOptions,
		...nemoExperimentOptions,
		...nemoDeadOptions,
	},
};
