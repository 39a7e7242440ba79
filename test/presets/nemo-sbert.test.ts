// What each key of NeMo's SBERT configuration becomes, is refused for, or says.

import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {bert} from '../cli/command-line.js';
import {lossOn, optionsOf, rateAt, translated} from './translated.js';

const folder = mkdtempSync(join(tmpdir(), 'inbatch-nemo-'));
afterAll(() => rmSync(folder, {recursive: true, force: true}));

const base = [
	...[`restore_from_path=${bert}`, 'model.data.data_train=train.json'],
	...['model.micro_batch_size=8', 'model.encoder_seq_length=64'],
];
const of = (...words: string[]) => translated('nemo-sbert', [...base, ...words]);

const standard = {
	model: bert,
	pooling: 'mean',
	normalize: true,
	queryPrompt: 'query: ',
	documentPrompt: 'passage: ',
	batchSize: 8,
	dropLast: true,
	allowDuplicates: true,
	queryMaxLength: 64,
	documentMaxLength: 64,
	seed: 1234,
	loss: 'infonce',
	temperature: 0.05,
	labelSmoothing: 0,
	candidates: ['inBatchPositives', 'ownHard'],
	data: ['train.json'],
	negatives: 4,
	negativeChoice: 'first',
	onShortage: 'error',
	order: 'file',
	steps: 100_000,
	loggingSteps: 10,
	saveSteps: 100,
	clip: 1,
	optimizer: 'adamw',
	learningRate: 2e-4,
	weightDecay: 0.01,
	beta1: 0.9,
	beta2: 0.98,
	epsilon: 1e-8,
	schedule: 'cosine-annealing',
	warmupSteps: 500,
	scheduleSteps: 100_000,
	minLearningRate: 2e-5,
	constantSteps: 50_000,
	output: 'nemo_experiments/megatron_bert',
	resume: true,
	tensorboard: true,
	keep: 10,
	checkpointName: expect.stringMatching(
		/^checkpoints\/megatron_bert--val_loss={metric}-step={step}-consumed_samples={rows}.0.ckpt$/,
	),
};

const name = 'exp_manager.checkpoint_callback_params.filename';
const top = 'exp_manager.checkpoint_callback_params.save_top_k';
const stopping = 'exp_manager.create_early_stopping_callback=True';
const parameters = 'exp_manager.early_stopping_callback_params';
const validated = {
	evalLoss: ['val=dev.json'],
	evalLossRows: 400,
	metric: 'val/loss',
	evalSteps: 100,
	keep: 1,
	keepBest: 10,
};
const apart = {accumulation: 'separate', batchSize: 8};
const noTail = {constantSteps: null};

