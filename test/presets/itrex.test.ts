// Every option of Intel's embedding_finetune, with what becomes of it.

import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {translated} from './translated.js';

const folder = mkdtempSync(join(tmpdir(), 'inbatch-itrex-'));
afterAll(() => rmSync(folder, {recursive: true, force: true}));
const data = join(folder, 'data.jsonl');
writeFileSync(data, `${JSON.stringify({query: 'a', pos: ['b'], neg: ['c', 'd']})}\n`);

const base = ['--model_name_or_path', 'M', '--train_data', data, '--output_dir', 'tuned'];
const of = (line: string) =>
	translated('itrex', [...base, ...line.split(' ').filter(word => word !== '')]);
const standard = {
	...{model: 'M', pooling: 'cls', normalize: true, data: [data], output: 'tuned'},
	...{positives: 'random', resample: 'epoch', allowDuplicates: true},
	...{negatives: 7, negativeChoice: 'random', onShortage: 'tile'},
	...{queryMaxLength: 32, documentMaxLength: 128, queryPrompt: '', documentPrompt: ''},
	...{loss: 'infonce', temperature: 0.02, candidates: ['inBatchPositives', 'ownHard', 'otherHard']},
	...{batchSize: 8, epochs: 3, learningRate: 5e-5, weightDecay: 0, clip: 1, seed: 42},
	...{beta1: 0.9, beta2: 0.999, epsilon: 1e-8, optimizer: 'adamw', schedule: 'linear'},
	...{warmupRatio: 0, saveSteps: 500, keep: 'all', loggingSteps: 500},
	...{checkpointName: 'checkpoint-{step}', dtype: 'f32'},
};

test('Without options the defaults are those of the program and of transformers', async () => {
	expect((await of('')).ours).toEqual(standard);
});

test.each([
	['--sentence_pooling_method mean', {pooling: 'mean'}],
	['--normalized False', {normalize: false, similarity: 'dot', temperature: 1}],
	['--temperature 0.05', {temperature: 0.05}],
	['--use_inbatch_neg False', {candidates: ['ownHard']}],
	['--train_group_size 2', {negatives: 1}],
	['--train_group_size 1', {negatives: 0, negativeChoice: undefined, onShortage: undefined}],
	['--query_max_len 64 --passage_max_len 256', {queryMaxLength: 64, documentMaxLength: 256}],
	['--query_instruction_for_retrieval q:', {queryPrompt: 'q:'}],
	['--passage_instruction_for_retrieval p:', {documentPrompt: 'p:'}],
	['--fix_position_embedding', {freeze: ['positions']}],
	['--cache_dir c', {cache: 'c'}],
	['--overwrite_output_dir', {overwrite: true}],
	['--gradient_accumulation_steps 4', {accumulate: 4, accumulation: 'separate'}],
	[
		'--use_inbatch_neg False --gradient_accumulation_steps 4',
		{candidates: ['ownHard'], accumulate: 4, accumulation: 'separate'},
	],
	['--dataloader_drop_last True', {dropLast: true}],
	['--bf16 True', {dtype: undefined}],
	['--do_train', {}],
	['--no_cuda', {device: 'cpu'}],
])('%s', async (line, changed) => {
	const wanted = Object.entries({...standard, ...changed}).filter(
		([, value]) => value !== undefined,
	);
	expect((await of(line)).ours).toEqual(Object.fromEntries(wanted));
});

test('Files of a folder are limited each for itself, and one file alone is not', async () => {
	const files = join(folder, 'files');
	mkdirSync(files);
	for (const name of ['b.jsonl', 'a b.jsonl']) writeFileSync(join(files, name), '{}');
	const {ours} = await of(`--max_example_num_per_dataset 5 --train_data ${files}`);
	expect(ours).toMatchObject({
		data: [`a_b.jsonl=${join(files, 'a b.jsonl')}`, `b.jsonl=${join(files, 'b.jsonl')}`],
		...{maxRows: 5, maxRowsChoice: 'random'},
	});
	expect((await of(`--train_data ${files}`)).ours.data).toEqual([files]);
	const alone = await of('--max_example_num_per_dataset 5');
	expect(alone.ours).toEqual(standard);
	expect(alone.says).toContain('--max_example_num_per_dataset: without effect');
});

test('Negatives that cross devices make one batch of all processes', async () => {
	const words = ['torchrun', '--nproc_per_node', '4', 'finetune.py', ...base];
	const crossed = await translated('itrex', [...words, '--negatives_cross_device']);
	expect(crossed.ours).toMatchObject({batchSize: 32});
	expect(crossed.ours).not.toHaveProperty('accumulate');
	expect(crossed.says).toContain('4 processes share their negatives: one batch of 32 rows');
	const apart = await translated('itrex', words);
	expect(apart.ours).toMatchObject({batchSize: 8, accumulate: 4, accumulation: 'separate'});
});

test.each([
	['--per_device_train_batch_size 1', 'a query meets its own negatives only'],
	['--train_group_size 8', 'the first record has 2 negatives, which are repeated'],
	['--negatives_cross_device', 'without effect, the command starts one process'],
	['--temperature 1', 'for cosines 0.01 to 0.1 is usual'],
	['--normalized False --temperature 0.02', 'without effect, as --normalized false makes it 1'],
	['--query_instruction_for_retrieval q\\n', 'holds a literal \\n'],
	['--bf16 True', 'the CPU computes in f32'],
	['--do_train', 'the program trains in any case'],
])('Of %s it is said: %s', async (line, sentence) => {
	expect((await of(line)).says).toContain(sentence);
});

describe('refused', () => {
	test.each([
		['--sentence_pooling_method last', 'OPTION_CONFLICT'],
		['--config_name c', 'OPTION_CONFLICT'],
		['--tokenizer_name t', 'OPTION_CONFLICT'],
		['--do_eval', 'OPTION_CONFLICT'],
		['--trian_data x', 'OPTION_UNKNOWN'],
	])('%s', async (line, code) => {
		await expect(of(line)).rejects.toMatchObject({code});
	});

	test.each(['mine_hard_neg.py', 'evaluate.py'])('the program %s', async program => {
		const words = ['python', program, ...base];
		await expect(translated('itrex', words)).rejects.toMatchObject({code: 'OPTION_CONFLICT'});
	});
});
