// The options that three of the systems inherit from transformers' TrainingArguments, with their defaults:
// how many rows, which optimizer, which rate, what is logged and kept. Those of no effect are in
// training-arguments-dead.ts.

import {maps, type Option, type Ours, read, refused, type Table} from './table.js';
import {deadArguments} from './training-arguments-dead.js';
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
			values => (values.number('max_steps')! > 0 ? {steps: values.number('max_steps')} : {}),
			{default: -1},
		),
		dataloader_drop_last: maps(
			'boolean',
			values => (values.is('dataloader_drop_last') ? {dropLast: true} : {}),
			{
				default: false,
			},
		),
		gradient_checkpointing: maps(
			'boolean',
			values => (values.is('gradient_checkpointing') ? {recompute: 'blocks'} : {}),
			{default: false},
		),
		seed: maps('number', values => ({seed: values.number('seed')}), {default: 42}),
	};
}

const optimizers: Readonly<Record<string, string>> = {
	adamw_hf: 'adamw',
	adamw_torch: 'adamw',
	adamw_torch_fused: 'adamw',
	adamw_apex_fused: 'adamw',
	adamw_anyprecision: 'adamw',
	paged_adamw_32bit: 'adamw',
	paged_adamw: 'adamw',
	lion_32bit: 'lion',
	paged_lion_32bit: 'lion',
	adafactor: 'adafactor',
	adamw_8bit: 'adamw8',
	adamw_bnb_8bit: 'adamw8',
	paged_adamw_8bit: 'adamw8',
};

/** The optimizer; undefined for one that is not offered. */
function optimizerOf(values: Values): string | undefined {
	if (values.is('adafactor')) return 'adafactor';
	return optimizers[values.text('optim') ?? 'adamw_torch'];
}

/** A setting that not every optimizer reads. */
function moment(name: string, key: 'beta1' | 'beta2' | 'epsilon', standard: number): Option {
	const unread = key === 'epsilon' ? ['adafactor', 'lion'] : ['adafactor'];
	const to = (values: Values, say: (text: string) => void): Ours => {
		const isRead = !unread.includes(optimizerOf(values) ?? '');
		if (isRead) return {[key]: values.number(name)};
		if (values.isGiven(name))
			say(`${values.place(name)}: without effect, the optimizer reads none`);
		return {};
	};
	return {kind: 'number', default: standard, to};
}

const optimizerArguments: Table = {
	optim: {
		kind: 'text',
		default: 'adamw_torch',
		to: values => ({optimizer: optimizerOf(values)}),
		refused: values => {
			if (optimizerOf(values)) return undefined;
			return `the optimizers here are ${Object.keys(optimizers).join(', ')}`;
		},
	},
	adafactor: read('boolean', {default: false}),
	optim_args: refused('text', 'arguments of single optimizers are not read'),
	learning_rate: maps('number', values => ({learningRate: values.number('learning_rate')}), {
		default: 5e-5,
	}),
	weight_decay: maps('number', values => ({weightDecay: values.number('weight_decay')}), {
		default: 0,
	}),
	adam_beta1: moment('adam_beta1', 'beta1', 0.9),
	adam_beta2: moment('adam_beta2', 'beta2', 0.999),
	adam_epsilon: moment('adam_epsilon', 'epsilon', 1e-8),
	max_grad_norm: maps('number', values => ({clip: values.number('max_grad_norm')}), {default: 1}),
	neftune_noise_alpha: refused('number', 'noise on embedding tables is not offered'),
	fp16: maps('boolean', halfPrecision, {default: false}),
	bf16: maps('boolean', halfPrecision, {default: false}),
};

/** A half type is the choice of the device; without one, all is f32 as documented. */
function halfPrecision(values: Values, say: (text: string) => void): Ours {
	const asked = ['fp16', 'bf16'].find(name => values.is(name));
	if (asked === undefined) return {};
	say(`${values.place(asked)}: the CPU computes in f32, a card in bf16 over f32 weights`);
	return {};
}

type Scheduler = (values: Values, kwargs: Readonly<Record<string, unknown>>) => Ours;

const numberOf = (value: unknown, otherwise: number) =>
	typeof value === 'number' ? value : otherwise;

