// Every option of LLM-Embedder's run_dense.py, with what becomes of it.

import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {translated} from './translated.js';

const folder = mkdtempSync(join(tmpdir(), 'inbatch-llm-'));
afterAll(() => rmSync(folder, {recursive: true, force: true}));
const put = (place: string, record: object) => {
	const path = join(folder, place);
	mkdirSync(join(path, '..'), {recursive: true});
	writeFileSync(path, `${JSON.stringify(record)}\n`);
	return path;
};

const teacher_scores = [0.5, -1, 2];
const qa = put('qa/nq/train.json', {
	...{query: 'a', pos: ['b'], neg: ['c', 'd'], teacher_scores, task: 'qa'},
});
const tool = put('tool/toolbench/train.json', {
	...{query: 'a', pos: ['b'], neg: ['c', 'd'], task: 'tool'},
});
put('chat/msc/train.json', {query: 'a', history: ['b', 'c', 'd'], teacher_scores, task: 'chat'});
put('lrlm/arxiv/train.json', {
	query: 'a',
	pos: [],
	neg: ['b', 'c', 'd'],
	teacher_scores,
	task: 'lrlm',
});
put('icl/icl/train.json', {query: 'a', pos: ['b'], neg: ['c', 'd'], teacher_scores, task: 'icl'});

const of = (data: string, line: string, program: string[] = []) => {
	const rest = line.split(' ').filter(word => word !== '');
	const words = ['--query_encoder', 'M', '--train_data', ...data.split(' '), '--data_root', folder];
	return translated('llm-embedder', [...program, ...words, '--output_dir', 'out', ...rest]);
};

const standard = {
	...{model: 'M', pooling: 'cls', normalize: true, queryMaxLength: 256, documentMaxLength: 256},
	...{truncationSide: 'right', positives: 'first', negatives: 7, negativeChoice: 'random'},
	...{resample: 'once', onShortage: 'tileOrDrop', allowDuplicates: true},
	...{prompts: 'llm-embedder', promptVersion: 'bge', batchSize: 16, epochs: 3},
	...{learningRate: 5e-6, weightDecay: 0.01, clip: 1, seed: 42, warmupRatio: 0.1},
	...{beta1: 0.9, beta2: 0.999, epsilon: 1e-8, optimizer: 'adamw', schedule: 'linear'},
	...{saveSteps: 2000, keep: 'all', loggingSteps: 100, output: 'out', modelPlace: 'encoder'},
	checkpointName: 'checkpoint-{step}/encoder',
};
const contrastive = {loss: 'infonce', temperature: 0.01};
const taught = (...lossOption: string[]) => ({loss: 'distill', temperature: 0.01, lossOption});
const plain = (temperature = 1, contrastiveWeight = 0.2) =>
	taught(
		...['method=kl', `teacherTemperature=${temperature}`, 'studentTemperature=1'],
		...['distillWeight=1', `contrastiveWeight=${contrastiveWeight}`],
	);

test('Without scores of a teacher the contrastive loss stands alone, unscaled', async () => {
	expect((await of(tool, '')).ours).toEqual({...standard, data: [tool], ...contrastive});
});

test('With scores both losses have their weights', async () => {
	expect((await of(qa, '')).ours).toEqual({...standard, data: [qa], ...plain()});
});

