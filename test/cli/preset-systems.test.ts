// Documented commands of RAG-Retrieval and Intel's embedding_finetune, as they are written but for names
// of models and files and their number of steps, to their documented outputs.

import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {bert} from './command-line.js';
import {documented, encodes, lines, numbers, runs, seed, seeds, triplets} from './documented.js';

const {at, put, metricsOf, expectSameBits} = runs();

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
		const ended = await documented('rag-retrieval', command(config));
		const {code, stderr} = ended;
		expect({code, stderr}).toMatchObject({code: 0});
		await expectSameBits(ended, 'rag', 'model');
		// 10 batches of two epochs, three to an update of each process, rounded down.
		expect(stderr).toContain('--warmup-steps 0 --schedule-steps 2');
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
		const ended = await documented('rag-retrieval', command(config));
		expect(ended).toMatchObject({code: 0});
		const saved = JSON.parse(
			readFileSync(at('distilled', 'model', '2_Dense', 'config.json'), 'utf8'),
		);
		expect(saved).toMatchObject({in_features: 64, out_features: width, bias: true});
		const modules = readFileSync(at('distilled', 'model', 'modules.json'), 'utf8');
		expect(modules).not.toContain('Normalize');
		await expectSameBits(ended, 'distilled', 'model');
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
		const ended = await documented('itrex', command(data, output));
		expect(ended).toMatchObject({code: 0});
		await expectSameBits(ended, 'BAAI/bge-base-en-v1.5_finetuned');
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
