// Optimizers and rates of parameters through the trainer.

import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {readSafetensorsHeader} from '../../dist/files/safetensors.js';
import {rateFactors} from '../../dist/train/rates.js';
import {type TrainOptions, train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {hashesOf, hashOf, loadTiny, quick, stoppingAt, trained} from './tiny.js';

const {folder} = temporaryFolder();
const at = (name: string) => join(folder, name);

const names = [
	'embedding.tokens',
	'embedding.positions',
	'blocks.0.qkv.weight',
	'blocks.0.qkv.bias',
	'blocks.1.qkv.weight',
	'norm.weight',
];

describe('the rate of a parameter', () => {
	const rate = {learningRate: 2, layerDecay: 1, learningRateFor: undefined};

	test('is the one rate where nothing else is asked for', () => {
		expect(rateFactors(rate, names)).toBeUndefined();
	});

	test('decays from block to block', () => {
		const factors = rateFactors({...rate, layerDecay: 0.5}, names);
		expect(factors).toEqual([0.25, 0.25, 0.5, 0.5, 1, 1]);
	});

	test('is the last one given for it', () => {
		const learningRateFor = ['*.bias=1', 'embeddings=4', 'blocks:0=3', '*.positions=0'];
		expect(rateFactors({...rate, learningRateFor, layerDecay: 0.5}, names)).toEqual([
			2, 0, 1.5, 1.5, 1, 1,
		]);
		expect(rateFactors({...rate, learningRateFor: {'norm.weight': 1}}, names)).toEqual([
			1, 1, 1, 1, 1, 0.5,
		]);
	});

	test.each([
		['block=1', 'OPTION_RANGE', 'learning-rate-for: expected a part of the model or a pattern'],
		['blocks:7=1', 'OPTION_RANGE', 'got blocks:7'],
		['head', 'OPTION_TYPE', 'expected PATTERN=RATE'],
		['head=far', 'OPTION_TYPE', 'got "head=far"'],
		['embeddings=-1', 'OPTION_TYPE', 'a rate of at least 0'],
	])('given as %s is refused', (given, code, message) => {
		expect(() => rateFactors({...rate, learningRateFor: [given]}, names)).toThrow(
			expect.objectContaining({code, message: expect.stringContaining(message)}),
		);
	});
});

test('a rate of 0 leaves weights where they are', async () => {
	const before = await hashesOf(await loadTiny());
	const {model} = await trained({learningRateFor: ['blocks:1=0'], steps: 3});
	const after = await hashesOf(model);
	const kept = [...before.keys()].filter(name => before.get(name) === after.get(name));
	expect(kept).toEqual([...before.keys()].filter(name => name.startsWith('blocks.1.')));
});

/** Bytes of what the checkpoint of a run has beside the weights, by part. */
async function stateOf(asked: Partial<TrainOptions>): Promise<Record<string, number>> {
	const output = at(`state-${asked.optimizer}`);
	await train(await loadTiny(), {...quick, ...asked, output});
	const path = join(output, 'checkpoints', 'step-3', 'trainer', 'moments.safetensors');
	const {tensors} = await readSafetensorsHeader(path);
	const bytes: Record<string, number> = {};
	for (const {name, begin, end} of tensors.values()) {
		const part = name.split('.')[0]!;
		bytes[part] = (bytes[part] ?? 0) + end - begin;
	}
	return bytes;
}

describe('a checkpoint', () => {
	const sizeOf = async (isMeant: (size: number, rows: number) => boolean) => {
		const {core} = await loadTiny();
		return core
			.parameters()
			.filter(({rows, columns}) => isMeant(rows * columns, rows))
			.reduce((sum, {rows, columns}) => sum + rows * columns, 0);
	};

	test('of Lion has one moment of each weight', async () => {
		const all = await sizeOf(() => true);
		expect(await stateOf({optimizer: 'lion', learningRate: 1e-4})).toEqual({first: 4 * all});
	});

	test('of 8-bit AdamW has a quarter of the moments, but for small parameters', async () => {
		const [large, small] = [await sizeOf(size => size >= 4096), await sizeOf(size => size < 4096)];
		const {first, second, firstScale, secondScale} = await stateOf({optimizer: 'adamw8'});
		expect([first, second]).toEqual([large + 4 * small, large + 4 * small]);
		expect(firstScale).toBe(secondScale);
		expect(firstScale).toBeGreaterThanOrEqual(large / 64);
		expect(firstScale).toBeLessThan(large / 60);
	});

	test('of Adafactor has numbers of rows and columns alone', async () => {
		const {rowSquares, columnSquares, ...others} = await stateOf({optimizer: 'adafactor'});
		expect(others).toEqual({});
		const all = await sizeOf(() => true);
		expect(rowSquares! + columnSquares!).toBeLessThan((4 * all) / 10);
	});
});

test('a run of 8-bit AdamW stays near one of AdamW', async () => {
	const asked = {steps: 20, schedule: 'constant'} as const;
	const [plain, coded] = [await trained(asked), await trained({...asked, optimizer: 'adamw8'})];
	const apart = plain.losses.map((loss, n) => Math.abs(loss - coded.losses[n]!));
	const fallen = plain.losses[0]! - plain.losses.at(-1)!;
	expect(fallen).toBeGreaterThan(0.3);
	expect(Math.max(...apart)).toBeLessThan(fallen / 10);
	expect(await hashesOf(coded.model)).not.toEqual(await hashesOf(plain.model));
});

test.each([
	[
		{optimizer: 'lion', epsilon: 1e-6},
		'epsilon: expected --optimizer adamw, adam, adamw8 beside it, got lion',
	],
	[
		{optimizer: 'adafactor', beta2: 0.99},
		'beta2: expected --optimizer adamw, adam, adamw8, lion beside it',
	],
	[{clip: 2, clipValue: 0.1}, 'clip-value: expected this or --clip, got both'],
] as const)('%j is refused', async (asked, message) => {
	await expect(train(await loadTiny(), {...quick, ...asked})).rejects.toThrow(
		expect.objectContaining({code: 'OPTION_CONFLICT', message: expect.stringContaining(message)}),
	);
});

const options: Partial<TrainOptions>[] = [
	{optimizer: 'adam', weightDecay: 0.1},
	{optimizer: 'lion', learningRate: 1e-4, beta2: 0.99},
	{optimizer: 'adamw8'},
	{optimizer: 'adafactor'},
	{clipValue: 0.001},
	{adversarial: 'fgm'},
	{adversarial: 'pgd', adversarialStart: 4},
	{adversarial: 'awp'},
	{ema: 0.8},
	{averageFrom: 0.4, averageEvery: 2},
	{layerDecay: 0.8, learningRateFor: ['blocks:0=1e-4']},
];

describe.each(options)('a run with %j', asked => {
	test('moves otherwise than one without, and whole as in chunks', async () => {
		const {model, losses} = await trained({...asked, epochs: 2});
		const plain = await trained({epochs: 2});
		expect(losses.every(Number.isFinite)).toBe(true);
		const whole = await hashesOf(model);
		expect(whole).not.toEqual(await hashesOf(plain.model));
		const cut = await trained({...asked, epochs: 2, chunkTokens: 40});
		expect(await hashesOf(cut.model)).toEqual(whole);
	});

	test('that is stopped ends in the same bits', async () => {
		const name = JSON.stringify(asked).replaceAll(/\W/g, '');
		const run = async (output: string, more: Partial<TrainOptions> = {}) =>
			train(await loadTiny(), {...quick, ...asked, epochs: 3, output: at(output), ...more});
		await run(`${name}-whole`);
		await expect(run(name, stoppingAt(5))).rejects.toThrow('stopped at 5');
		expect(await run(name, {resume: true})).toMatchObject({resumedFrom: 5});
		const [first, second] = [name, `${name}-whole`].map(each =>
			join(at(each), 'model.safetensors'),
		);
		expect(hashOf(first!)).toBe(hashOf(second!));
	});
});
