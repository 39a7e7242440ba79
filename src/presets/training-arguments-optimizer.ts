// The options of transformers' TrainingArguments that say how the parameters change: the optimizer, its
// precision, and the rate over the steps.

import {maps, type Option, type Ours, read, refused, renamed, type Table} from './table.js';
import {sayHalfType} from './texts.js';
import type {Values} from './values.js';

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

export const optimizerArguments: Table = {
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
	learning_rate: renamed('number', 'learningRate', {default: 5e-5}),
	weight_decay: renamed('number', 'weightDecay', {default: 0}),
	adam_beta1: moment('adam_beta1', 'beta1', 0.9),
	adam_beta2: moment('adam_beta2', 'beta2', 0.999),
	adam_epsilon: moment('adam_epsilon', 'epsilon', 1e-8),
	max_grad_norm: renamed('number', 'clip', {default: 1}),
	neftune_noise_alpha: refused('number', 'noise on embedding tables is not offered'),
	fp16: {
		kind: 'boolean',
		default: false,
		to: precision,
		refused(values) {
			const isBoth = values.is('fp16') && values.is('bf16');
			return isBoth ? 'bf16 is asked for too; one of them is to be False' : undefined;
		},
	},
	bf16: read('boolean', {default: false}),
};

/** Of a half type the device decides; without one all is f32. */
function precision(values: Values, say: (text: string) => void): Ours {
	const asked = ['fp16', 'bf16'].find(name => values.is(name));
	if (asked === undefined) return {dtype: 'f32'};
	sayHalfType(values.place(asked), say);
	return {};
}

type Arguments = Readonly<Record<string, unknown>>;
type Scheduler = {
	/** Arguments of its own, in lr_scheduler_kwargs. */
	knows?: readonly string[];
	to: (values: Values, own: Arguments) => Ours;
};

const numberOf = (value: unknown, otherwise: number) =>
	typeof value === 'number' ? value : otherwise;
const rateOf = (values: Values) => values.number('learning_rate')!;

const schedulers: Readonly<Record<string, Scheduler>> = {
	linear: {to: () => ({schedule: 'linear'})},
	cosine: {to: () => ({schedule: 'cosine'})},
	cosine_with_restarts: {
		knows: ['num_cycles'],
		to: (_, {num_cycles: cycles}) => ({schedule: 'cosine', restarts: numberOf(cycles, 1) - 1}),
	},
	cosine_with_min_lr: {
		knows: ['min_lr', 'min_lr_rate'],
		to: (values, {min_lr: least, min_lr_rate: share}) => ({
			schedule: 'cosine',
			minLearningRate: numberOf(least, numberOf(share, 0) * rateOf(values)),
		}),
	},
	polynomial: {
		knows: ['lr_end', 'power'],
		to: (_, {lr_end: least, power}) => ({
			schedule: 'polynomial',
			minLearningRate: numberOf(least, 1e-7),
			power: numberOf(power, 1),
		}),
	},
	constant: {to: () => ({schedule: 'constant'})},
	constant_with_warmup: {to: () => ({schedule: 'constant'})},
	inverse_sqrt: {
		knows: ['timescale'],
		to: (_, {timescale}) => ({
			schedule: 'inverse-sqrt',
			timescale: typeof timescale === 'number' ? timescale : undefined,
		}),
	},
	warmup_stable_decay: {
		knows: ['num_decay_steps', 'min_lr_ratio'],
		to: (values, {num_decay_steps: decay, min_lr_ratio: share}) => ({
			schedule: 'wsd',
			decaySteps: typeof decay === 'number' ? decay : undefined,
			minLearningRate: numberOf(share, 0) * rateOf(values),
		}),
	},
};

function schedulerOf(values: Values): Scheduler | undefined {
	return schedulers[values.text('lr_scheduler_type') ?? 'linear'];
}

export const rateArguments: Table = {
	lr_scheduler_type: {
		kind: 'text',
		default: 'linear',
		to: values => schedulerOf(values)?.to(values, schedulerArguments(values)) ?? {},
		refused(values) {
			if (schedulerOf(values)) return undefined;
			return `the schedules here are ${Object.keys(schedulers).join(', ')}`;
		},
	},
	lr_scheduler_kwargs: {
		kind: 'text',
		refused(values) {
			const text = values.text('lr_scheduler_kwargs');
			if (text === undefined) return undefined;
			const own = parsedArguments(text);
			if (!own) return 'it is written as JSON, as {"num_cycles": 2}';
			const known = schedulerOf(values)?.knows ?? [];
			if (Object.keys(own).every(name => known.includes(name))) return undefined;
			return `the schedule knows ${known.join(', ') || 'none'}`;
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

function schedulerArguments(values: Values): Arguments {
	return parsedArguments(values.text('lr_scheduler_kwargs') ?? '{}') ?? {};
}

function parsedArguments(text: string): Arguments | undefined {
	try {
		const value: unknown = JSON.parse(text);
		const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
		return isObject ? (value as Arguments) : undefined;
	} catch {
		return undefined;
	}
}
