// The preset of LLM-Embedder (FlagEmbedding): `run_dense.py`.

import {fixed, llmEmbedderData} from './llm-embedder-data.js';
import {llmEmbedderEvaluation} from './llm-embedder-evaluation.js';
import {resolved} from './llm-embedder-sets.js';
import {
	type TaskSet,
	type Taught,
	taskOf,
	tasksOf,
	taughtBy,
	trainsOn,
} from './llm-embedder-tasks.js';
import {llmEmbedderUnused} from './llm-embedder-unused.js';
import {asking, dead, maps, type Ours, type Preset, read, renamed, type Table} from './table.js';
import {scheduleLength, trainingArguments} from './training-arguments.js';
import type {Values} from './values.js';

const modelOptions: Table = {
	query_encoder: renamed('text', 'model', {default: 'BAAI/bge-base-en'}),
	key_encoder: maps('text', keyEncoder, {default: 'BAAI/bge-base-en'}),
	tie_encoders: read('boolean', {default: true}),
	model_cache_dir: renamed('text', 'cache'),
	pooling_method: {
		kind: 'list',
		default: ['cls'],
		to: values => ({
			pooling: values.list('pooling_method').find(method => method !== 'dense'),
			...(values.list('pooling_method').includes('dense') && {densePooler: true}),
		}),
		refused(values) {
			const methods = values.list('pooling_method').filter(method => method !== 'dense');
			if (methods.includes('decoder')) {
				return 'it is the first step of the decoder of T5, whose encoder alone is trained here';
			}

			const isKnown = methods.length === 1 && ['cls', 'mean'].includes(methods[0]!);
			return isKnown ? undefined : 'the poolings here are cls and mean, with dense or without';
		},
	},
	dense_metric: {
		kind: 'text',
		default: 'cos',
		to: metric,
		refused(values) {
			const metrics = ['cos', 'ip', 'l2'];
			const isKnown = metrics.includes(values.text('dense_metric') ?? '');
			return isKnown ? undefined : `the metrics are ${metrics.join(', ')}`;
		},
	},
	query_max_length: renamed('number', 'queryMaxLength', {default: 256}),
	key_max_length: renamed('number', 'documentMaxLength', {default: 256}),
	truncation_side: renamed('text', 'truncationSide', {default: 'right'}),
	cpu: asking({device: 'cpu'}),
};

/** One encoder for both, or another for keys. */
function keyEncoder(values: Values, say: (text: string) => void): Ours {
	const key = values.text('key_encoder')!;
	if (values.is('tie_encoders')) {
		if (values.isGiven('key_encoder') && key !== values.text('query_encoder')) {
			const name = values.place('key_encoder');
			say(`${name}: without effect, tie_encoders makes the query encoder that of keys too`);
		}

		return {};
	}

	const isSame = key === values.text('query_encoder');
	return {towers: 'separate', ...(!isSame && {documentModel: key})};
}

/** Their training has inner products for l2 too, which is the metric of their index alone. */
function metric(values: Values, say: (text: string) => void): Ours {
	if (values.text('dense_metric') === 'l2') {
		say('dense_metric l2: trains by inner products, as there; the distance is for their index');
	}

	return {normalize: isCosine(values)};
}

const isCosine = (values: Values) => values.text('dense_metric') === 'cos';

const promptOptions: Table = {
	add_instruction: maps('boolean', prompts, {default: true}),
	version: {
		kind: 'text',
		default: 'bge',
		refused(values) {
			if (versions.includes(values.text('version') ?? '')) return undefined;
			return `the versions are ${versions.join(', ')}`;
		},
	},
};

const versions = ['llm-embedder', 'bge', 'e5', 'instructor'];

function prompts(values: Values): Ours {
	if (!values.is('add_instruction')) return {queryPrompt: '', documentPrompt: ''};
	return {prompts: 'llm-embedder', promptVersion: values.text('version')};
}

const lossOptions: Table = {
	contrastive_weight: read('number', {default: 0.2}),
	distill_weight: read('number', {default: 1}),
	cos_temperature: maps('number', lossOf, {default: 0.01}),
	teacher_temperature: read('number', {default: 1}),
	student_temperature: read('number', {default: 1}),
	stable_distill: {
		kind: 'boolean',
		default: false,
		refused(values) {
			const {stable} = taughtBy(values);
			const {first} = values.around;
			if (!stable || !first || trainsOn(values).teacher) return undefined;
			return 'it needs teacher_scores, which the first record has not';
		},
	},
	negative_cross_device: read('boolean', {default: true}),
};

