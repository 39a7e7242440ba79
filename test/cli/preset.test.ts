// Documented commands of other systems behind `train --preset`, as they are written but for names of
// models and files, to their documented outputs.

import {createHash} from 'node:crypto';
import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {describe, expect, test} from 'vitest';
import {bert, type Ended, inbatch} from './command-line.js';
import {documented, lines, numbers, runs, seed, seeds, shownIn, wordsOf} from './documented.js';

const {at, put, metricsOf} = runs();

const run = (preset: string, command: string, ...own: string[]): Promise<Ended> =>
	documented(preset, command, own);

const hashOf = (...names: string[]) =>
	createHash('sha256')
		.update(readFileSync(at(...names)))
		.digest('hex');

describe('the documented command of nemo-sbert', () => {
	const row = (n: number, negatives = 6) => ({
		query: `Query ${n}`,
		pos_doc: `Positive ${n}`,
		neg_doc: Array.from({length: negatives}, (_, k) => `Negative_${k + 1} of ${n}`),
	});
	const train = put('train.json', JSON.stringify(numbers.concat(10, 11).map(n => row(n))));
	const validation = put('validation.json', JSON.stringify(numbers.map(n => row(n + 50))));
	const short = put('short.json', lines([row(0), row(1, 3), row(2)]));
	const command = (name: string, data = train) => `
		python NeMo/examples/nlp/information_retrieval/megatron_bert_embedding_finetuning.py \\
		--config-path=/NeMo/examples/nlp/information_retrieval/conf/ \\
		--config-name=megatron_bert_embedding_config \\
		restore_from_path=${bert} \\
		trainer.devices=1 \\
		trainer.max_steps=10000 \\
		trainer.val_check_interval=100 \\
		trainer.max_epochs=1 \\
		+trainer.num_sanity_val_steps=0 \\
		model.mcore_bert=True \\
		model.post_process=False \\
		model.global_batch_size=8 \\
		model.micro_batch_size=8 \\
		model.optim.lr=0.000005 \\
		model.optim.sched.min_lr=0.00000001 \\
		model.optim.sched.warmup_steps=100 \\
		model.encoder_seq_length=512 \\
		model.tokenizer.library="huggingface" \\
		model.tokenizer.type="intfloat/e5-large-unsupervised" \\
		model.data.data_train=${data} \\
		model.data.data_validation=${validation} \\
		model.data.hard_negatives_to_train=4 \\
		exp_manager.explicit_log_dir=${at(name)} \\
		exp_manager.create_wandb_logger=True \\
		exp_manager.resume_if_exists=True \\
		exp_manager.wandb_logger_kwargs.name=run \\
		exp_manager.wandb_logger_kwargs.project=project`;

	test('trains, ends with its epoch and leaves what NeMo documents', async () => {
		const ended = await run('nemo-sbert', command('sbert'), 'trainer.log_every_n_steps=1');
		expect(ended.code).toBe(0);
		expect(ended.stderr).toContain('cut to 9899, so the rate is at its least, 1e-8, from step 101');
		expect(ended.stderr).toContain('`wandb sync` reads tensorboard/');
		expect(ended.stderr).toContain('4 rows left out: their batches were not full');
		const [before, step, after] = metricsOf('sbert');
		expect(before).toMatchObject({step: 0, evaluation: {val: {loss: expect.any(Number)}}});
		// Eight positives of the batch and four negatives of one's own.
		expect(step).toMatchObject({step: 1, rows: 8, candidates: 12, learningRate: 0});
		expect(after).toMatchObject({step: 1, evaluation: {val: {loss: expect.any(Number)}}});
		expect(readdirSync(at('sbert', 'checkpoints')).sort()).toEqual([
			expect.stringMatching(
				/^megatron_bert--val_loss=\d\.\d\d-step=1-consumed_samples=8\.0\.ckpt$/,
			),
			'step-1',
		]);
		expect(readdirSync(at('sbert', '1_Pooling'))).toEqual(['config.json']);
		expect(existsSync(at('sbert', 'tensorboard'))).toBe(true);
	});

	test('started again goes on, and is done when it was', async () => {
		const {code, stderr} = await run('nemo-sbert', command('sbert'), 'trainer.log_every_n_steps=1');
		expect(code).toBe(0);
		expect(stderr).toContain('goes on from step 1 of 1');
	});

	test('names the line of a record with too few negatives', async () => {
		const {code, stderr} = await run('nemo-sbert', command('few', short));
		expect(code).toBe(1);
		expect(stderr).toContain('short.json:2');
		expect(stderr).toContain('expected 4 negatives, got 3');
		expect(existsSync(at('few'))).toBe(false);
	});
});

