// Documented commands of RAG-Retrieval, Intel's embedding_finetune and LLM-Embedder, as they are
// written but for names of models and files and their number of steps, to their documented outputs.

import {existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join, resolve} from 'node:path';
import {describe, expect, test} from 'vitest';
import {EmbeddingModel} from '../../dist/model/embedding-model.js';
import {bert, inbatch, temporaryFolder} from './command-line.js';
import {documented} from './documented.js';

const folder = temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
const put = (name: string, content: string | Uint8Array) => {
	mkdirSync(dirname(at(name)), {recursive: true});
	writeFileSync(at(name), content);
	return at(name);
};
const lines = (rows: readonly object[]) => rows.map(row => `${JSON.stringify(row)}\n`).join('');
const numbers = Array.from({length: 10}, (_, n) => n);
const seeds = process.env.INBATCH_SHARED;
const seed = (...names: string[]) => resolve(seeds ?? '', 'data', 'seed_examples', ...names);
const metricsOf = (...names: string[]) =>
	readFileSync(at(...names, 'metrics.jsonl'), 'utf8')
		.trimEnd()
		.split('\n')
		.map(line => JSON.parse(line) as Record<string, number>);

/** Whether a folder is a model that encodes. */
async function encodes(path: string): Promise<number> {
	const model = await EmbeddingModel.load(path);
	const {rows} = await model.encode(['what is the age of the union']);
	await model.dispose();
	return rows;
}

/** Rows of ten made records. */
const triplets = numbers.map(n => ({
	query: `query ${n}`,
	pos: [`positive ${n}`, `another ${n}`],
	neg: Array.from({length: 3}, (_, k) => `negative ${k} of ${n}`),
}));

describe('RAG-Retrieval', () => {
	const accelerate = put('default_fsdp.yaml', 'distributed_type: FSDP\nnum_processes: 2\n');
	const settings = (data: string, output: string) => `# Model
model_name_or_path: "${bert}" #or Alibaba-NLP/gte-Qwen2-7B-instruct
train_type: "train"

# Dataset
train_dataset: "${data}"
neg_nums: 15
query_max_len: 128
passage_max_len: 128
shuffle: true

# Training
output_dir: "${output}"
save_on_epoch_end: 1
num_max_checkpoints: 5

## Hyperparameters
temperature: 0.02
epochs: 2
lr: 2e-5
batch_size: 4
seed: 666
warmup_proportion: 0.1
gradient_accumulation_steps: 3
mixed_precision: fp16

##mrl
use_mrl: false
mrl_dims: "128, 256, 512, 768, 1024, 1280, 1536, 1792"

## Logging
log_interval: 1
log_with: "wandb" # "wandb" or "tensorboard"
`;
	const command = (config: string) => `CUDA_VISIBLE_DEVICES="0,1" nohup accelerate launch \\
		--config_file ${accelerate} \\
		train_embedding.py \\
		--config ${config}`;

	test('trains triplets in batches of their own, and names a checkpoint for each epoch', async () => {
		const data = put('rag.jsonl', lines(triplets));
		const config = put('training_embedding.yaml', settings(data, at('rag')));
		const {code, stderr} = await documented('rag-retrieval', command(config));
		expect({code, stderr}).toMatchObject({code: 0});
		expect(stderr).toContain('--batch-size 4 --accumulate 6 --accumulation separate');
		// 20 rows are 5 batches an epoch, fewer than an update takes.
		const steps = metricsOf('rag');
		expect(steps.map(({step, rows}) => [step, rows])).toEqual([
			[1, 20],
			[2, 20],
		]);
		// The own positive and fifteen negatives of each of the four rows.
		expect(steps[0]?.['candidates']).toBeCloseTo(1 + 4 * 15);
		expect(readdirSync(at('rag', 'runs', 'checkpoints')).sort()).toEqual([
			'checkpoint_0',
			'checkpoint_1',
		]);
		expect(await encodes(at('rag', 'model'))).toBe(1);
		expect(await encodes(at('rag', 'runs', 'checkpoints', 'checkpoint_0'))).toBe(1);
	});

	test('distils a teacher from a map without header into a new projection', async () => {
		const texts = put('t.text.jsonl', lines(numbers.map(n => ({query: `text ${n}`}))));
		const width = 16;
		const values = Float32Array.from({length: 10 * width}, (_, n) => Math.sin(n * n));
		const map = put('t.mmap', new Uint8Array(values.buffer));
		const config = put(
			'distill_embedding.yaml',
			`model_name_or_path: "${bert}"
train_type: "distill"
train_dataset: "${texts}"
train_dataset_vec: "${map}"
query_max_len: 128
teatch_emebedding_dim: ${width}
shuffle: false
output_dir: "${at('distilled')}"
save_on_epoch_end: 1
num_max_checkpoints: 5
epochs: 2
lr: 1e-4
batch_size: 128
seed: 666
warmup_proportion: 0.05
gradient_accumulation_steps: 1
mixed_precision: bf16
use_mrl: true
mrl_dims: "4,8,16"
log_interval: 1
log_with: "wandb"
`,
		);
		const {code, stderr} = await documented('rag-retrieval', command(config));
		expect({code, stderr}).toMatchObject({code: 0});
		const saved = JSON.parse(
			readFileSync(at('distilled', 'model', '2_Dense', 'config.json'), 'utf8'),
		);
		expect(saved).toMatchObject({in_features: 64, out_features: width, bias: true});
		const modules = readFileSync(at('distilled', 'model', 'modules.json'), 'utf8');
		expect(modules).not.toContain('Normalize');
		// The three parts are logged with their weights, as there.
		const [step] = metricsOf('distilled') as unknown as {loss: number; losses: object}[];
		const parts = Object.values(step!.losses) as number[];
		expect(Object.keys(step!.losses)).toEqual(['cosine', 'similarity', 'triplet']);
		expect(parts.reduce((sum, part) => sum + part)).toBeCloseTo(step!.loss, 3);
		const short = put('short.mmap', new Uint8Array(values.buffer, 4));
		const cut = readFileSync(config, 'utf8').replace(map, short).replace('distilled', 'cut');
		const refused = await documented('rag-retrieval', command(put('cut.yaml', cut)));
		expect(refused.code).toBe(1);
		expect(refused.stderr).toMatch(
			/short\.mmap: expected 640 bytes, for 10 records of 16 numbers, got 636/,
		);
	});

	test.skipIf(seeds === undefined)(
		'learns the scores of its example (INBATCH_SHARED)',
		async () => {
			const data = seed('rag-retrieval', 'lmsft.jsonl');
			const config = put('scored.yaml', settings(data, at('scored')));
			const {code, stderr} = await documented('rag-retrieval', command(config));
			expect({code, stderr}).toMatchObject({code: 0});
			expect(stderr).toContain('--loss klonscores');
			expect(metricsOf('scored')[0]).toMatchObject({rows: 4});
		},
	);
});

