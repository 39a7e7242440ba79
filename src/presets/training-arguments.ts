// The options that three of the systems inherit from transformers' TrainingArguments, with their defaults:
// how many rows, what is logged and kept. How parameters change is in training-arguments-optimizer.ts,
// what has no effect in training-arguments-dead.ts.

import {readdirSync} from 'node:fs';
import {isFolder} from './folders.js';
import {asking, maps, type Option, type Ours, read, refused, renamed, type Table} from './table.js';
import {deadArguments} from './training-arguments-dead.js';
import {optimizerArguments, rateArguments} from './training-arguments-optimizer.js';
import type {Values} from './values.js';

/** What a system does its own way. */
export type Habits = {
	/** Whether the queries of one process meet the documents of the others. */
	negativesCross: (values: Values) => boolean;
};

/** The table of TrainingArguments for a system. */
export function trainingArguments(habits: Habits): Table {
	return {
		...courseArguments(habits),
		...optimizerArguments,
		...rateArguments,
		...placeArguments,
		...loggingArguments,
		...evaluationArguments,
		...deadArguments,
	};
}

/** Rows of all processes that one softmax sees, and how many such pools make an update. */
export function poolsOf(values: Values, crosses: boolean): {rows: number; pools: number} {
	const rows = values.number('per_device_train_batch_size')!;
	const accumulated = values.number('gradient_accumulation_steps')!;
	const {processes} = values.around;
	if (crosses) return {rows: rows * processes, pools: accumulated};
	return {rows, pools: accumulated * processes};
}

/** A schedule that is longer than the run where its warm-up is, which then never ends. */
export function scheduleLength(values: Values, steps: number, say: (text: string) => void): Ours {
	const warmup = values.number('warmup_steps')!;
	if (warmup < steps || values.text('lr_scheduler_type') === 'constant') return {};
	say(
		`${values.place('warmup_steps')} ${warmup}: the run has ${steps} steps, so the rate only rises`,
	);
	return {scheduleSteps: warmup + 1};
}

/** A step of batches whose losses are averaged. */
export function batchesOf(rows: number, pools: number): Ours {
	const step = {batchSize: rows, accumulate: pools, accumulation: 'separate'} as const;
	return pools === 1 ? {batchSize: rows} : step;
}

function courseArguments({negativesCross}: Habits): Table {
	return {
		per_device_train_batch_size: maps(
			'number',
			(values, say) => {
				const crosses = negativesCross(values);
				const {rows, pools} = poolsOf(values, crosses);
				if (values.around.processes > 1 && crosses) {
					say(
						`${values.around.processes} processes share their negatives: one batch of ${rows} rows`,
					);
				}
				return batchesOf(rows, pools);
			},
			{default: 8, aliases: ['per_gpu_train_batch_size']},
		),
		gradient_accumulation_steps: read('number', {default: 1}),
		num_train_epochs: maps(
			'number',
			values =>
				values.number('max_steps')! > 0 ? {} : {epochs: values.number('num_train_epochs')},
			{default: 3},
		),
		max_steps: maps(
			'number',
			(values, say) => {
				const steps = values.number('max_steps')!;
				return steps > 0 ? {steps, ...scheduleLength(values, steps, say)} : {};
			},
			{default: -1},
		),
		dataloader_drop_last: asking({dropLast: true}),
		gradient_checkpointing: asking(
			{recompute: 'blocks'},
			{default: false, aliases: ['activation_checkpointing']},
		),
		train_sampling_strategy: {
			kind: 'text',
			default: 'random',
			to: values => (values.own() === 'sequential' ? {order: 'file'} : {}),
			refused(values) {
				const strategies = ['random', 'sequential', 'group_by_length'];
				if (strategies.includes(values.text('train_sampling_strategy') ?? 'random')) return;
				return `the strategies here are ${strategies.join(', ')}`;
			},
		},
		seed: renamed('number', 'seed', {default: 42}),
	};
}