test.each([
	['--contrastive_weight 0', plain(1, 0)],
	['--contrastive_weight 0 --teacher_temperature 0.1', plain(0.1, 0)],
	[
		'--contrastive_weight 0 --stable_distill',
		taught('method=stable', 'distillWeight=1', 'contrastiveWeight=0'),
	],
	['--distill_weight 0', {...contrastive, lossOption: undefined}],
	['--cos_temperature 0.05', {temperature: 0.05}],
	['--dense_metric ip', {normalize: false, similarity: 'dot', temperature: 1}],
	['--dense_metric l2', {normalize: false, similarity: 'dot', temperature: 1}],
	['--bf16 --fp16 False', {}],
	['--pooling_method mean', {pooling: 'mean'}],
	['--pooling_method cls dense', {densePooler: true}],
	['--tie_encoders False --key_encoder M', {towers: 'separate'}],
	['--tie_encoders False --key_encoder K', {towers: 'separate', documentModel: 'K'}],
	['--key_max_length 128 --query_max_length 32', {documentMaxLength: 128, queryMaxLength: 32}],
	['--truncation_side left', {truncationSide: 'left'}],
	['--version e5', {promptVersion: 'e5'}],
	[
		'--add_instruction False',
		{prompts: undefined, promptVersion: undefined, queryPrompt: '', documentPrompt: ''},
	],
	['--train_group_size 4', {negatives: 3}],
	['--select_positive random', {positives: 'random'}],
	['--select_positive teacher', {positives: 'teacher'}],
	['--select_positive teacher-pos', {positives: 'teacherPositive'}],
	['--select_negative first', {negativeChoice: 'first'}],
	['--select_negative teacher+', {negativeChoice: 'teacherTop'}],
	['--select_negative teacher-', {negativeChoice: 'teacherBottom'}],
	['--max_sample_num 9', {maxRows: 9, maxRowsChoice: 'last'}],
	['--teacher_scores_margin 0.1 --teacher_scores_min -1', {teacherMargin: 0.1, teacherMin: -1}],
	[
		'--inbatch_same_dataset epoch-static',
		{mixing: 'homogeneous', homogeneous: 'epoch-static', dropLast: true},
	],
	['--max_steps 20', {epochs: undefined, steps: 20}],
	['--max_steps 20 --early_exit_steps 5', {epochs: undefined, steps: 5, scheduleSteps: 20}],
	['--early_exit_steps 5', {maxSteps: 5}],
	[
		'--max_steps 20 --early_exit_steps 5 --warmup_steps 30',
		{...{epochs: undefined, steps: 5, scheduleSteps: 31}, warmupRatio: undefined, warmupSteps: 30},
	],
	['--gradient_checkpointing', {recompute: 'blocks'}],
	['--model_cache_dir c --cpu', {cache: 'c', device: 'cpu'}],
	['--deepspeed stage0.json --dtype fp16 --hits 10 --k1 1', {}],
	[
		'--eval_data llm-embedder:e.json --corpus c.json',
		{eval: [`eval=${join(folder, 'e.json')}`], evalCorpus: 'c.json', evalSteps: 2000},
	],
	[
		'--eval_data e.json --corpus c.json --key_template {text} --save_steps 5',
		{
			...{eval: ['eval=e.json'], evalCorpus: 'c.json', evalTemplate: '{text}'},
			saveSteps: 5,
			evalSteps: 5,
		},
	],
	[
		'--eval_data e.json --corpus c.json --eval_steps 3 --load_best_model_at_end --metric_for_best_model eval_mrr@10',
		{
			...{eval: ['eval=e.json'], evalCorpus: 'c.json', evalSteps: 3},
			saveBest: true,
			metric: 'eval/mrr@10',
		},
	],
	['--eval_data e.json --corpus c.json --evaluation_strategy no', {}],
])('%s', async (line, changed) => {
	const wanted = {...standard, data: [qa], ...plain(), ...changed};
	const given = Object.entries(wanted).filter(([, value]) => value !== undefined);
	expect((await of(qa, line)).ours).toEqual(Object.fromEntries(given));
});

test('A path below the data root is resolved, and files are sets by their folders', async () => {
	const {ours} = await of('llm-embedder:tool/toolbench/train.json', '');
	expect(ours.data).toEqual([tool]);
	const twice = await of(`llm-embedder:qa/nq/train.json ${tool} ${tool}`, '--stable_distill');
	expect(twice.ours.data).toEqual([`nq=${qa}`, `toolbench=${tool}`, `toolbench_1=${tool}`]);
});