describe("Intel's embedding_finetune", () => {
	const command = (data: string, output: string) => `
		python finetune.py \\
		--output_dir ${output} \\
		--model_name_or_path ${bert} \\
		--train_data ${data} \\
		--learning_rate 1e-5 \\
		--num_train_epochs 5 \\
		--per_device_train_batch_size 1 \\
		--dataloader_drop_last True \\
		--normalized True \\
		--temperature 0.02 \\
		--query_max_len 64 \\
		--passage_max_len 256 \\
		--train_group_size 2 \\
		--logging_steps 10 \\
		--query_instruction_for_retrieval "" \\
		--bf16 True`;

	test('trains batches of one, to a folder of sentence-transformers with a name like an id', async () => {
		const data = seeds
			? seed('itrex_embedding_finetune', 'augmented_example.jsonl')
			: put('augmented_example.jsonl', lines(triplets));
		const output = at('BAAI', 'bge-base-en-v1.5_finetuned');
		const {code, stderr} = await documented('itrex', command(data, output));
		expect({code, stderr}).toMatchObject({code: 0});
		const steps = metricsOf('BAAI', 'bge-base-en-v1.5_finetuned');
		expect(steps.map(({step}) => step)).toEqual([10, 20, 30, 40, 50]);
		expect(steps[0]).toMatchObject({rows: 1, candidates: 2});
		const types = JSON.parse(readFileSync(join(output, 'modules.json'), 'utf8')) as {
			type: string;
		}[];
		expect(types.map(({type}) => type.split('.').at(-1))).toEqual([
			'Transformer',
			'Pooling',
			'Normalize',
		]);
		const pooling = JSON.parse(readFileSync(join(output, '1_Pooling', 'config.json'), 'utf8'));
		expect(pooling).toMatchObject({pooling_mode_cls_token: true});
		expect(await encodes(join(output, 'checkpoint-50'))).toBe(1);
		const again = await documented('itrex', command(data, output));
		expect(again).toMatchObject({code: 1, stderr: expect.stringContaining('OUTPUT_EXISTS')});
	});

	test('leaves no folder of a run that fails', async () => {
		const missing = at('nowhere.jsonl');
		const output = at('made', 'for', 'nothing');
		const {code} = await documented('itrex', command(missing, output));
		expect(code).toBe(1);
		expect(existsSync(at('made'))).toBe(false);
	});
});

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

	test('shows a command that trains to the same bits', async () => {
		const rest = '--train_data llm-embedder:tool/toolbench/train.json --max_steps 2';
		const first = await run('shown', rest);
		const words = /^inbatch (train .*)$/m.exec(first.stderr)![1]!.split(' ');
		const plain = words.map(word => word.replaceAll("'", '').replace('/shown', '/again'));
		expect(await inbatch(plain)).toMatchObject({code: 0});
		const weights = (name: string) =>
			readFileSync(at('outputs', name, 'encoder', 'model.safetensors'));
		expect(weights('again').equals(weights('shown'))).toBe(true);
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
