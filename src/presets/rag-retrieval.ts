// The preset of RAG-Retrieval: `train_embedding.py`, its options and its YAML files.

import {
	endsInDense,
	isPlainFolder,
	ragRetrievalModelOptions,
	standardModel,
} from './rag-retrieval-model.js';
import {
	asking,
	dataSource,
	dead,
	maps,
	type Ours,
	type Preset,
	read,
	renamed,
	type Table,
} from './table.js';
import {sayHalfType} from './texts.js';
import {batchesOf} from './training-arguments.js';
import type {Values} from './values.js';

const isDistilled = (values: Values) => values.text('train_type') === 'distill';
const isScored = (values: Values) => values.around.first?.positiveScores !== undefined;
const hasNegatives = (values: Values) => values.around.hasNegatives === true;

/** Sizes of Matryoshka training, as `128, 256`. */
function sizesOf(values: Values): number[] {
	return values.text('mrl_dims')!.split(',').map(Number);
}

const dataOptions: Table = {
	train_type: {
		kind: 'text',
		default: 'train',
		refused(values) {
			const type = values.text('train_type') ?? '';
			return ['train', 'distill'].includes(type) ? undefined : 'the types are train and distill';
		},
	},
	train_dataset: dataSource(),
	train_dataset_vec: maps('text', values =>
		isDistilled(values) ? {teacherVectors: values.text('train_dataset_vec')} : {},
	),
	teatch_emebedding_dim: maps(
		'number',
		values => (isDistilled(values) ? {teacherWidth: values.number('teatch_emebedding_dim')} : {}),
		{aliases: ['teacher_emebedding_dim', 'teacher_embedding_dim']},
	),
	shuffle: maps('boolean', values => ({order: values.is('shuffle') ? 'shuffle' : 'file'}), {
		default: false,
	}),
	neg_nums: maps('number', negativesOf, {default: 15}),
	query_max_len: renamed('number', 'queryMaxLength', {default: 128}),
	passage_max_len: maps(
		'number',
		values => (isDistilled(values) ? {} : {documentMaxLength: values.number('passage_max_len')}),
		{default: 512},
	),
};

/** Each positive is a row; negatives are drawn once, too few are repeated. */
function fixed(values: Values): Ours {
	const common = {allowDuplicates: true, queryPrompt: '', documentPrompt: ''};
	if (isDistilled(values)) return common;
	const drawn = {negativeChoice: 'random', resample: 'once', onShortage: 'tile'};
	return {...common, positives: 'each', ...(isDrawn(values) && drawn)};
}

const isDrawn = (values: Values) => !isScored(values) && hasNegatives(values);

function negativesOf(values: Values): Ours {
	if (isDistilled(values)) return {};
	return {negatives: isDrawn(values) ? values.number('neg_nums') : 0};
}

const lossOptions: Table = {
	temperature: maps('number', lossOf, {default: 0.02}),
	use_mrl: {
		kind: 'boolean',
		default: false,
		to: nested,
		refused(values) {
			if (!isDistilled(values) || values.is('use_mrl')) return undefined;
			return 'train_type distill divides by the number of mrl_dims, of which it has none without it';
		},
	},
	mrl_dims: {
		kind: 'text',
		default: '128, 256, 512, 768, 1024, 1280, 1536, 1792',
		refused(values) {
			const isWhole = sizesOf(values).every(size => Number.isInteger(size) && size > 0);
			return isWhole ? undefined : 'it is a list of whole numbers, as "128, 256"';
		},
	},
};

function lossOf(values: Values): Ours {
	const temperature = values.number('temperature')!;
	if (isDistilled(values)) return {loss: 'distillvectors'};
	if (isScored(values)) {
		const sides = ['studentTemperature', 'teacherTemperature'];
		const lossOption = ['group=batch', ...sides.map(side => `${side}=${temperature}`)];
		return {loss: 'klonscores', lossOption};
	}

	const candidates = hasNegatives(values) ? ['ownHard', 'otherHard'] : ['inBatchPositives'];
	return {loss: 'infonce', temperature, candidates};
}

/** One projection for all sizes, the vectors of which have no unit length. */
function nested(values: Values, say: (text: string) => void): Ours {
	const sizes = sizesOf(values);
	if (isDistilled(values)) {
		say(
			'train_type distill: the saved model has no unit length; divide its vectors by their length',
		);
		const dense = values.number('teatch_emebedding_dim');
		return {dense, normalize: false, lossOption: [`widths=${sizes.join(',')}`]};
	}

	if (!values.is('use_mrl')) return {};
	say('use_mrl: the saved model has no unit length; cut its vectors, then divide by their length');
	const sums = {dimensionsReduce: 'mean', normalize: false};
	const output = endsInDense(values);
	if (output === undefined) return {...sums, dense: Math.max(...sizes), dimensionsNested: sizes};
	const fitting = sizes.filter(size => size <= output);
	if (fitting.length < sizes.length) {
		say(`mrl_dims: those above ${output}, the columns of the model's Dense, are left out`);
	}

	return {...sums, dimensionsNested: fitting};
}

