// Runs on several data sets, mixed in every way: what a step sees, and that a run gone on with from any
// of its checkpoints is the same run.

import {cpSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {openDataset} from '../../dist/data/dataset.js';
import type {MixingOptions} from '../../dist/data/mixing.js';
import {Rows} from '../../dist/data/rows.js';
import {infoNce} from '../../dist/loss/infonce.js';
import {planCourse} from '../../dist/train/epochs.js';
import {trainSchema} from '../../dist/train/options.js';
import {prepareStep} from '../../dist/train/prepare.js';
import {type TrainOptions, train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {killedAfter, trainApart} from './children.js';
import {bert, hashOf, lines, loadTiny, metricsIn, rowsOf, timeless} from './tiny.js';

const {folder, put} = temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
const rows = rowsOf(32);
const data = [
	`large=${put('large.jsonl', lines(rows.slice(0, 19)))}`,
	`small=${put('small.jsonl', lines(rows.slice(19, 28)))}`,
];

const mixes: [string, MixingOptions][] = [
	['proportional', {}],
	['weighted', {mixing: 'weighted', weight: ['large=1', 'small=2']}],
	['temperature', {mixing: 'temperature', mixingTemperature: 2}],
	['round-robin', {mixing: 'round-robin'}],
	...(['epoch', 'epoch-static', 'epoch-random', 'random'] as const).map(
		homogeneous => [homogeneous, {mixing: 'homogeneous', homogeneous}] as [string, MixingOptions],
	),
];

const options = {
	data,
	batchSize: 4,
	epochs: 2,
	learningRate: 1e-3,
	dropout: 0.1,
	seed: 9,
	keep: 99,
};

test.each(mixes)(
	'%s: gone on with from any checkpoint a run ends in the same bits',
	{
		timeout: 300_000,
	},
	async (name, mix) => {
		const run = async (output: string, more: Partial<TrainOptions>) => {
			const model = await loadTiny();
			return train(model, {...options, ...mix, output, saveSteps: 4, ...more});
		};
		const whole = at(name);
		const {steps} = await run(whole, {});
		const {length} = metricsIn(whole);
		expect(length).toBe(steps);
		for (let step = 4; step < steps; step += 4) {
			const part = at(`${name} ${step}`);
			const later = (path: string) => Number(/step-(\d+)/.exec(path)?.[1] ?? 0) > step;
			cpSync(whole, part, {recursive: true, filter: path => !later(path)});
			expect((await run(part, {resume: true})).resumedFrom).toBe(step);
			expect(hashOf(join(part, 'model.safetensors'))).toBe(
				hashOf(join(whole, 'model.safetensors')),
			);
			expect(timeless(metricsIn(part))).toEqual(timeless(metricsIn(whole)));
			rmSync(part, {recursive: true});
		}
	},
);

test('A run of homogeneous batches that is killed ends in the same bits', {
	timeout: 300_000,
}, async () => {
	const mix = {mixing: 'homogeneous', homogeneous: 'epoch-random'} as const;
	const asked = {model: bert, ...options, ...mix, epochs: 4, threads: 1, saveSteps: 2};
	await trainApart({...asked, output: at('uncut')});
	for (const [n, step] of [3, 8, 15].entries()) {
		await killedAfter(`step ${step}`, 5, {...asked, output: at('cut'), resume: n > 0});
	}

	await trainApart({...asked, output: at('cut'), resume: true});
	expect(hashOf(at('cut', 'model.safetensors'))).toBe(hashOf(at('uncut', 'model.safetensors')));
	expect(timeless(metricsIn(at('cut')))).toEqual(timeless(metricsIn(at('uncut'))));
});

test('A checkpoint under another mixing or other sets is refused', async () => {
	const output = at('refused');
	const first = {...options, epochs: 1, output};
	await train(await loadTiny(), first);
	const again = async (more: Partial<TrainOptions>) =>
		train(await loadTiny(), {...first, resume: true, ...more});
	await expect(again({mixing: 'round-robin'})).rejects.toThrow('mixing: expected nothing as when');
	await expect(again({maxRows: 9})).rejects.toThrow('maxRows: expected nothing as when');
	const one = data.map(source => source.replace(/^\w+/, 'one'));
	await expect(again({data: one})).rejects.toMatchObject({code: 'RESUME_CHANGED'});
	const renamed = data.map(source => `my-${source}`);
	expect((await again({data: renamed})).resumedFrom).not.toBeNull();
});

test('A step knows the data set of each of its rows by name', async () => {
	const dataset = await openDataset(data);
	const settings = trainSchema.parse({batchSize: 28});
	const all = await Rows.select(dataset, settings);
	const model = await loadTiny();
	const {value} = await (await planCourse(all, settings)).from(1).next();
	const rules = {queryMaxLength: 32, documentMaxLength: 32, views: 1, chunkTokens: 512} as const;
	const prompts = {query: () => '', document: () => ''};
	const none = {teacher: undefined, guide: undefined, judgements: undefined};
	const source = {
		model,
		rows: all,
		rules: {...rules, prompts},
		...none,
	};
	const {facts} = await prepareStep(source as never, value!, {loss: infoNce()});
	expect(facts.sets).toEqual(Array.from(value!.rows, row => (row < 19 ? 'large' : 'small')));
	await dataset.close();
});

describe('options of mixing', () => {
	test.each([
		[{weight: ['a=1']}, 'OPTION_CONFLICT', 'expected mixing weighted beside weight, got none'],
		[{mixing: 'weighted'}, 'OPTION_MISSING', 'expected weight beside mixing weighted, got none'],
		[{mixing: 'temperature'}, 'OPTION_MISSING', 'expected mixing-temperature beside mixing temp'],
		[{mixingTemperature: 2}, 'OPTION_CONFLICT', 'expected mixing temperature beside mixing-temp'],
		[{homogeneous: 'random'}, 'OPTION_CONFLICT', 'expected mixing homogeneous beside homogeneous'],
		[{mixing: 'homogeneous', order: 'file'}, 'OPTION_CONFLICT', 'expected order shuffle beside'],
		[{maxRowsChoice: 'last'}, 'OPTION_CONFLICT', 'expected max-rows beside max-rows-choice'],
		[{filterLength: 'long'}, 'OPTION_RANGE', 'expected numbers of characters as 10-2000'],
		[{teacherWidth: 4}, 'OPTION_CONFLICT', 'teacher-width: expected teacher-vectors beside it'],
		[{negativeChoice: 'random'}, 'OPTION_CONFLICT', 'expected a number of negatives beside neg'],
		[{onShortage: 'drop'}, 'OPTION_CONFLICT', 'expected a number of negatives beside on-shortage'],
		[{resample: 'once'}, 'OPTION_CONFLICT', 'expected positives or negative-choice random beside'],
		[{mixing: 'weighted', weight: ['a=x']}, 'OPTION_RANGE', 'with W above 0, got "a=x"'],
	] as const)('that nothing would use are refused: %o', async (more, code, message) => {
		const asked = {...options, ...more} as TrainOptions;
		await expect(train(await loadTiny(), asked)).rejects.toMatchObject({
			code,
			message: expect.stringContaining(message),
		});
	});
});
