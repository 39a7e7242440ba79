import {existsSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {bert, type Ended, inbatch, type Settings, temporaryFolder} from './command-line.js';

const folder = temporaryFolder();
const file = (name: string, content: string) => {
	const path = join(folder, name);
	writeFileSync(path, content);
	return path;
};
const lines = (rows: readonly object[]) => rows.map(row => `${JSON.stringify(row)}\n`).join('');
const data = file(
	'pairs.jsonl',
	lines(
		Array.from({length: 24}, (_, n) => ({
			query: `word ${n}`,
			pos: [`text ${n}`],
			neg: [`no ${n}`],
		})),
	),
);
const pairs = file(
	'sts.jsonl',
	lines([5, 1, 4].map((score, n) => ({sentence1: `a ${n}`, sentence2: `b ${score}`, score}))),
);
const base = ['train', '--model', bert, '--pooling', 'mean', '--device', 'cpu', '--data', data];
const at = (name: string) => join(folder, name);
const train = (name: string, more: string[] = [], settings: Settings = {}): Promise<Ended> =>
	inbatch([...base, '--output', at(name), '--batch-size', '8', ...more], settings);
const metricsOf = (name: string) =>
	readFileSync(join(at(name), 'metrics.jsonl'), 'utf8')
		.trimEnd()
		.split('\n')
		.map(line => JSON.parse(line) as Record<string, number>);

describe('train', () => {
	test('leaves a model, its checkpoints and its numbers, and prints their sum', async () => {
		const {code, stdout, stderr} = await train('whole', ['--eval', `mine=${pairs}`, '--json']);
		expect(stderr).toContain('step 0: mine spearman_cosine');
		expect(code).toBe(0);
		const scores = {mine: expect.objectContaining({spearman_cosine: expect.any(Number)})};
		expect(JSON.parse(stdout)).toEqual({
			steps: 3,
			epochs: 1,
			rows: 24,
			loss: expect.any(Number),
			seconds: expect.any(Number),
			rowsPerSecond: expect.any(Number),
			tokensPerSecond: expect.any(Number),
			peakMemoryBytes: expect.any(Number),
			resumedFrom: null,
			output: at('whole'),
			evaluation: {before: scores, after: scores},
		});
		expect(readdirSync(at('whole'))).toEqual(
			expect.arrayContaining([
				'README.md',
				'checkpoints',
				'metrics.jsonl',
				'model.safetensors',
				'run.json',
			]),
		);
		const input = ['--input', file('a.txt', 'a'), '--output', '-'];
		expect(await inbatch(['encode', '--model', at('whole'), ...input])).toMatchObject({code: 0});
	});

	test('hands every option on', async () => {
		const options = ['--steps', '2', '--learning-rate', '1e-3', '--warmup-steps', '0'];
		const loss = [
			'--temperature',
			'0.2',
			'--candidates',
			'inBatchPositives',
			'--directions',
			'qd,dq',
		];
		const others = ['--allow-duplicates', '--seed', '5', '--loss-option', 'labelSmoothing=0.1'];
		expect(await train('options', [...options, ...loss, ...others])).toMatchObject({code: 0});
		const record = JSON.parse(readFileSync(join(at('options'), 'run.json'), 'utf8'));
		expect(record).toMatchObject({
			seed: 5,
			options: {
				steps: 2,
				learningRate: 0.001,
				warmupSteps: 0,
				batchSize: 8,
				loss: {
					name: 'infonce',
					temperature: 0.2,
					candidates: ['inBatchPositives'],
					directions: ['qd', 'dq'],
					labelSmoothing: 0.1,
				},
			},
		});
		expect(metricsOf('options')).toMatchObject([
			{step: 1, temperature: 0.2, learningRate: 0.001},
			{step: 2, rows: 8},
		]);
	});

	test('names a loss by its letters and hands its options on', async () => {
		const loss = ['--loss', 'margin-ranking', '--similarity', 'dot', '--loss-option', 'margin=0.3'];
		const few = ['--steps', '2', '--on-shortage', 'drop', '--negatives', '1'];
		expect(await train('ranking', [...few, ...loss])).toMatchObject({code: 0});
		const record = JSON.parse(readFileSync(join(at('ranking'), 'run.json'), 'utf8'));
		expect(record.options.loss).toEqual({name: 'marginranking', margin: 0.3, similarity: 'dot'});
	});

	test('takes an optimizer, rates of parts and a schedule', async () => {
		const rates = ['--layer-decay', '0.9', '--learning-rate-for', 'blocks.*.bias=1e-4'];
		const shape = ['--schedule', 'wsd', '--decay-steps', '1', '--min-learning-rate', '1e-6'];
		const options = ['--steps', '2', '--optimizer', 'lion', ...rates, ...shape];
		expect(await train('optimizer', options)).toMatchObject({code: 0});
		const record = JSON.parse(readFileSync(join(at('optimizer'), 'run.json'), 'utf8'));
		expect(record.options).toMatchObject({
			...{optimizer: 'lion', layerDecay: 0.9, learningRateFor: ['blocks.*.bias=1e-4']},
			...{schedule: 'wsd', decaySteps: 1, minLearningRate: 1e-6},
		});
		const card = readFileSync(join(at('optimizer'), 'README.md'), 'utf8');
		expect(card).toContain('Lion at');
	});

	test('nests widths in a loss', async () => {
		const nested = ['--dimensions-nested', '64,16', '--dimensions-weights', '1,0.5'];
		const options = [...nested, '--no-dimensions-renormalize', '--similarity', 'dot'];
		expect(await train('nested', ['--steps', '2', ...options])).toMatchObject({code: 0});
		const record = JSON.parse(readFileSync(join(at('nested'), 'run.json'), 'utf8'));
		expect(record.options.loss).toMatchObject({
			...{name: 'matryoshka', widths: [64, 16], weights: [1, 0.5], reduce: 'sum'},
			...{renormalize: false, of: {name: 'infonce', similarity: 'dot'}},
		});
		const wide = await train('wide', ['--steps', '2', '--dimensions-nested', '65,16']);
		expect(wide).toMatchObject({code: 1, stderr: expect.stringContaining('at most 64')});
		expect(existsSync(at('wide'))).toBe(false);
	});

	test('stopped by Ctrl-C it keeps a checkpoint and goes on from it', async () => {
		const long = ['--epochs', '400', '--save-steps', '1000', '--warmup-ratio', '0'];
		const interrupt = {signal: 'SIGINT', at: 'train: '} as const;
		const stopped = await train('stopped', long, {interrupt});
		expect(stopped).toMatchObject({code: 130, stdout: ''});
		expect(stopped.stderr).toContain('stopped by SIGINT');
		expect(stopped.stderr).not.toContain('error');
		const [checkpoint] = readdirSync(join(at('stopped'), 'checkpoints'));
		const step = Number(checkpoint?.replace('step-', ''));
		expect(step).toBeGreaterThan(0);
		const resumed = await train('stopped', [...long, '--resume', '--json']);
		expect(resumed.code).toBe(0);
		expect(JSON.parse(resumed.stdout)).toMatchObject({steps: 1200, resumedFrom: step});
	});
});

describe('wrong usage of train ends with exit 2 and writes nothing', () => {
	test.each([
		[['--resume', '--overwrite'], 'OPTION_CONFLICT: --resume'],
		[['--save-best'], 'OPTION_CONFLICT: --save-best'],
		[['--eval-steps', '3'], 'OPTION_CONFLICT: --eval-steps'],
		[['--metric', 'mine/ndcg@10'], 'OPTION_CONFLICT: --metric'],
		[['--loss', 'infonec'], 'OPTION_RANGE: --loss: expected one of infonce'],
		[['--loss-option', 'tau'], 'OPTION_TYPE: --loss-option: expected key=value'],
		[['--loss-option', 'tau=3'], 'OPTION_UNKNOWN: infonce'],
		[['--loss', 'Triplet', '--loss-option', 'margin=far'], 'OPTION_TYPE: triplet: expected margin'],
		[['--loss', 'triplet', '--candidates', 'ownHard'], 'OPTION_UNKNOWN: triplet'],
		[['--loss', 'hinge', '--similarity', 'dot', '--loss-option', 'negatives=none'], 'OPTION_RANGE'],
		[['--dimensions-weights', '1,1'], 'OPTION_CONFLICT: --dimensions-weights'],
		[['--dimensions-nested', '8,8'], 'OPTION_RANGE: matryoshka'],
		[['--patience', '2'], 'OPTION_CONFLICT: --patience: expected --eval'],
		[['--min-delta', '0.1'], 'OPTION_CONFLICT: min-delta: expected --patience'],
		[['--restarts', '2'], 'OPTION_CONFLICT: restarts: expected --schedule cosine'],
		[['--learning-rate-for', 'head'], 'OPTION_TYPE: learning-rate-for: expected PATTERN=RATE'],
		[['--optimizer', 'sgd'], 'OPTION_RANGE: --optimizer'],
		[['--layer-decay', '1.5'], 'OPTION_RANGE: --layer-decay'],
		[['--temperature', '0'], 'OPTION_RANGE: --temperature'],
		[['--batch-size', '0'], 'OPTION_RANGE: --batch-size'],
		[['--schedule', 'step'], 'OPTION_RANGE: --schedule'],
	])('%j', async (more, line) => {
		const {code, stdout, stderr} = await train('wrong', more);
		expect({code, stdout}).toEqual({code: 2, stdout: ''});
		expect(stderr.startsWith(`error ${line}`), stderr).toBe(true);
		expect(existsSync(at('wrong'))).toBe(false);
	});
});

test.each([
	[
		['--batch-size', '1', '--data', file('one.jsonl', '{"query":"a","pos":["b"]}\n')],
		'TRAIN_BATCH',
	],
	[['--data', file('list.jsonl', '{"query":["a"],"pos":["b"]}\n')], 'DATA_ROW'],
	[['--data', '/nowhere'], 'FILE_NOT_FOUND'],
	[['--eval', '/nowhere'], 'FILE_NOT_FOUND'],
])('%j fails with one line and leaves nothing', async (more, error) => {
	const args = base.filter(word => word !== '--data' && word !== data);
	const given = more.includes('--data') ? more : [...more, '--data', data];
	const ended = await inbatch([...args, '--output', at('failed'), ...given, '--json']);
	expect(ended).toMatchObject({code: 1, stdout: ''});
	expect(ended.stderr.trimEnd().split('\n').at(-1)).toMatch(new RegExp(`^error ${error}: `));
	expect(readdirSync(folder).filter(name => name.includes('failed'))).toEqual([]);
});