const schedulers: Readonly<Record<string, Scheduler>> = {
	linear: () => ({schedule: 'linear'}),
	cosine: () => ({schedule: 'cosine'}),
	cosine_with_restarts: (_, {num_cycles: cycles}) => ({
		schedule: 'cosine',
		restarts: numberOf(cycles, 1) - 1,
	}),
	cosine_with_min_lr: (values, {min_lr: least, min_lr_rate: share}) => ({
		schedule: 'cosine',
		minLearningRate: numberOf(least, numberOf(share, 0) * values.number('learning_rate')!),
	}),
	polynomial: (_, {lr_end: least, power}) => ({
		schedule: 'polynomial',
		minLearningRate: numberOf(least, 1e-7),
		power: numberOf(power, 1),
	}),
	constant: () => ({schedule: 'constant'}),
	constant_with_warmup: () => ({schedule: 'constant'}),
	inverse_sqrt: (_, {timescale}) => ({
		schedule: 'inverse-sqrt',
		timescale: typeof timescale === 'number' ? timescale : undefined,
	}),
	warmup_stable_decay: (values, {num_decay_steps: decay, min_lr_ratio: share}) => ({
		schedule: 'wsd',
		decaySteps: numberOf(decay, 1),
		minLearningRate: numberOf(share, 0) * values.number('learning_rate')!,
	}),
};

const rateArguments: Table = {
	lr_scheduler_type: {
		kind: 'text',
		default: 'linear',
		to(values) {
			const make = schedulers[values.text('lr_scheduler_type') ?? 'linear'];
			return make ? make(values, schedulerArguments(values)) : {};
		},
		refused(values) {
			if (schedulers[values.text('lr_scheduler_type') ?? 'linear']) return undefined;
			return `the schedules here are ${Object.keys(schedulers).join(', ')}`;
		},
	},
	lr_scheduler_kwargs: {
		kind: 'text',
		refused(values) {
			const text = values.text('lr_scheduler_kwargs');
			if (text === undefined || parsedArguments(text)) return undefined;
			return 'it is written as JSON, as {"num_cycles": 2}';
		},
	},
	warmup_ratio: maps('number', warmup, {default: 0}),
	warmup_steps: read('number', {default: 0}),
};

/** Steps come before a share. A constant schedule of transformers does not warm up. */
function warmup(values: Values, say: (text: string) => void): Ours {
	const steps = values.number('warmup_steps')!;
	const ratio = values.number('warmup_ratio')!;
	const isConstant = values.text('lr_scheduler_type') === 'constant';
	if (isConstant && (steps > 0 || ratio > 0)) {
		say('lr_scheduler_type constant: its warm-up never takes effect; constant_with_warmup has one');
	}
	if (isConstant) return {warmupSteps: 0};
	// Since transformers 5 a number below 1 is a share.
	if (steps > 0 && steps < 1) return {warmupRatio: steps};
	return steps > 0 ? {warmupSteps: steps} : {warmupRatio: ratio};
}

function schedulerArguments(values: Values): Readonly<Record<string, unknown>> {
	return parsedArguments(values.text('lr_scheduler_kwargs') ?? '{}') ?? {};
}

function parsedArguments(text: string): Readonly<Record<string, unknown>> | undefined {
	try {
		const value: unknown = JSON.parse(text);
		const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
		return isObject ? (value as Record<string, unknown>) : undefined;
	} catch {
		return undefined;
	}
}

const placeArguments: Table = {
	output_dir: maps('text', values => ({output: values.text('output_dir')})),
	resume_from_checkpoint: maps('text', (values, say) => {
		const asked = values.text('resume_from_checkpoint');
		if (asked === undefined || /^(false|no|0)$/i.test(asked)) return {};
		say(
			`${values.place('resume_from_checkpoint')}: goes on from the newest checkpoint of the output`,
		);
		return {resume: true};
	}),
	save_strategy: maps('text', saving, {default: 'steps'}),
	save_steps: read('number', {default: 500}),
	save_total_limit: maps('number', values => ({keep: values.number('save_total_limit') ?? 'all'})),
	push_to_hub: refused('boolean', 'nothing is sent to the hub; send the output yourself', {
		default: false,
	}),
	no_cuda: maps('boolean', onCpu, {default: false, aliases: ['use_cpu']}),
};

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

function onCpu(values: Values): Ours {
	return values.is('no_cuda') ? {device: 'cpu'} : {};
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
	report_to: maps('list', (values, say) => {
		const asked = values.list('report_to').filter(name => name !== 'none');
		if (asked.length === 0) return {};
		const others = asked.filter(name => name !== 'tensorboard' && name !== 'all');
		if (others.length > 0) say(`report_to ${others.join(', ')}: nothing is sent; ${eventFiles}`);
		return {tensorboard: values.text('logging_dir') ?? true};
	}),
	logging_dir: read('text'),
};

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