test('Negatives of all processes make one batch', async () => {
	const program = ['torchrun', '--nproc_per_node=8', 'run_dense.py'];
	const {ours, says} = await of(tool, '--per_device_train_batch_size 100', program);
	expect(ours).toMatchObject({batchSize: 800});
	expect(says).toContain('8 processes share their negatives: one batch of 800 rows');
	const apart = await of(tool, '--negative_cross_device False', program);
	expect(apart.ours).toMatchObject({batchSize: 16, accumulate: 8, accumulation: 'separate'});
});

describe('the settings of a task', () => {
	test.each([
		[
			'qa/nq',
			{positives: 'first', ...taught('method=stable', 'distillWeight=1', 'contrastiveWeight=0')},
		],
		[
			'icl/icl',
			{positives: 'random', ...taught('method=stable', 'distillWeight=1', 'contrastiveWeight=0')},
		],
		['tool/toolbench', {positives: 'first', ...contrastive}],
		['chat/msc', {positives: 'teacher', ...plain(0.1, 0)}],
		[
			'lrlm/arxiv',
			{
				...{positives: 'teacher', ...plain(0.1, 0), maxRows: 10_000, maxRowsChoice: 'last'},
				teacherMargin: 0.1,
			},
		],
	])('%s', async (place, own) => {
		const {ours} = await of(
			`llm-embedder:${place}/train.json`,
			'--use_train_config --version llm-embedder',
		);
		expect(ours).toMatchObject(own);
	});
});

test.each([
	['--corpus c.json', '--corpus: without effect beside the other options'],
	['--eval_data e.json --corpus c.json --metrics nq', '--metrics: an evaluation has mrr, recall'],
	[
		'--eval_data e.json --corpus c.json --cutoffs 3 7',
		'--cutoffs: metrics are those at 1, 3, 5, 10, 100, not 7',
	],
	['--key_encoder K', 'tie_encoders makes the query encoder that of keys too'],
	['--stable_distill --contrastive_weight 0 --teacher_temperature 0.1', 'stable_distill has none'],
	['', 'fp16: the CPU computes in f32'],
	['--dense_metric l2', 'trains by inner products, as there'],
	['--dataset_cache_dir c', '--dataset_cache_dir: without effect beside the other options'],
	['--do_train', '--do_train: without effect, the program trains in any case'],
])('Of %j it is said: %s', async (line, sentence) => {
	expect((await of(qa, line)).says).toContain(sentence);
});

test('A choice by scores that are not there is said', async () => {
	const {ours, says} = await of(tool, '--select_positive teacher');
	expect(ours.positives).toBe('first');
	expect(says).toContain('the first record has no teacher_scores');
	const negatives = await of(tool, '--select_negative teacher+');
	expect(negatives.ours.negativeChoice).toBe('random');
	expect(negatives.says).toContain(
		'select_negative teacher+: the first record has no teacher_scores',
	);
});

test.each([
	['--pooling_method decoder', /the decoder of T5, whose encoder alone is trained here/],
	['--pooling_method max', /cls and mean/],
	['--dense_metric l1', /cos, ip, l2/],
	['--select_positive last', /first, random, teacher, teacher-pos/],
	['--bf16', /bf16 is asked for too/],
	['--version gte', /the versions are/],
	['--eval_data e.json', /eval_data is searched for in it/],
	['--eval_data e.json --corpus c.json --eval_method rerank', /not ranked in training/],
	['--metrics collate_neg', /`inbatch mine` finds negatives/],
	['--evaluation_strategy epoch', /the strategies are no and steps/],
	['--inbatch_same_dataset yes', /the ways are/],
	['--contrastive_weight 0 --distill_weight 0', /got neither/],
])('%s is refused', async (line, sentence) => {
	await expect(of(qa, line)).rejects.toMatchObject({
		...{code: 'OPTION_CONFLICT', message: expect.stringMatching(sentence)},
	});
});

test('Stable distillation without scores is refused', async () => {
	await expect(of(tool, '--stable_distill')).rejects.toThrow(/it needs teacher_scores/);
});