describe('the documented command of open-retrievals', () => {
	const data = put(
		't2_ranking.jsonl',
		lines(
			numbers.flatMap(n =>
				['a', 'b', 'c', 'd'].map(letter => ({
					query: `query ${letter} ${n}`,
					positive: [`positive ${letter} ${n}`, `another ${letter} ${n}`],
					negative: [`negative ${letter} ${n}`, `worse ${letter} ${n}`],
				})),
			),
		),
	);
	const command = (name: string) => `
		torchrun --nproc_per_node 1 \\
		-m retrievals.pipelines.embed \\
		--output_dir ${at(name)} \\
		--overwrite_output_dir \\
		--model_name_or_path ${bert} \\
		--do_train \\
		--data_name_or_path ${data} \\
		--positive_key positive \\
		--negative_key negative \\
		--learning_rate 3e-5 \\
		--fp16 \\
		--num_train_epochs 5 \\
		--per_device_train_batch_size 32 \\
		--dataloader_drop_last True \\
		--query_max_length 64 \\
		--document_max_length 512 \\
		--train_group_size 4 \\
		--logging_steps 100 \\
		--temperature 0.02 \\
		--use_inbatch_negative false`;

	test('trains, and its translation gives the same bits', async () => {
		const ended = await run('open-retrievals', command('t2'), '--threads', '1', '--json');
		expect(ended.code).toBe(0);
		expect(ended.stderr).toContain('--fp16: the CPU computes in f32');
		expect(JSON.parse(ended.stdout)).toMatchObject({steps: 5, rows: 160, output: at('t2')});
		// The own positive and three negatives of one's own, two of them repeated.
		expect(metricsOf('t2').at(-1)).toMatchObject({step: 5, rows: 32, candidates: 4});
		expect(existsSync(at('t2', 'checkpoint-5', 'model.safetensors'))).toBe(true);
		const pooling = JSON.parse(readFileSync(at('t2', '1_Pooling', 'config.json'), 'utf8'));
		expect(pooling).toMatchObject({pooling_mode_cls_token: true});

		const model = hashOf('t2', 'model.safetensors');
		const again = await inbatch([...wordsOf(shownIn(ended)), '--quiet']);
		expect(again.code).toBe(0);
		expect(hashOf('t2', 'model.safetensors')).toBe(model);
	});

	test('keeps a literal backslash and n of a prompt and says so', async () => {
		const words = ['--query_instruction', 'Retrieve the answer.\\nQuery: ', '--max_steps', '1'];
		const ended = await run('open-retrievals', command('prompted'), ...words);
		expect(ended.code).toBe(0);
		expect(ended.stderr).toContain('holds a literal \\n, two characters that the model reads');
		expect(shownIn(ended)).toContain(`--query-prompt 'Retrieve the answer.\\nQuery: '`);
	});
});

const ranking = seed('rag-retrieval', 't2rank_100.jsonl');

test.skipIf(seeds === undefined)(
	'the command of open-retrievals trains on a hundred records of T2Ranking (INBATCH_SHARED)',
	async () => {
		const command = `torchrun --nproc_per_node 1 -m retrievals.pipelines.embed
			--output_dir ${at('ranking')} --overwrite_output_dir --model_name_or_path ${bert} --do_train
			--data_name_or_path ${ranking} --positive_key pos --negative_key neg --learning_rate 3e-5
			--fp16 --num_train_epochs 1 --per_device_train_batch_size 32 --dataloader_drop_last True
			--query_max_length 64 --document_max_length 512 --train_group_size 4 --logging_steps 100
			--temperature 0.02 --use_inbatch_negative false`;
		const {code, stdout} = await run('open-retrievals', command, '--json');
		expect(code).toBe(0);
		expect(JSON.parse(stdout)).toMatchObject({steps: 3, rows: 96});
	},
);

