// What each flag of open-retrievals becomes, is refused for, or says.

import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, describe, expect, test, vi} from 'vitest';
import {bert} from '../cli/command-line.js';
import {lossOn, optionsOf, rateAt, translated} from './translated.js';

const folder = mkdtempSync(join(tmpdir(), 'inbatch-retrievals-'));
afterAll(() => rmSync(folder, {recursive: true, force: true}));
const put = (name: string, row: object) => {
	writeFileSync(join(folder, name), `${JSON.stringify(row)}\n`);
	return join(folder, name);
};
const triplets = put('triplets.jsonl', {query: 'a', positive: ['b'], negative: ['c']});
const pairs = put('pairs.jsonl', {query: 'a', positive: 'b'});

const base = ['--do_train', '--model_name_or_path', bert, '--data_name_or_path', triplets];
const of = (...words: string[]) => translated('open-retrievals', [...base, ...words]);
const launched = (line: string, ...words: string[]) =>
	translated('open-retrievals', [...line.split(' '), ...base, ...words]);

/** Does something under other variables of the environment. */
async function withVariables<T>(variables: Record<string, string>, work: () => Promise<T>) {
	for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
	return work().finally(() => vi.unstubAllEnvs());
}

const standard = {
	model: bert,
	pooling: 'cls',
	normalize: false,
	data: [triplets],
	negatives: 1,
	negativeChoice: 'random',
	positives: 'random',
	resample: 'epoch',
	onShortage: 'tileOrDrop',
	allowDuplicates: true,
	queryMaxLength: 32,
	documentMaxLength: 128,
	queryPrompt: '',
	documentPrompt: '',
	loss: 'infonce',
	temperature: 0.02,
	candidates: ['inBatchPositives', 'ownHard', 'otherHard'],
	batchSize: 8,
	epochs: 3,
	seed: 42,
	dtype: 'f32',
	optimizer: 'adamw',
	learningRate: 5e-5,
	weightDecay: 0,
	beta1: 0.9,
	beta2: 0.999,
	epsilon: 1e-8,
	clip: 1,
	schedule: 'linear',
	warmupRatio: 0,
	output: './checkpoint',
	saveSteps: 500,
	checkpointName: 'checkpoint-{step}',
	keep: 'all',
	loggingSteps: 500,
};