/** Options of ours that differ from those without the words; null: gone. */
const changes: [words: string, ours: Record<string, unknown>][] = [
	['restore_from_path=builtin', {model: 'builtin'}],
	['model.global_batch_size=16 model.micro_batch_size=16', {batchSize: 16}],
	['model.global_batch_size=16 trainer.devices=2', {accumulate: 2, ...apart}],
	['model.global_batch_size=16 trainer.devices=[0,1]', {accumulate: 2, ...apart}],
	['model.global_batch_size=32 trainer.devices=2 trainer.num_nodes=2', {accumulate: 4, ...apart}],
	[
		'model.global_batch_size=16 trainer.devices=2 +model.global_inbatch_negatives=True',
		{batchSize: 16},
	],
	['trainer.devices=4 model.tensor_model_parallel_size=2 model.pipeline_model_parallel_size=2', {}],
	['model.encoder_seq_length=32', {queryMaxLength: 32, documentMaxLength: 32}],
	['model.hidden_dropout=0', {dropout: 0}],
	['model.activations_checkpoint_granularity=full', {recompute: 'blocks'}],
	['model.seed=5', {seed: 5}],
	['model.softmax_temp=0.02 model.label_smoothing=0.1', {temperature: 0.02, labelSmoothing: 0.1}],
	['model.data.data_train=other.json', {data: ['other.json']}],
	[
		'model.data.data_validation=dev.json trainer.limit_val_batches=5',
		{...validated, evalLossRows: 40},
	],
	[
		'model.data.data_validation=dev.json trainer.limit_val_batches=null',
		{...validated, evalLossRows: null},
	],
	['model.data.data_validation=dev.json trainer.limit_val_batches=0', {}],
	['model.data.hard_negatives_to_train=2', {negatives: 2}],
	['model.data.negative_sample_strategy=first', {onShortage: 'replace'}],
	['model.data.negative_sample_strategy=random', {negativeChoice: 'random', onShortage: 'replace'}],
	['model.data.dataloader_type=cyclic', {order: 'shuffle'}],
	['trainer.accelerator=cpu', {device: 'cpu'}],
	['trainer.precision=32', {dtype: 'f32'}],
	['trainer.precision=bf16', {}],
	['trainer.max_epochs=2', {steps: null, epochs: 2, maxSteps: 100_000}],
	[
		'trainer.max_epochs=2 trainer.max_steps=-1 model.optim.sched.constant_steps=0',
		{steps: null, epochs: 2, scheduleSteps: null, ...noTail},
	],
	['trainer.log_every_n_steps=1', {loggingSteps: 1}],
	['trainer.val_check_interval=50', {saveSteps: 50}],
	['trainer.val_check_interval=0.5', {saveSteps: null}],
	['trainer.gradient_clip_val=null', {clip: 0}],
	['model.optim.name=adam', {optimizer: 'adam'}],
	['model.optim.lr=5e-6', {learningRate: 5e-6}],
	['model.optim.weight_decay=0', {weightDecay: 0}],
	['model.optim.betas=[0.8,0.95] +model.optim.eps=1e-6', {beta1: 0.8, beta2: 0.95, epsilon: 1e-6}],
	[
		'~model.optim.sched',
		{
			schedule: 'constant',
			warmupSteps: 0,
			scheduleSteps: null,
			minLearningRate: null,
			...noTail,
		},
	],
	[
		'~model.optim.sched.name',
		{
			schedule: 'constant',
			warmupSteps: 0,
			scheduleSteps: null,
			minLearningRate: null,
			...noTail,
		},
	],
	['model.optim.sched.name=NoamAnnealing', {schedule: 'noam', ...noTail}],
	['model.optim.sched.name=WarmupPolicy', {schedule: 'constant', minLearningRate: null, ...noTail}],
	[
		'model.optim.sched.name=WarmupAnnealing',
		{schedule: 'linear', minLearningRate: null, ...noTail},
	],
	[
		'model.optim.sched.name=InverseSquareRootAnnealing',
		{schedule: 'inverse-sqrt', timescale: 501, minLearningRate: null, ...noTail},
	],
	[
		'model.optim.sched.name=PolynomialDecayAnnealing +model.optim.sched.power=2',
		{schedule: 'polynomial', power: 2, ...noTail},
	],
	['model.optim.sched.warmup_steps=9', {warmupSteps: 9}],
	['+model.optim.sched.warmup_ratio=0.01', {warmupSteps: 1000}],
	['model.optim.sched.constant_steps=7', {constantSteps: 7}],
	['+model.optim.sched.constant_ratio=0.1', {constantSteps: 10_000}],
	['model.optim.sched.min_lr=1e-8', {minLearningRate: 1e-8}],
	['+model.optim.sched.max_steps=70000', {scheduleSteps: 70_000}],
	['exp_manager.explicit_log_dir=out', {output: 'out'}],
	['exp_manager.exp_dir=dir exp_manager.name=run', {output: 'dir/run'}],
	['exp_manager.resume_if_exists=False', {resume: null}],
	['exp_manager.create_tensorboard_logger=False', {tensorboard: null}],
	[
		'exp_manager.create_tensorboard_logger=False exp_manager.create_wandb_logger=True',
		{tensorboard: true},
	],
	['+exp_manager.ema.enable=True +exp_manager.ema.decay=0.99', {ema: 0.99}],
	['+exp_manager.ema.enable=True', {ema: 0.999}],
	[`${top}=-1`, {keep: 'all'}],
	[`${top}=3`, {keep: 3}],
	[`${top}=3 model.data.data_validation=dev.json`, {...validated, keepBest: 3}],
	[`${name}=a--{step}-{epoch}`, {checkpointName: 'checkpoints/a--step={step}-epoch={epoch}.ckpt'}],
	[
		`model.data.data_validation=dev.json ${stopping} ${parameters}.patience=3 ${parameters}.min_delta=0.1`,
		{...validated, patience: 3, minDelta: 0.1},
	],
];

/** Keys that only the refusals or the sentences know. */
const elsewhere = [
	'exp_manager.ema.validate_original_weights',
	...['trainer.accumulate_grad_batches', 'exp_manager.ema.every_n_steps'],
	...['exp_manager.checkpoint_callback_params.monitor', `${parameters}.monitor`],
	...['exp_manager.checkpoint_callback_params.mode', `${parameters}.mode`],
	...['model.optim.sched.last_epoch'],
];