/** One of the losses alone is not scaled. */
function lossOf(values: Values, say: (text: string) => void): Ours {
	const similarity = isCosine(values) ? {} : {similarity: 'dot'};
	const temperature = isCosine(values) ? values.number('cos_temperature') : 1;
	const several = tasksOf(values);
	if (several !== undefined) return {temperature, ...similarity, ...lossesOf(values, several)};
	const {teacher} = trainsOn(values);
	const taught = taughtBy(values);
	if (!teacher) {
		if (values.isGiven('distill_weight')) {
			say('distill_weight: without effect, the first record has no teacher_scores');
		}

		return {loss: 'infonce', temperature, ...similarity};
	}

	if (taught.stable && values.isGiven('teacher_temperature')) {
		say('teacher_temperature: without effect, stable_distill has none');
	}

	return {loss: 'distill', temperature, ...similarity, lossOption: taughtOptions(values, taught)};
}

/** What a teacher teaches, as options of the loss. */
function taughtOptions(values: Values, taught: Taught): string[] {
	const temperatures = [
		`teacherTemperature=${taught.teacherTemperature}`,
		`studentTemperature=${values.number('student_temperature')}`,
	];
	return [
		`method=${taught.stable ? 'stable' : 'kl'}`,
		...(taught.stable ? [] : temperatures),
		`distillWeight=${taught.distillWeight}`,
		`contrastiveWeight=${taught.contrastiveWeight}`,
	];
}

/** A loss for each data set, by the settings of its task. */
function lossesOf(values: Values, sets: readonly TaskSet[]): Ours {
	const found = sets.map(({name, config, hasScores}) => {
		const taught = taughtBy(values, config);
		const {teacher} = trainsOn(values, taught, hasScores);
		const options = teacher ? taughtOptions(values, taught) : [];
		return {
			lossFor: `${name}=${teacher ? 'distill' : 'infonce'}`,
			lossOption: options.map(option => `${name}.${option}`),
		};
	});
	return {
		lossFor: found.map(({lossFor}) => lossFor),
		lossOption: found.flatMap(({lossOption}) => lossOption),
	};
}

const crosses = (values: Values) => values.is('negative_cross_device');

export const llmEmbedder: Preset = {
	name: 'llm-embedder',
	title: 'LLM-Embedder',
	dialect: 'flags',
	fixed,
	names: {model: '--query_encoder', data: '--train_data', output: '--output_dir'},
	programs: [
		{name: /(^|\/)run_dense\.py$/},
		{name: /run_ranker/, instead: 'rerankers are not trained here'},
		{name: /run_lm_score/, instead: '`inbatch score` asks a language model for scores'},
		{name: /eval_retrieval/, instead: '`inbatch mine` and `inbatch evaluate` do its work'},
	],
	options: {
		...modelOptions,
		...llmEmbedderData,
		...promptOptions,
		...lossOptions,
		...trainingArguments({
			negativesCross: crosses,
		}),
		...standards(),
		do_train: dead('boolean', 'the program trains in any case', {default: false}),
		...llmEmbedderUnused,
		...llmEmbedderEvaluation,
	},
	negativesIn: values => ({
		data: values.list('train_data').map(path => resolved(path, values)),
		map: {},
	}),
	check,
};

/** Arguments of transformers with other defaults than there, and places of their own. */
function standards(): Table {
	const table = trainingArguments({negativesCross: crosses});
	const changed = {
		per_device_train_batch_size: 16,
		learning_rate: 5e-6,
		warmup_ratio: 0.1,
		weight_decay: 0.01,
		save_steps: 2000,
		logging_steps: 100,
		fp16: true,
		ddp_find_unused_parameters: false,
		remove_unused_columns: false,
	};
	const entries = Object.entries(changed).map(([name, value]) => {
		return [name, {...table[name]!, default: value}] as const;
	});
	const saving = table['save_strategy']!;
	const checkpointName = 'checkpoint-{step}/encoder';
	return {
		...Object.fromEntries(entries),
		save_strategy: {
			...saving,
			to: (values, say) => ({...saving.to?.(values, say), checkpointName}),
		},
		max_steps: maps('number', stepsOf, {default: -1}),
	};
}

/** An early exit ends the run before its schedule does. */
function stepsOf(values: Values, say: (text: string) => void): Ours {
	const most = values.number('max_steps')!;
	const early = values.number('early_exit_steps');
	if (most <= 0) return early === undefined ? {} : {maxSteps: early};
	const schedule = {scheduleSteps: most, ...scheduleLength(values, most, say)};
	if (early !== undefined && early < most) return {...schedule, steps: early};
	return schedule.scheduleSteps === most ? {steps: most} : {...schedule, steps: most};
}

function check(values: Values, say: (text: string) => void): void {
	const {processes, first} = values.around;
	if (values.isGiven('negative_cross_device') && crosses(values) && processes === 1) {
		say('--negative_cross_device: without effect, the command starts one process');
	}

	const task = taskOf(values);
	if (values.is('use_train_config') && task !== undefined && !tasksOf(values)) {
		say(`use_train_config: the settings of the task ${task}`);
	}

	if (first !== undefined && first.task === undefined && values.is('add_instruction')) {
		say('the first record names no task, for which LLM-Embedder stops; --task NAME says it');
	}
}