/** Options of ours that differ from those without the words; null: gone. */
const changes: [words: string, ours: Record<string, unknown>][] = [
	['--model_name_or_path builtin', {model: 'builtin'}],
	['--cache_dir there', {cache: 'there'}],
	['--pooling_method mean', {pooling: 'mean'}],
	['--pooling_method avg', {pooling: 'mean'}],
	['--pooling_method first', {pooling: 'cls'}],
	['--pooling_method last', {pooling: 'last'}],
	['--pooling_method eos', {pooling: 'last'}],
	['--fix_position_embedding', {freeze: ['positions']}],
	[
		`--data_name_or_path ${pairs} --train_group_size 5`,
		{
			data: [pairs],
			negatives: 0,
			negativeChoice: null,
			resample: null,
			onShortage: null,
		},
	],
	['--data_name_or_path none.jsonl', {data: ['none.jsonl']}],
	['--data_name_or_path ./no/such', {data: ['./no/such']}],
	['--train_group_size 4', {negatives: 3}],
	['--train_group_size 1', {negatives: 0, negativeChoice: null, resample: null, onShortage: null}],
	['--unfold_each_positive', {positives: 'each'}],
	['--query_max_length 16', {queryMaxLength: 16}],
	['--document_max_length 16', {documentMaxLength: 16}],
	['--query_instruction Q:', {queryPrompt: 'Q:'}],
	['--document_instruction D:', {documentPrompt: 'D:'}],
	['--query_key q', {map: ['query=q']}],
	['--positive_key p --negative_key n', {map: ['positive=p', 'negative=n']}],
	['--loss_fn triplet_ranking', {}],
	['--loss_fn simcse', {candidates: null}],
	[
		'--loss_fn triplet',
		{
			loss: 'triplet',
			lossOption: ['form=logSigmoid', 'margin=0'],
			candidates: null,
		},
	],
	[
		'--loss_fn cosent',
		{
			loss: 'cosent',
			lossOption: ['scale=1'],
			candidates: null,
			temperature: null,
			negatives: 0,
			negativeChoice: null,
			resample: null,
			onShortage: null,
		},
	],
	['--temperature 0.05', {temperature: 0.05}],
	['--use_inbatch_negative false', {candidates: ['ownHard']}],
	['--per_device_train_batch_size 32', {batchSize: 32}],
	['--gradient_accumulation_steps 4', {accumulate: 4, accumulation: 'separate'}],
	['--num_train_epochs 0.5', {epochs: 0.5}],
	['--max_steps 7', {epochs: null, steps: 7}],
	[
		'--max_steps 7 --warmup_steps 9',
		{epochs: null, steps: 7, warmupRatio: null, warmupSteps: 9, scheduleSteps: 10},
	],
	['--dataloader_drop_last True', {dropLast: true}],
	['--gradient_checkpointing', {recompute: 'blocks'}],
	['--activation_checkpointing', {recompute: 'blocks'}],
	['--train_sampling_strategy sequential', {order: 'file'}],
	['--train_sampling_strategy group_by_length', {}],
	['--seed 1', {seed: 1}],
	['--optim lion_32bit', {optimizer: 'lion', epsilon: null}],
	['--optim adamw_bnb_8bit', {optimizer: 'adamw8'}],
	['--adafactor', {optimizer: 'adafactor', beta1: null, beta2: null, epsilon: null}],
	['--optim adafactor', {optimizer: 'adafactor', beta1: null, beta2: null, epsilon: null}],
	['--learning_rate 3e-5', {learningRate: 3e-5}],
	['--weight_decay 0.01', {weightDecay: 0.01}],
	[
		'--adam_beta1 0.8 --adam_beta2 0.95 --adam_epsilon 1e-6',
		{
			beta1: 0.8,
			beta2: 0.95,
			epsilon: 1e-6,
		},
	],
	['--max_grad_norm 0', {clip: 0}],
	['--warmup_ratio 0.1', {warmupRatio: 0.1}],
	['--warmup_steps 5 --warmup_ratio 0.1', {warmupRatio: null, warmupSteps: 5}],
	['--lr_scheduler_type cosine', {schedule: 'cosine'}],
	[
		'--lr_scheduler_type cosine_with_restarts --lr_scheduler_kwargs {"num_cycles":3}',
		{
			schedule: 'cosine',
			restarts: 2,
		},
	],
	[
		'--lr_scheduler_type cosine_with_min_lr --lr_scheduler_kwargs {"min_lr":1e-6}',
		{
			schedule: 'cosine',
			minLearningRate: 1e-6,
		},
	],
	['--lr_scheduler_type polynomial', {schedule: 'polynomial', minLearningRate: 1e-7, power: 1}],
	[
		'--lr_scheduler_type constant_with_warmup --warmup_steps 2',
		{
			schedule: 'constant',
			warmupRatio: null,
			warmupSteps: 2,
		},
	],
	[
		'--lr_scheduler_type constant --warmup_steps 2',
		{
			schedule: 'constant',
			warmupRatio: null,
			warmupSteps: 0,
		},
	],
	['--lr_scheduler_type inverse_sqrt', {schedule: 'inverse-sqrt'}],
	['--output_dir out', {output: 'out'}],
	['--overwrite_output_dir', {overwrite: true}],
	['--resume_from_checkpoint out/checkpoint-5', {resume: true}],
	['--overwrite_output_dir --resume_from_checkpoint out', {resume: true}],
	['--save_strategy epoch', {saveSteps: null}],
	['--save_steps 20 --save_total_limit 1', {saveSteps: 20, keep: 1}],
	['--no_cuda', {device: 'cpu'}],
	['--logging_steps 100', {loggingSteps: 100}],
	['--logging_strategy epoch', {loggingSteps: 1}],
	['--report_to tensorboard', {tensorboard: true}],
	['--report_to wandb --logging_dir logs', {tensorboard: 'logs'}],
	['--report_to none', {}],
	['--fp16', {dtype: null}],
	['--bf16', {dtype: null}],
	['--save_total_limit 0', {}],
];

