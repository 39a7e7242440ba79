// NeMo's experiment manager: where a run lies, what it keeps, when it stops early.

import {join} from 'node:path';
import {asking, maps, type Ours, read, refused, type Table} from './table.js';
import type {Values} from './values.js';

const at = (name: string) => `exp_manager.${name}`;
const checkpoint = (name: string) => at(`checkpoint_callback_params.${name}`);
const stopping = (name: string) => at(`early_stopping_callback_params.${name}`);

export const validation = 'model.data.data_validation';
export const validationLimit = 'trainer.limit_val_batches';
const monitored = 'what decides here is val_loss, or any metric of --eval by --metric';
const standardName = 'megatron_bert--{val_loss:.2f}-{step}-{consumed_samples}';

export const nemoExperimentOptions: Table = {
	[at('explicit_log_dir')]: maps('text', values => ({output: folderOf(values)})),
	[at('exp_dir')]: read('text'),
	[at('name')]: read('text', {default: 'megatron_bert', nullable: true}),
	[at('resume_if_exists')]: asking({resume: true}, {default: true}),
	[at('create_wandb_logger')]: read('boolean', {default: false}),
	[at('create_tensorboard_logger')]: maps('boolean', events, {default: true}),
	[checkpoint('save_top_k')]: maps('number', kept, {default: 10}),
	[checkpoint('filename')]: maps('text', named, {default: standardName}),
	[checkpoint('monitor')]: refused('text', monitored, {default: 'val_loss'}),
	[checkpoint('mode')]: refused('text', 'a lower val_loss is better', {default: 'min'}),
	[at('create_early_stopping_callback')]: {
		kind: 'boolean',
		default: false,
		to: stoppedEarly,
		refused(values) {
			if (!values.is(at('create_early_stopping_callback')) || isValidated(values)) return undefined;
			return `it needs ${validation}`;
		},
	},
	[stopping('patience')]: read('number', {default: 10}),
	[stopping('min_delta')]: read('number', {default: 0.001}),
	[stopping('monitor')]: refused('text', monitored, {default: 'val_loss'}),
	[stopping('mode')]: refused('text', 'a lower val_loss is better', {default: 'min'}),
	[at('ema.enable')]: maps(
		'boolean',
		values => (values.is(at('ema.enable')) ? {ema: values.number(at('ema.decay'))} : {}),
		{default: false},
	),
	[at('ema.decay')]: read('number', {default: 0.999}),
	[at('ema.every_n_steps')]: refused('number', 'the mean is made anew after each step', {
		default: 1,
	}),
	[at('ema.validate_original_weights')]: refused('boolean', 'evaluations see the mean', {
		default: false,
	}),
};

/** Whether there are rows to validate on, and batches of them. */
export function isValidated(values: Values): boolean {
	return values.text(validation) !== undefined && values.number(validationLimit) !== 0;
}

/** The folder itself, or one of the name in the folder of experiments. */
function folderOf(values: Values): string {
	const name = values.text(at('name')) ?? 'default';
	const experiments = values.text(at('exp_dir')) ?? 'nemo_experiments';
	return values.text(at('explicit_log_dir')) ?? join(experiments, name);
}

function events(values: Values, say: (text: string) => void): Ours {
	const isAsked = values.is(at('create_wandb_logger'));
	if (isAsked) {
		say(`${at('create_wandb_logger')}: nothing is sent to W&B; \`wandb sync\` reads tensorboard/`);
	}
	return isAsked || values.is(at('create_tensorboard_logger')) ? {tensorboard: true} : {};
}

/** The newest, and those of the lowest validation loss. */
function kept(values: Values): Ours {
	const count = values.number(checkpoint('save_top_k')) ?? 10;
	if (count < 0) return {keep: 'all'};
	if (isValidated(values)) return count > 0 ? {keep: 1, keepBest: count} : {keep: 1};
	return {keep: Math.max(1, count)};
}

/** Lightning's template: each name in braces stands for itself, a sign of equality and its value. */
function named(values: Values, say: (text: string) => void): Ours {
	const template = values.text(checkpoint('filename')) ?? standardName;
	const numbers: Readonly<Record<string, string>> = {
		val_loss: '{metric}',
		step: '{step}',
		epoch: '{epoch}',
		consumed_samples: '{rows}.0',
	};
	const name = template.replace(/\{(\w+)(?::[^}]*)?\}/g, (_, key: string) => {
		const number = numbers[key];
		if (number === undefined) say(`${checkpoint('filename')}: nothing here is called ${key}`);
		return `${key}=${number ?? ''}`;
	});
	return {checkpointName: `checkpoints/${name}.ckpt`};
}

function stoppedEarly(values: Values): Ours {
	if (!values.is(at('create_early_stopping_callback'))) return {};
	return {
		patience: values.number(stopping('patience')),
		minDelta: values.number(stopping('min_delta')),
	};
}
