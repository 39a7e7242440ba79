// Every option of RAG-Retrieval's training of embeddings, with what becomes of it.

import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {translated} from './translated.js';

const folder = mkdtempSync(join(tmpdir(), 'inbatch-rag-'));
afterAll(() => rmSync(folder, {recursive: true, force: true}));
const put = (name: string, value: unknown) => {
	const path = join(folder, name);
	writeFileSync(path, typeof value === 'string' ? value : `${JSON.stringify(value)}\n`);
	return path;
};

const triplets = put('triplets.jsonl', {query: 'a', pos: ['b'], neg: ['c', 'd'], id: 7});
const pairs = put('pairs.jsonl', {query: 'a', pos: ['b'], prompt_for_query: 'p'});
const scored = put('scored.jsonl', {query: 'a', pos: ['b', 'c'], scores: [0.8, 0.2]});
const texts = put('texts.jsonl', {query: 'a'});

const of = (data: string, line: string, program: string[] = []) => {
	const words = ['--model_name_or_path', 'M', '--train_dataset', data, '--output_dir', 'out'];
	const rest = line.split(' ').filter(word => word !== '');
	return translated('rag-retrieval', [...program, ...words, '--batch_size', '32', ...rest]);
};

const standard = {
	...{model: 'M', order: 'file', positives: 'each', allowDuplicates: true},
	...{queryPrompt: '', documentPrompt: '', queryMaxLength: 128, documentMaxLength: 512},
	...{epochs: 2, batchSize: 32, learningRate: 5e-5, schedule: 'cosine'},
	...{warmupSteps: 0, scheduleSteps: 2},
	...{optimizer: 'adamw', weightDecay: 0.01, clip: 0, seed: 666, keep: 5, loggingSteps: 10},
	...{output: 'out', modelPlace: 'model', tensorboard: true},
	checkpointName: 'runs/checkpoints/checkpoint_{epoch}',
};
const drawn = {negatives: 15, negativeChoice: 'random', resample: 'once', onShortage: 'tile'};
const kl = ['group=batch', 'studentTemperature=0.02', 'teacherTemperature=0.02'];

describe('the loss goes by the first record', () => {
	test.each([
		[
			'triplets: the own positive and the negatives of all',
			triplets,
			{...drawn, loss: 'infonce', temperature: 0.02, candidates: ['ownHard', 'otherHard']},
		],
		[
			'pairs: the positives of the batch',
			pairs,
			{negatives: 0, loss: 'infonce', temperature: 0.02, candidates: ['inBatchPositives']},
		],
		[
			'scores: one distribution over the batch',
			scored,
			{negatives: 0, loss: 'klonscores', lossOption: kl},
		],
	])('%s', async (_, data, own) => {
		expect((await of(data, '')).ours).toEqual({...standard, data: [data], ...own});
	});
});

test.each([
	['--shuffle', {order: 'shuffle'}],
	['--neg_nums 2', {negatives: 2}],
	['--query_max_len 64 --passage_max_len 100', {queryMaxLength: 64, documentMaxLength: 100}],
	['--epochs 1 --lr 2e-5 --seed 1', {epochs: 1, learningRate: 2e-5, seed: 1, scheduleSteps: 1}],
	['--warmup_proportion 0.6', {warmupSteps: 1}],
	['--temperature 0.05', {temperature: 0.05}],
	['--gradient_accumulation_steps 3', {accumulate: 3, accumulation: 'separate', scheduleSteps: 1}],
	['--num_max_checkpoints 2 --log_interval 1', {keep: 2, loggingSteps: 1}],
	['--mixed_precision no --log_with tensorboard --save_on_epoch_end 1', {dtype: 'f32'}],
	[
		'--use_mrl --mrl_dims 16,32',
		{dense: 32, dimensionsNested: [16, 32], dimensionsReduce: 'mean', normalize: false},
	],
])('%s', async (line, changed) => {
	const whole = {...standard, ...drawn, loss: 'infonce', temperature: 0.02, data: [triplets]};
	const candidates = ['ownHard', 'otherHard'];
	expect((await of(triplets, line)).ours).toEqual({...whole, candidates, ...changed});
});

describe('The schedule is made for whole accumulations over all epochs, though more updates are made', () => {
	// As t2rank_100: 505 positives of 100 records.
	const record = (n: number) => ({
		...{query: `q${n}`, neg: [`n${n}`]},
		pos: Array.from({length: n < 5 ? 6 : 5}, (_, k) => `p${n} ${k}`),
	});
	const records = Array.from({length: 100}, (_, n) => `${JSON.stringify(record(n))}\n`);
	const ranking = put('ranking.jsonl', records.join(''));
	const line = '--gradient_accumulation_steps 3 --warmup_proportion 0.1';
	const launched = (processes: number) =>
		`accelerate launch --num_processes ${processes} train_embedding.py`.split(' ');

	test.each([
		[1, {warmupSteps: 1, scheduleSteps: 10, accumulate: 3}],
		[2, {warmupSteps: 1, scheduleSteps: 5, accumulate: 6}],
	])('by %i processes', async (processes, own) => {
		expect((await of(ranking, line, launched(processes))).ours).toMatchObject(own);
	});

	test('unless an option of ours makes other rows', async () => {
		const {ours} = await of(ranking, `${line} --max-rows 10`);
		expect(ours).toMatchObject({warmupRatio: 0.1});
		expect(ours).not.toHaveProperty('scheduleSteps');
	});
});