/** Flags whose only right values are in the base, the refusals or the processes. */
const elsewhere = [
	...['do_train', 'do_encode', 'do_eval', 'do_predict', 'config_name', 'tokenizer_name'],
	...['use_lora', 'use_quantization_config', 'negatives_cross_device', 'train_type'],
	...['optim_args', 'neftune_noise_alpha', 'push_to_hub', 'eval_strategy', 'eval_on_start'],
	...['load_best_model_at_end', 'metric_for_best_model'],
];

const said: [words: string[], sentence: RegExp][] = [
	[['--fp16'], /--fp16: the CPU computes in f32/],
	[['--bf16', 'True'], /--bf16: the CPU computes in f32/],
	[['--query_instruction', 'a.\\nQuery: '], /--query_instruction: holds a literal \\n, two/],
	[['--fix_position_embedding'], /followed here; open-retrievals reads it and does nothing/],
	[['--unfold_each_positive'], /followed here; in open-retrievals it has no effect/],
	[['--lr_scheduler_type', 'constant', '--warmup_steps', '9'], /its warm-up never takes effect/],
	[
		['--max_steps', '7', '--warmup_steps', '9'],
		/--warmup_steps 9: the run has 7 steps, so the rate only rises/,
	],
	[['--report_to', 'wandb'], /report_to wandb: nothing is sent; event files are written/],
	[['--negatives_cross_device'], /without effect, the command starts one process/],
	[['--temperature', '1'], /above 0.5/],
	[['--document_max_length', '512'], /512 tokens, the model has positions for 130, which is used/],
	[
		['--data_name_or_path', pairs, '--use_inbatch_negative', 'false'],
		/without effect, as the data have no negatives/,
	],
	[['--loss_fn', 'pearson'], /rows need a label or score/],
	[
		['--output_dir', folder, '--overwrite_output_dir'],
		/not followed, as .* holds other files than a run's; --overwrite empties it/,
	],
	[['--save_strategy', 'no'], /a checkpoint is kept after each epoch all the same/],
	[['--save_steps', '0.1'], /a share of the steps/],
	[['--logging_dir', 'logs'], /--logging_dir: without effect beside the other options/],
	[
		['--loss_fn', 'simcse', '--use_inbatch_negative', 'false'],
		/--use_inbatch_negative: without effect beside the other options/,
	],
];

const refusals: [words: string[], sentence: RegExp][] = [
	[['--fp16', '--bf16'], /bf16 is asked for too; one of them is to be False/],
	[['--train_sampling_strategy', 'sorted'], /the strategies here are random, sequential/],
	[['--do_train', 'false'], /trains only with --do_train/],
	[['--use_lora', 'True'], /--use_lora: .*adapters are not trained here/],
	[['--use_quantization_config'], /bases of 4 bits/],
	[['--do_encode'], /`inbatch encode`/],
	[['--tokenizer_name', 'other'], /the tokenizer is that of the model folder/],
	[['--config_name', 'other'], /the configuration is that of the model folder/],
	[['--pooling_method', 'weighted'], /the poolings are mean, avg/],
	[['--loss_fn', 'arcface'], /gives it no labels/],
	[['--loss_fn', 'else'], /the losses of that program are infonce/],
	[['--train_type', 'pointwise'], /trains pairwise/],
	[['--optim', 'sgd'], /the optimizers here are adamw_hf/],
	[['--optim_args', 'a=b'], /arguments of single optimizers/],
	[['--neftune_noise_alpha', '5'], /noise on embedding tables/],
	[['--lr_scheduler_type', 'reduce_lr_on_plateau'], /the schedules here are linear/],
	[['--lr_scheduler_kwargs', '{"num_cycles":2}'], /the schedule knows none/],
	[['--lr_scheduler_kwargs', 'x'], /it is written as JSON/],
	[['--evaluation_strategy', 'steps'], /no data to evaluate on/],
	[['--eval_strategy', 'steps'], /no data to evaluate on/],
	[['--eval_on_start'], /no data to evaluate on/],
	[['--do_eval'], /no data to evaluate on/],
	[['--do_predict'], /no data to evaluate on/],
	[['--load_best_model_at_end'], /no data to evaluate on/],
	[['--metric_for_best_model', 'loss'], /no data to evaluate on/],
	[['--push_to_hub'], /nothing is sent to the hub/],
];