const courseOptions: Table = {
	epochs: renamed('number', 'epochs', {default: 2}),
	batch_size: {
		kind: 'number',
		to: batches,
		refused: values =>
			values.number('batch_size') === undefined ? 'it has no default; give it' : undefined,
	},
	gradient_accumulation_steps: read('number', {default: 1}),
	lr: maps(
		'number',
		values => ({
			...{learningRate: values.number('lr'), schedule: 'cosine', optimizer: 'adamw'},
			...{weightDecay: 0.01, clip: values.around.clip ?? 0},
		}),
		{default: 5e-5},
	),
	warmup_proportion: maps('number', scheduled, {default: 0.05}),
	seed: renamed('number', 'seed', {default: 666}),
	mixed_precision: maps('text', precision, {default: 'fp16'}),
};

/**
Their schedule is made for the batches of all epochs over the accumulated ones, rounded down, whatever the
updates are: an epoch ends with one of fewer batches. Each of several processes steps it.
*/
function scheduled(values: Values): Ours {
	const share = values.number('warmup_proportion')!;
	const {rows, processes} = values.around;
	if (rows === undefined) return {warmupRatio: share};
	const batches = Math.ceil(rows / values.number('batch_size')!) * values.number('epochs')!;
	const steps = Math.floor(batches / values.number('gradient_accumulation_steps')!);
	const warmupSteps = Math.ceil(Math.floor(share * steps) / processes);
	const scheduleSteps = Math.max(Math.ceil(steps / processes), warmupSteps + 1);
	return {warmupSteps, scheduleSteps};
}

/** Queries meet the documents of their own batch; the losses of several make an update. */
function batches(values: Values): Ours {
	const pools = values.number('gradient_accumulation_steps')! * values.around.processes;
	return batchesOf(values.number('batch_size')!, pools);
}

function precision(values: Values, say: (text: string) => void): Ours {
	const asked = values.text('mixed_precision');
	if (asked === 'no') return {dtype: 'f32'};
	sayHalfType(`mixed_precision ${asked}`, say);
	return {};
}

const outputOptions: Table = {
	output_dir: maps('text', values => ({
		output: values.text('output_dir'),
		...{modelPlace: 'model', checkpointName: 'runs/checkpoints/checkpoint_{epoch}'},
	})),
	save_on_epoch_end: maps(
		'number',
		(values, say) => {
			if (values.number('save_on_epoch_end') === 0) {
				say('save_on_epoch_end 0: a checkpoint is kept after each epoch all the same');
			}

			return {};
		},
		{default: 1},
	),
	num_max_checkpoints: renamed('number', 'keep', {default: 5}),
	log_with: maps('text', tracker, {default: 'wandb'}),
	log_interval: renamed('number', 'loggingSteps', {default: 10}),
};

/** Event files, which both of their trackers read. */
function tracker(values: Values, say: (text: string) => void): Ours {
	const name = values.text('log_with');
	if (name === 'wandb') say('log_with wandb: nothing is sent; `wandb sync` reads tensorboard/');
	return name === 'wandb' || name === 'tensorboard' ? {tensorboard: true} : {};
}

export const ragRetrieval: Preset = {
	name: 'rag-retrieval',
	title: 'RAG-Retrieval',
	dialect: 'flags',
	fixed,
	names: {model: '--model_name_or_path', data: '--train_dataset', output: '--output_dir'},
	programs: [
		{name: /(^|\/)train_embedding\.py$/},
		{name: /train_reranker/, instead: 'rerankers are not trained here'},
		{name: /train_colbert/, instead: '`--loss late-interaction` trains token vectors'},
	],
	configFlag: 'config',
	options: {
		config: read('text'),
		...ragRetrievalModelOptions,
		...dataOptions,
		...lossOptions,
		...courseOptions,
		...outputOptions,
		gradient_checkpointing: asking({recompute: 'blocks'}),
		num_workers: dead('number', 'rows are read without loader processes', {default: 0}),
	},
	negativesIn: values => ({data: values.text('train_dataset'), map: {}}),
	countedIn,
	check,
};

function countedIn(values: Values) {
	const data = values.text('train_dataset');
	if (data === undefined || !(values.number('batch_size')! > 0)) return undefined;
	return {data, rowsOf: isDistilled(values) ? 'texts' : 'positives'} as const;
}

function check(values: Values, say: (text: string) => void): void {
	const {first, processes} = values.around;
	if (processes > 1) {
		say(`${processes} processes: as many batches an update, which do not share their negatives`);
	}

	const available = first?.negatives.length ?? 0;
	const wanted = values.number('neg_nums')!;
	if (!isScored(values) && available > 0 && wanted > available) {
		say(`neg_nums ${wanted}: the first record has ${available} negatives, which are repeated`);
	}

	if (values.isGiven('temperature') && isDistilled(values)) {
		say(`${values.place('temperature')}: without effect, train_type distill has none`);
	}

	if (isPlainFolder(values)) {
		say(`${values.text('model_name_or_path') ?? standardModel}: says no pooling, so mean is used`);
	}
}