test('Distillation is of texts alone, into a new projection', async () => {
	const line = '--train_type distill --train_dataset_vec v.mmap --use_mrl --mrl_dims 4,8';
	for (const name of ['teatch_emebedding_dim', 'teacher_emebedding_dim', 'teacher_embedding_dim']) {
		const {ours, says} = await of(texts, `${line} --${name} 8`);
		expect(ours).toMatchObject({
			...{loss: 'distillvectors', lossOption: ['widths=4,8'], dense: 8, normalize: false},
			...{teacherVectors: 'v.mmap', teacherWidth: 8, order: 'file'},
		});
		expect(ours).not.toHaveProperty('documentMaxLength');
		expect(ours).not.toHaveProperty('positives');
		expect(says).toContain('train_type distill: the saved model has no unit length');
	}
});

test('Processes do not share negatives: each is a batch of an update', async () => {
	const program = ['accelerate', 'launch', '--num_processes', '2', 'train_embedding.py'];
	const {ours, says} = await of(triplets, '--gradient_accumulation_steps 3', program);
	expect(ours).toMatchObject({batchSize: 32, accumulate: 6, accumulation: 'separate'});
	expect(says).toContain('2 processes: as many batches an update, which do not share');
});

test('DeepSpeed clips gradients as accelerate has it', async () => {
	const deepspeed = 'distributed_type: DEEPSPEED\nnum_processes: 2\n';
	const config = put('zero2.yaml', `${deepspeed}deepspeed_config:\n gradient_clipping: "auto"\n`);
	const program = ['accelerate', 'launch', '--config_file', config, 'train_embedding.py'];
	expect((await of(triplets, '', program)).ours).toMatchObject({clip: 1, accumulate: 2});
});

test('A file of settings comes before the command line, which wins; what nothing reads is said', async () => {
	const config = put('settings.yaml', `lr: 2e-5\nepochs: 4\nteecher: 1\nmrl_dims: "16, 32"\n`);
	const {ours, says} = await of(triplets, `--config ${config} --epochs 1`);
	expect(ours).toMatchObject({learningRate: 2e-5, epochs: 1});
	expect(says).toContain('nothing reads teecher');
});

describe('the model', () => {
	test('of transformers alone gets mean pooling, another keeps its own', async () => {
		const plain = join(folder, 'plain');
		mkdirSync(plain);
		const found = await of(pairs, `--model_name_or_path ${plain}`);
		expect(found.ours).toMatchObject({pooling: 'mean'});
		expect(found.says).toContain('says no pooling, so mean is used');
		writeFileSync(join(plain, 'modules.json'), '[]');
		expect((await of(pairs, `--model_name_or_path ${plain}`)).ours).not.toHaveProperty('pooling');
		expect((await translated('rag-retrieval', ['--batch_size', '2'])).ours).toMatchObject({
			...{model: 'hfl/chinese-roberta-wwm-ext', pooling: 'mean'},
		});
	});

	test('that ends in a Dense keeps it, and larger sizes are left out', async () => {
		const path = join(folder, 'dense');
		mkdirSync(join(path, '2_Dense'), {recursive: true});
		const types = ['Transformer', 'Pooling', 'Dense', 'Normalize'];
		const modules = types.map((type, idx) => ({
			...{idx, name: `${idx}`, path: idx === 0 ? '' : `${idx}_${type}`},
			type: `sentence_transformers.models.${type}`,
		}));
		writeFileSync(join(path, 'modules.json'), JSON.stringify(modules));
		writeFileSync(join(path, '2_Dense', 'config.json'), '{"out_features": 16}');
		const {ours, says} = await of(
			pairs,
			`--model_name_or_path ${path} --use_mrl --mrl_dims 8,16,32`,
		);
		expect(ours).toMatchObject({dimensionsNested: [8, 16], normalize: false});
		expect(ours).not.toHaveProperty('dense');
		expect(says).toContain('those above 16');
	});
});

test.each([
	['--log_with wandb', 'nothing is sent'],
	['--save_on_epoch_end 0', 'all the same'],
	['--use_mrl', 'the saved model has no unit length'],
	['--train_dataset_vec v.mmap', '--train_dataset_vec: without effect beside the other options'],
	['--mrl_dims 16', '--mrl_dims: without effect beside the other options'],
	['--neg_nums 15', 'the first record has 2 negatives, which are repeated'],
	['--mixed_precision fp16', 'the CPU computes in f32'],
])('Of %s it is said: %s', async (line, sentence) => {
	expect((await of(triplets, line)).says).toContain(sentence);
});

test.each([
	['--train_type rank', 'OPTION_CONFLICT'],
	['--train_type distill', 'OPTION_CONFLICT'],
	['--mrl_dims 16,x', 'OPTION_CONFLICT'],
	['--val_dataset x', 'OPTION_UNKNOWN'],
])('%s is refused', async (line, code) => {
	await expect(of(triplets, line)).rejects.toMatchObject({code});
});

test('A command without batch_size is refused, as it has no default', async () => {
	const words = ['--train_dataset', triplets, '--output_dir', 'out'];
	await expect(translated('rag-retrieval', words)).rejects.toThrow(/batch_size: .*no default/);
});