describe('open-retrievals', () => {
	test('has its own defaults and those of TrainingArguments', async () => {
		const {ours, says} = await of();
		expect(ours).toEqual(standard);
		expect(says).toBe('');
	});

	test.each(changes)('%s changes %j', async (line, changed) => {
		const {ours} = await of(...line.split(' '));
		const entries = Object.entries({...standard, ...changed}).filter(([, value]) => value !== null);
		expect(ours).toEqual(Object.fromEntries(entries));
	});

	test.each(said)('%j says %s', async (words, sentence) => {
		expect((await of(...words)).says).toMatch(sentence);
	});

	test.each(refusals)('%j is refused with %s', async (words, sentence) => {
		await expect(of(...words)).rejects.toMatchObject({
			code: 'OPTION_CONFLICT',
			message: expect.stringMatching(sentence),
		});
	});

	test('says of each dead flag that it has no effect, and why', async () => {
		const {dead} = await optionsOf('open-retrievals');
		expect(dead.length).toBeGreaterThan(80);
		for (const name of dead) {
			const {ours, says} = await of(`--${name}=1`);
			expect(ours).toEqual(standard);
			expect(says).toMatch(new RegExp(`--${name}: without effect, \\w`));
		}
	});

	test('has no flag that these tests do not know', async () => {
		const {live} = await optionsOf('open-retrievals');
		const words = changes.flatMap(([line]) => line.split(' '));
		const tested = new Set([...words, ...elsewhere.map(name => `--${name}`)]);
		expect(live.filter(name => !tested.has(`--${name}`))).toEqual([]);
	});
});

describe('data sets of the hub', () => {
	test.each([
		['org/name', 'hf://datasets/org/name'],
		['org/name/dev', 'hf://datasets/org/name/dev'],
		['org/name:zh', 'hf://datasets/org/name/zh'],
	])('are named %s in open-retrievals', async (name, source) => {
		const offline = {HF_HUB_OFFLINE: '1', HF_HOME: folder};
		const {ours} = await withVariables(offline, () => of('--data_name_or_path', name));
		expect(ours.data).toEqual([source]);
	});
});

describe('processes of open-retrievals', () => {
	test('that share negatives make one batch', async () => {
		const line = 'torchrun --nproc_per_node 4 -m retrievals.pipelines.embed';
		const {ours, says} = await launched(line, '--negatives_cross_device');
		expect(ours).toEqual({...standard, batchSize: 32});
		expect(says).toContain('4 processes share their negatives: one batch of 32 rows');
	});

	test('that do not are batches of one step, and so are those accumulated', async () => {
		const line = 'torchrun --nproc_per_node 4 -m retrievals.pipelines.embed';
		const apart = {accumulation: 'separate', batchSize: 8};
		expect((await launched(line)).ours).toEqual({...standard, ...apart, accumulate: 4});
		const {ours} = await launched(line, '--gradient_accumulation_steps', '3');
		expect(ours).toEqual({...standard, ...apart, accumulate: 12});
	});

	test.each([
		['python -m retrievals.pipelines.build_hn', /`inbatch mine`/],
		['python -m retrievals.pipelines.rerank', /rerankers are not trained/],
		['python else.py', /--preset open-retrievals stands for its training program/],
	])('of another program, as %s, are refused', async (line, sentence) => {
		await expect(launched(line)).rejects.toThrow(sentence);
	});
});

describe('the losses of open-retrievals', () => {
	test.each([
		['--use_inbatch_negative true', 0.140601],
		['--use_inbatch_negative false', 0.005116],
		['--loss_fn triplet_ranking', 0.140601],
		['--loss_fn simcse', 0.140601],
		['--loss_fn triplet', 0.065271],
	])('have under %s the golden value %d', async (line, value) => {
		const options = await of(...line.split(' '), '--temperature', '0.1');
		expect(await lossOn(options)).toBeCloseTo(value, 5);
	});

	test('without negatives have that of the pairs', async () => {
		const words = ['--use_inbatch_negative', 'false', '--temperature', '0.1'];
		const options = await of('--data_name_or_path', pairs, ...words);
		expect(await lossOn(options, ['query', 'positive'])).toBeCloseTo(0.012858, 5);
	});
});

test('the rate of open-retrievals falls from the first update on', async () => {
	const options = await of('--learning_rate', '3e-5');
	expect([0, 50, 100].map(update => rateAt(options, update, 100))).toEqual([3e-5, 1.5e-5, 0]);
});