const said: [words: string, sentence: RegExp][] = [
	['', /trainer.precision 16: the CPU computes in f32/],
	['exp_manager.create_wandb_logger=True', /nothing is sent to W&B/],
	[
		'model.data.data_validation=dev.json trainer.limit_val_batches=0.5',
		/limit_val_batches 0.5: a share of the rows; all are validated on/,
	],
	['trainer.limit_val_batches=5', /limit_val_batches: without effect beside the other options/],
	['exp_manager.ema.decay=0.9', /ema.decay: without effect beside the other options/],
	[
		'model.optim.sched.name=WarmupAnnealing',
		/the first of NeMo's is 1\/501 of the largest rate, here it is 0/,
	],
	['model.encoder_seq_length=512', /512 tokens, the model has positions for 130/],
	['+model.unknown=5', /model.unknown: /],
	['trainer.val_check_interval=0.5', /not a number of steps/],
	['trainer.devices=-1', /trainer.devices -1: taken for one here/],
	[`${name}="{val_f1}-{step}"`, /nothing here is called val_f1/],
	[
		'trainer.max_steps=10000 model.optim.sched.warmup_steps=100 model.optim.sched.min_lr=1e-8',
		/50000 constant steps do not fit behind 100 of warm-up into 10000; cut to 9899, so the rate is at its least, 1e-8, from step 101 on/,
	],
	[
		'trainer.max_steps=20',
		/warm-up of 500 steps in a run of 20, so the rate only rises, to 0.000008/,
	],
];

const refusals: [words: string, sentence: RegExp][] = [
	['~restore_from_path', /name the folder of a BERT; from scratch/],
	['restore_from_path=model.nemo', /archives of NeMo are not read/],
	['trainer.max_steps=-1', /a run needs an end/],
	['model.micro_batch_size=4', /expected 4, which is 4 rows .* × 1 of trainer.devices/],
	['model.data.dataloader_type=LDDL', /single reads the file in its order/],
	['trainer.accumulate_grad_batches=2', /NeMo accumulates nothing for this loss/],
	['model.optim.name=sgd', /the optimizers here are fused_adam/],
	['model.optim.sched.name=CyclicLR', /the schedules here are none, CosineAnnealing/],
	['+model.optim.sched.last_epoch=5', /--resume goes on where a run ended/],
	['exp_manager.checkpoint_callback_params.monitor=f1', /what decides here is val_loss/],
	['exp_manager.checkpoint_callback_params.mode=max', /a lower val_loss is better/],
	[`${parameters}.monitor=f1`, /what decides here is val_loss/],
	[`${parameters}.mode=max`, /a lower val_loss is better/],
	[stopping, /it needs model.data.data_validation/],
	['+exp_manager.ema.every_n_steps=5', /the mean is made anew after each step/],
	['+exp_manager.ema.validate_original_weights=True', /evaluations see the mean/],
];

describe('nemo-sbert', () => {
	test('has the defaults of the configuration', async () => {
		expect((await of()).ours).toEqual(standard);
	});

	test.each(changes)('%s changes %j', async (line, changed) => {
		const {ours} = await of(...line.split(' '));
		const entries = Object.entries({...standard, ...changed}).filter(([, value]) => value !== null);
		expect(ours).toEqual(Object.fromEntries(entries));
	});

	test.each(said)('%s says %s', async (line, sentence) => {
		expect((await of(...line.split(' '))).says).toMatch(sentence);
	});

	test.each(refusals)('%s is refused with %s', async (line, sentence) => {
		await expect(of(...line.split(' '))).rejects.toMatchObject({
			code: 'OPTION_CONFLICT',
			message: expect.stringMatching(sentence),
		});
	});

	test.each(['~model.optim.lr', 'model.micro_batch_size=null', '~model.softmax_temp'])(
		'needs a value where %s takes it away',
		async word => {
			await expect(of(word)).rejects.toMatchObject({
				code: 'OPTION_MISSING',
				message: expect.stringContaining('expected a value, got none'),
			});
		},
	);

	test('refuses the batch of its own defaults, which do not fit each other', async () => {
		await expect(translated('nemo-sbert', base.slice(0, 2))).rejects.toThrow(
			/model.global_batch_size: expected 4, .*, got 8; set both/,
		);
	});

	test('says of each dead key that it has no effect, and why', async () => {
		const {dead} = await optionsOf('nemo-sbert');
		expect(dead.length).toBeGreaterThan(60);
		for (const key of dead) {
			const {ours, says} = await of(`++${key}=1`);
			expect(ours).toEqual(standard);
			expect(says).toContain(`${key}: without effect, `);
		}
	});

	test('has no key that these tests do not know', async () => {
		const {live} = await optionsOf('nemo-sbert');
		const words = changes.flatMap(([line]) => line.split(' '));
		const keys = words.map(word => word.replace(/^[+~]*/, '').split('=')[0]);
		const tested = new Set([...keys, ...elsewhere]);
		expect(live.filter(key => !tested.has(key))).toEqual([]);
	});

	test.each([
		['python megatron_gpt_embedding_finetuning.py', /decoders are not trained by this preset/],
		['python convert_bert_hf_to_nemo.py', /Hugging Face folders are read as they are/],
		['python megatron_gpt_embedding_generate.py', /`inbatch encode`/],
	])('refuses %s', async (line, sentence) => {
		await expect(translated('nemo-sbert', [...line.split(' '), ...base])).rejects.toThrow(sentence);
	});
});

