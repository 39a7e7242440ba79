// Documented commands of LLM-Embedder, as they are written but for names of models and files and their
// number of steps, to their documented outputs.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {bert} from './command-line.js';
import {documented, encodes, lines, numbers, runs, seed, seeds, triplets} from './documented.js';

const {at, put, metricsOf, expectSameBits} = runs();

describe('LLM-Embedder', () => {
	const scores = [0.5, -1, 2, 0.1];
	const made: Readonly<Record<string, (n: number) => object>> = {
		qa: n => ({...triplets[n], pos: [`positive ${n}`], teacher_scores: scores}),
		icl: n => ({...triplets[n], teacher_scores: [1, ...scores]}),
		chat: n => ({
			query: `turn ${n}`,
			history: numbers.slice(0, 4).map(k => `turn ${k} before ${n}`),
			teacher_scores: scores,
		}),
		lrlm: n => ({...triplets[n], pos: [], teacher_scores: scores.slice(1)}),
		tool: n => ({...triplets[n], qid: `${n}`}),
		convsearch: n => ({...triplets[n], pos_index: [54_386_775, n]}),
	};
	const data = (task: string, place: string) => {
		const rows = numbers.map(n => ({...made[task]!(n), task}));
		return put(`root/${place}`, lines(rows));
	};
	for (const [task, place] of [
		['qa', 'qa/nq/train.json'],
		['icl', 'icl/icl/train.json'],
		['lrlm', 'lrlm/books3/train.json'],
		['lrlm', 'lrlm/arxiv/train.json'],
		['lrlm', 'lrlm/codeparrot/train.json'],
		['chat', 'chat/msc/train.json'],
		['tool', 'tool/toolbench/train.json'],
		['convsearch', 'conversation/qrecc/train.concat.json'],
	] as const) {
		data(task, place);
	}

	put(
		'root/qa/nq/test.json',
		lines(numbers.map(n => ({query: `query ${n}`, answers: [`Positive ${n}`], task: 'qa'}))),
	);
	const places = numbers.map(n => ({query: `query ${n}`, query_id: n, pos_index: [n]}));
	for (const [task, place] of [
		['tool', 'tool/toolbench/test.json'],
		['convsearch', 'conversation/qrecc/test.concat.json'],
	] as const) {
		put(`root/${place}`, lines(places.map(row => ({...row, task}))));
	}

	const corpus = numbers.map(n => ({title: `title ${n}`, text: `the positive ${n}`}));
	for (const place of ['qa/nq', 'tool/toolbench', 'conversation/qrecc']) {
		put(`root/${place}/corpus.json`, lines(corpus));
	}

	const run = (name: string, rest: string, own: string[] = []) =>
		documented(
			'llm-embedder',
			`torchrun --nproc_per_node=8 run_dense.py --output_dir ${at('outputs', name)} ${rest} \\
			--data_root ${at('root')} --query_encoder ${bert} \\
			--query_max_length 32 --key_max_length 64`,
			own,
		);

	test.each([
		[
			'nq',
			`--train_data llm-embedder:qa/nq/train.json --eval_data llm-embedder:qa/nq/test.json
			--corpus llm-embedder:qa/nq/corpus.json --metrics nq --max_steps 2 --contrastive_weight 0
			--stable_distill`,
			['--loss-option method=stable', '--positives first'],
		],
		[
			'icl',
			`--train_data llm-embedder:icl/icl/train.json --max_steps 2 --save_steps 2
			--select_positive random --contrastive_weight 0 --stable_distill`,
			['--loss-option method=stable', '--positives random'],
		],
		[
			'lrlm',
			`--train_data llm-embedder:lrlm/books3/train.json llm-embedder:lrlm/arxiv/train.json
			llm-embedder:lrlm/codeparrot/train.json --max_steps 2 --save_steps 2
			--select_positive teacher --teacher_scores_margin 0.1 --contrastive_weight 0
			--teacher_temperature 0.1`,
			['--loss-option method=kl', '--positives teacher', '--teacher-margin 0.1', 'books3='],
		],
		[
			'msc',
			`--train_data llm-embedder:chat/msc/train.json --max_steps 2 --save_steps 2
			--select_positive teacher --select_negative random --contrastive_weight 0
			--teacher_temperature 0.1`,
			['--loss-option teacherTemperature=0.1', '--positives teacher'],
		],
		[
			'tool',
			`--train_data llm-embedder:tool/toolbench/train.json
			--eval_data llm-embedder:tool/toolbench/test.json
			--corpus llm-embedder:tool/toolbench/corpus.json --key_template {text} --metrics ndcg
			--max_steps 2`,
			['--loss infonce --temperature 0.01'],
		],
		[
			'qrecc',
			`--train_data llm-embedder:conversation/qrecc/train.concat.json
			--eval_data llm-embedder:conversation/qrecc/test.concat.json
			--corpus llm-embedder:conversation/qrecc/corpus.json --key_template '{text}'
			--metrics mrr ndcg --cutoffs 3 10 100 --max_steps 2`,
			['--loss infonce --temperature 0.01'],
		],
	])('trains %s to an encoder and its checkpoint', async (name, rest, translated) => {
		const {code, stderr} = await run(name, rest);
		expect({code, stderr}).toMatchObject({code: 0});
		expect(stderr).toContain('8 processes share their negatives: one batch of 128 rows');
		for (const words of [...translated, '--batch-size 128 --steps 2', '--learning-rate 0.000005']) {
			expect(stderr).toContain(words);
		}

		expect(await encodes(at('outputs', name, 'encoder'))).toBe(1);
		expect(await encodes(at('outputs', name, 'checkpoint-2', 'encoder'))).toBe(1);
	});

	test.each([
		['nq', ['answers@1', 'answers@20', 'answers@100']],
		['tool', ['ndcg@1', 'ndcg@10', 'ndcg@100']],
		['qrecc', ['mrr@3', 'ndcg@10', 'ndcg@100']],
	])('evaluates %s on its corpus, before and after', (name, metrics) => {
		const found = metricsOf('outputs', name) as unknown as {
			step: number;
			evaluation?: {eval: Record<string, number>};
		}[];
		const evaluated = found.filter(({evaluation}) => evaluation !== undefined);
		expect(evaluated.map(({step}) => step)).toEqual([0, 2]);
		for (const {evaluation} of evaluated) {
			for (const metric of metrics) expect(evaluation!.eval[metric]).toBeGreaterThanOrEqual(0);
			// Ten documents are all among a hundred.
			expect(evaluation!.eval[metrics.at(-1)!]).toBeGreaterThan(0);
		}
	});

	test('trains files of one task in batches of one set, by the settings of the task', async () => {
		const {code, stderr} = await run(
			'one',
			`--train_data llm-embedder:lrlm/books3/train.json llm-embedder:lrlm/arxiv/train.json
			--max_steps 2 --save_steps 2 --inbatch_same_dataset epoch --use_train_config
			--gradient_checkpointing --per_device_train_batch_size 1 --version llm-embedder`,
		);
		expect({code, stderr}).toMatchObject({code: 0});
		expect(stderr).toContain('--mixing homogeneous --homogeneous epoch');
		expect(stderr).toContain('--max-rows 10000 --max-rows-choice last');
		expect(stderr).toContain('--recompute blocks');
		expect(await encodes(at('outputs', 'one', 'encoder'))).toBe(1);
	});

	test('trains all tasks together, each in batches and by settings of its own', async () => {
		const version = 'llm-embedder';
		const output = at('outputs', 'llm-embedder');
		const {code, stderr} = await documented(
			'llm-embedder',
			`torchrun --nproc_per_node=8 run_dense.py --train_data \
			llm-embedder:chat/msc/train.json \
			llm-embedder:conversation/qrecc/train.concat.json \
			llm-embedder:lrlm/arxiv/train.json \
			llm-embedder:lrlm/books3/train.json \
			llm-embedder:lrlm/codeparrot/train.json \
			llm-embedder:qa/nq/train.json \
			llm-embedder:tool/toolbench/train.json \
			llm-embedder:tool/toolbench/train.json \
			llm-embedder:icl/icl/train.json \
			--output_dir ${output} \
			--save_steps 9 \
			--max_steps 9 \
			--logging_steps 1 \
			--inbatch_same_dataset epoch \
			--use_train_config \
			--gradient_checkpointing \
			--per_device_train_batch_size 1 \
			--deepspeed data/deepspeed/stage0.json \
			--version ${version} \
			--learning_rate 5e-6 \
			--data_root ${at('root')} --query_encoder ${bert}`,
		);
		expect({code, stderr}).toMatchObject({code: 0});
		for (const words of [
			...['--set-option msc.positives=teacher', '--set-option icl.positives=random'],
			...['--set-option arxiv.max-rows=10000', '--set-option books3.teacher-margin=0.1'],
			...[
				'--loss-for nq=distill',
				'--loss-for toolbench_1=infonce',
				'--prompt-version llm-embedder',
			],
			...['--loss-option nq.method=stable', '--loss-option msc.teacherTemperature=0.1'],
		]) {
			expect(stderr).toContain(words);
		}

		const {options} = JSON.parse(readFileSync(join(output, 'run.json'), 'utf8'));
		expect(options.loss.of).toMatchObject({
			nq: {name: 'distill', method: 'stable'},
			msc: {name: 'distill', method: 'kl', teacherTemperature: 0.1},
			toolbench: {name: 'infonce', temperature: 0.01},
		});
		// Nine sets of ten rows make a batch of eight each.
		const steps = metricsOf('outputs', 'llm-embedder');
		expect(steps.map(({rows}) => rows)).toEqual(new Array(9).fill(8));
		expect(await encodes(join(output, 'checkpoint-9', 'encoder'))).toBe(1);
	});

	test('shows a command that trains to the same bits, and evaluates to the same numbers', async () => {
		const rest = `--train_data llm-embedder:tool/toolbench/train.json --max_steps 2
			--eval_data llm-embedder:tool/toolbench/test.json --key_template '{text}'
			--corpus llm-embedder:tool/toolbench/corpus.json`;
		const first = await run('shown', rest);
		await expectSameBits(first, 'outputs/shown', 'encoder');
	});

	test.skipIf(seeds === undefined).each([
		['qa', '--contrastive_weight 0 --stable_distill'],
		['icl', '--select_positive random --contrastive_weight 0 --stable_distill'],
		['chat', '--select_positive teacher --contrastive_weight 0 --teacher_temperature 0.1'],
	])('trains its example of %s (INBATCH_SHARED)', async (task, rest) => {
		const path = seed('flagembedding', 'llm_embedder_toy', `${task}.json`);
		const {code, stderr} = await run(`toy-${task}`, `--train_data ${path} --max_steps 1 ${rest}`);
		expect({code, stderr}).toMatchObject({code: 0});
		expect(metricsOf('outputs', `toy-${task}`)).toMatchObject([{step: 1, rows: 8}]);
		expect(await encodes(at('outputs', `toy-${task}`, 'encoder'))).toBe(1);
	});
});