const placeArguments: Table = {
	output_dir: renamed('text', 'output'),
	overwrite_output_dir: maps('boolean', overwriting, {default: false}),
	resume_from_checkpoint: maps('text', (values, say) => {
		if (!isResumed(values)) return {};
		say(
			`${values.place('resume_from_checkpoint')}: goes on from the newest checkpoint of the output`,
		);
		return {resume: true};
	}),
	save_strategy: maps('text', saving, {default: 'steps'}),
	save_steps: read('number', {default: 500}),
	save_total_limit: maps('number', values => ({keep: limitOf(values)})),
	push_to_hub: refused('boolean', 'nothing is sent to the hub; send the output yourself', {
		default: false,
	}),
	no_cuda: asking({device: 'cpu'}, {default: false, aliases: ['use_cpu']}),
};

/** All where there is no limit, which 0 and less are too. */
function limitOf(values: Values): number | 'all' {
	const limit = values.number('save_total_limit') ?? 0;
	return limit > 0 ? limit : 'all';
}

function isResumed(values: Values): boolean {
	const asked = values.text('resume_from_checkpoint');
	return asked !== undefined && !/^(false|no|0)$/i.test(asked);
}

/** Our option empties the folder, theirs does not: left out where other things than a run would go. */
function overwriting(values: Values, say: (text: string) => void): Ours {
	if (!values.is('overwrite_output_dir') || isResumed(values)) return {};
	const folder = values.text('output_dir') ?? '';
	const names = isFolder(folder) ? readdirSync(folder) : [];
	if (names.length === 0 || names.includes('run.json')) return {overwrite: true};
	const place = values.place('overwrite_output_dir');
	say(
		`${place}: not followed, as ${folder} holds other files than a run's; --overwrite empties it`,
	);
	return {};
}

function saving(values: Values, say: (text: string) => void): Ours {
	const strategy = values.text('save_strategy');
	const steps = values.number('save_steps')!;
	if (strategy === 'no')
		say('save_strategy no: a checkpoint is kept after each epoch all the same');
	const named = {checkpointName: 'checkpoint-{step}'};
	if (strategy !== 'steps') return named;
	if (Number.isInteger(steps)) return {...named, saveSteps: steps};
	say(`save_steps ${steps}: a share of the steps; a checkpoint is kept after each epoch instead`);
	return named;
}

/** What stands in for services that are sent the numbers of a run. */
export const eventFiles = 'event files are written, which TensorBoard and `wandb sync` read';

const loggingArguments: Table = {
	logging_steps: maps(
		'number',
		(values, say) => {
			const steps = values.number('logging_steps')!;
			const isCount = values.text('logging_strategy') === 'steps' && Number.isInteger(steps);
			if (!isCount) say('logging not by a number of steps: every step is logged');
			return {loggingSteps: isCount ? steps : 1};
		},
		{default: 500},
	),
	logging_strategy: read('text', {default: 'steps'}),
	report_to: maps('list', tracked, {default: ['none']}),
	logging_dir: read('text'),
};

function tracked(values: Values, say: (text: string) => void): Ours {
	const asked = values.list('report_to').filter(name => name !== 'none');
	if (asked.length === 0) return {};
	const others = asked.filter(name => name !== 'tensorboard' && name !== 'all');
	if (others.length > 0) say(`report_to ${others.join(', ')}: nothing is sent; ${eventFiles}`);
	return {tensorboard: values.text('logging_dir') ?? true};
}

const noEvaluation =
	'the program has no data to evaluate on; --eval, --eval-steps and --save-best do it';

const evaluationArguments: Table = {
	do_eval: refused('boolean', noEvaluation, {default: false}),
	do_predict: refused('boolean', noEvaluation, {default: false}),
	eval_strategy: refused('text', noEvaluation, {
		default: 'no',
		aliases: ['evaluation_strategy'],
	}),
	eval_on_start: refused('boolean', noEvaluation, {default: false}),
	load_best_model_at_end: refused('boolean', noEvaluation, {default: false}),
	metric_for_best_model: refused('text', noEvaluation),
};

/** An option of a system's own program that says whether it trains. */
export function trainsOnlyIfTold(program: string): Option {
	return {
		kind: 'boolean',
		default: false,
		refused: values =>
			values.is('do_train') ? undefined : `${program} trains only with --do_train; add it`,
	};
}