describe('a preset', () => {
	const base = ['--do_train', '--model_name_or_path', bert, '--data_name_or_path', 'none.jsonl'];
	const train = (...words: string[]) =>
		inbatch(['train', '--preset', 'open-retrievals', ...base, ...words]);

	test('shows its options by where they come from', async () => {
		const {code, stdout} = await train('--learning_rate', '3e-5', '--print-config', '--json');
		expect(code).toBe(0);
		expect(JSON.parse(stdout)).toMatchObject({
			'learning-rate': {value: 3e-5, origin: 'preset open-retrievals: --learning_rate'},
			'batch-size': {value: 8, origin: 'preset open-retrievals'},
			threads: {value: null, origin: 'default'},
		});
	});

	test('leaves to options of ours what its defaults say', async () => {
		const words = ['--batch-size', '4', '--steps', '3', '--warmup-steps=1', '--print-config'];
		const {stdout} = await train(...words);
		expect(stdout).toContain('batch-size: 4 # command line');
		expect(stdout).toContain('steps: 3 # command line');
		expect(stdout).toContain('epochs: null # default');
		expect(stdout).toContain('warmup-ratio: null # default');
	});

	test('leaves to options of ours what it fixes, whatever else is given', async () => {
		const words = ['--train_group_size', '4', '--no-duplicates', '--on-shortage', 'drop'];
		const {code, stdout} = await train(...words, '--normalize', '--print-config');
		expect(code).toBe(0);
		expect(stdout).toContain('allow-duplicates: false # command line');
		expect(stdout).toContain('on-shortage: "drop" # command line');
		expect(stdout).toContain('normalize: true # command line');
	});

	test.each([
		[['--per_device_train_batch_size', '8', '--batch-size', '4']],
		[['--num_train_epochs', '8', '--steps', '4']],
	])('refuses what %j say twice', async words => {
		const {code, stderr} = await train(...words);
		expect(code).toBe(2);
		expect(stderr).toMatch(/error OPTION_CONFLICT: --.*: expected this or --\w+, got both/);
	});

	test('has its own options before it too', async () => {
		const words = ['train', '--threads', '1', '--preset=open-retrievals', ...base];
		const {stdout} = await inbatch([...words, '--print-config']);
		expect(stdout).toContain('threads: 1 # command line');
		expect(stdout).toContain('pooling: "cls" # preset open-retrievals');
	});

	test('comes after the environment, and says what it leaves unused', async () => {
		const {stdout, stderr} = await inbatch(
			['train', '--preset', 'open-retrievals', ...base, '--print-config'],
			{env: {INBATCH_BATCH_SIZE: '4', INBATCH_THREADS: '1'}},
		);
		expect(stdout).toContain('batch-size: 8 # preset open-retrievals');
		expect(stdout).toContain('threads: 1 # environment INBATCH_THREADS');
		expect(stderr).toContain('INBATCH_BATCH_SIZE: not used, the preset open-retrievals comes');
	});

	test.each([
		['open-retrievals', /--train_group_size 2: --negatives\n/],
		['open-retrievals', /--no_cuda false: --device\n/],
		['open-retrievals', /--push_to_hub false: refused at other values\n/],
		['llm-embedder', /--version bge\n/],
		['nemo-sbert', /trainer.gradient_clip_val=1: --clip/],
	])('shows the options of %s on --help', async (name, line) => {
		const {code, stdout, stderr} = await inbatch(['train', '--preset', name, '--help']);
		expect({code, stderr}).toEqual({code: 0, stderr: ''});
		expect(stdout).toMatch(line);
		expect(stdout).toContain('Without effect:');
	});

	test('tells what its run would take', async () => {
		const data = put('planned.jsonl', lines([{query: 'a', positive: 'b', negative: 'c'}]));
		const words = [...base, '--data_name_or_path', data, '--learning_rate', '1e-4', '--json'];
		const {code, stdout, stderr} = await inbatch(['plan', '--preset', 'open-retrievals', ...words]);
		expect({code, stderr}).toMatchObject({code: 0});
		expect(stderr).toMatch(/^inbatch plan .*--learning-rate 0.0001/m);
		expect(JSON.parse(stdout)).toMatchObject({steps: 3, rows: 3});
	});

	test('is silent under --quiet', async () => {
		const {stderr} = await train('--quiet', '--print-config', '--fp16');
		expect(stderr).toBe('');
	});

	test.each([
		[['--preset', 'open-retrieval'], /OPTION_RANGE: --preset: .*did you mean open-retrievals\?/],
		[['--preset'], /OPTION_MISSING: --preset: expected a name, got none/],
		[
			['--preset', 'open-retrievals', ...base, '--learning_rat', '1'],
			/OPTION_UNKNOWN: .*got --learning_rat; did you mean --learning_rate\?/,
		],
		[
			['--preset', 'open-retrievals', ...base, '--learning_rate', '-1'],
			/OPTION_RANGE: --learning_rate \(--learning-rate\): expected a number above 0, got -1/,
		],
		[
			['--preset', 'open-retrievals', '--do_train', '--model_name_or_path', bert],
			/OPTION_MISSING: --data_name_or_path \(--data\): expected files/,
		],
		[['--config', 'preset.yaml'], /OPTION_CONFLICT: preset: expected on the command line/],
	])('is refused as %j', async (words, sentence) => {
		put('preset.yaml', 'preset: open-retrievals\nmodel: x\ndata: x\noutput: x\n');
		const named = words.map(word => (word === 'preset.yaml' ? at(word) : word));
		const {code, stderr} = await inbatch(['train', ...named]);
		expect(code).toBe(2);
		expect(stderr).toMatch(sentence);
	});
});