/** A configuration as NeMo has them, with values of one's own. */
const configuration = `
name: megatron_bert
restore_from_path: ${bert}
trainer:
  devices: 1
  precision: 32
  max_steps: 50
exp_manager:
  explicit_log_dir: null
  checkpoint_callback_params:
    model_parallel_size: \${multiply:\${model.tensor_model_parallel_size}, \${model.pipeline_model_parallel_size}}
model:
  micro_batch_size: 8
  global_batch_size: \${.micro_batch_size}
  encoder_seq_length: 64
  max_position_embeddings: \${.encoder_seq_length}
  hidden_dropout: 0.1
  data:
    data_train: train.json
    seq_length: \${model.encoder_seq_length}
    masked_lm_prob: 0.15
    prefetch: 2
  optim:
    lr: 1e-5
    betas:
      - 0.9
      - 0.98
    sched:
      warmup_steps: 5
      constant_steps: 0
`;

test('nemo-sbert reads a configuration, under what the command line says', async () => {
	writeFileSync(join(folder, 'mine.yaml'), configuration);
	const words = [`--config-path=${folder}`, '--config-name', 'mine', 'model.optim.lr=1e-4'];
	const {ours, says} = await translated('nemo-sbert', words);
	expect(ours).toMatchObject({
		...{model: bert, batchSize: 8, queryMaxLength: 64, data: ['train.json'], dtype: 'f32'},
		...{learningRate: 1e-4, warmupSteps: 5, steps: 50, scheduleSteps: 50},
	});
	expect(ours).not.toHaveProperty('constantSteps');
	expect(says).toBe(`${join(folder, 'mine.yaml')}: nothing reads model.data.prefetch`);
});

describe('the loss of nemo-sbert', () => {
	test('is the golden value of exclusive hard negatives', async () => {
		expect(await lossOn(await of('model.softmax_temp=0.1'))).toBeCloseTo(0.017974, 5);
	});
});

describe('the rate of nemo-sbert', () => {
	test('has the golden values of the configuration', async () => {
		const options = await of();
		const rates = [0, 250, 500, 25_250, 50_000, 75_000].map(update => rateAt(options, update));
		const golden = [0, 1e-4, 2e-4, 1.1e-4, 2e-5, 2e-5];
		for (const [n, rate] of golden.entries()) expect(rates[n]).toBeCloseTo(rate, 8);
	});

	test('has those of the documented command, whose constant end is cut', async () => {
		const words = ['lr=0.000005', 'sched.min_lr=0.00000001', 'sched.warmup_steps=100'];
		const options = await of(
			'trainer.max_steps=10000',
			...words.map(word => `model.optim.${word}`),
		);
		const rates = [50, 100, 101, 5000, 10_000].map(update => rateAt(options, update));
		const golden = [2.5e-6, 5e-6, 1e-8, 1e-8, 1e-8];
		for (const [n, rate] of golden.entries()) expect(rates[n]).toBeCloseTo(rate, 12);
	});

	test('of a warm-up longer than the run only rises', async () => {
		const options = await of('trainer.max_steps=20');
		expect(rateAt(options, 20)).toBeCloseTo((2e-4 * 20) / 500, 12);
	});
});
