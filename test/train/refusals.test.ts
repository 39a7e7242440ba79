// What train() refuses: each with its code and a sentence, before anything is written.

import {readdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {infoNce} from '../../dist/loss/infonce.js';
import type {Loss} from '../../dist/loss/loss.js';
import {type TrainOptions, train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {filesIn, hashesOf, hashOf, lines, loadTiny, metricsIn, quick, rowsOf} from './tiny.js';

const {folder, put} = temporaryFolder();
const rows = rowsOf(8);
const alone = rows.map(({query, positive}) => ({query, positive}));
const at = (name: string) => join(folder, name);

const data = {
	list: put('list.jsonl', lines([rows[0]!, {query: ['a'], positive: 'b'}, rows[1]!])),
	broken: put('broken.jsonl', `${lines(rows.slice(0, 2))}{"query": "a",\n${lines(rows.slice(2))}`),
	empty: put('empty.jsonl', ''),
	blank: put('blank.jsonl', lines([rows[0]!, {query: '', positive: 'b'}])),
};

const matrix: Loss = (ops, {columns: [query]}) => ops.square(query!);
const constant: Loss = ops => ops.constant([1], 1, 1);
const nothing = (() => undefined) as unknown as Loss;

/** Options that the test's own options are put on top of. */
const options = {...quick, batchSize: 4, data: rows};

const refusals: [why: string, asked: Partial<TrainOptions>, code: string, sentence: RegExp][] = [
	['a batch of one without negatives', {data: alone, batchSize: 1}, 'TRAIN_BATCH', /two rows/],
	['a single row', {data: alone.slice(0, 1)}, 'TRAIN_BATCH', /got 1 rows alone/],
	['a list as query', {data: data.list}, 'DATA_ROW', /list\.jsonl:2: expected .*query/],
	['a broken line', {data: data.broken}, 'DATA_ROW', /broken\.jsonl:3: expected/],
	['an empty query', {data: data.blank}, 'DATA_ROW', /blank\.jsonl:2: expected .*query/],
	['an empty file', {data: data.empty}, 'FILE_EMPTY', /empty\.jsonl: expected/],
	['no records', {data: []}, 'DATA_EMPTY', /records: expected/],
	['no such file', {data: at('none.jsonl')}, 'FILE_NOT_FOUND', /none\.jsonl/],
	['no data', {data: undefined}, 'OPTION_MISSING', /expected data, got none/],
	['a number as data', {data: 5}, 'OPTION_TYPE', /data: expected a path/],
	[
		'a text twice in a batch in file order',
		{data: [...rows.slice(0, 2), rows[0]!], order: 'file'},
		...(['DATA_DUPLICATE', /records:3: expected no text twice .* of records:1/] as const),
	],
	[
		'too few negatives',
		{negatives: 1, onShortage: 'error'},
		...(['DATA_ROW', /expected 1 negatives, got 0; 4 such records/] as const),
	],
	['an unknown option', {lerningRate: 1} as object, 'OPTION_UNKNOWN', /did you mean learningRate/],
	['a learning rate of 0', {learningRate: 0}, 'OPTION_RANGE', /learningRate: expected/],
	['a learning rate of NaN', {learningRate: Number.NaN}, 'OPTION_RANGE', /learningRate: expected/],
	['a text as batch size', {batchSize: '8'} as object, 'OPTION_TYPE', /batchSize: expected/],
	['half a step', {steps: 1.5}, 'OPTION_RANGE', /steps: expected a whole number/],
	['dropout of everything', {dropout: 1}, 'OPTION_RANGE', /dropout: expected .*0\.999/],
	['an unknown schedule', {schedule: 'step'} as object, 'OPTION_RANGE', /constant, linear, cosine/],
	['a warm-up that does not fit', {steps: 4, warmupSteps: 4}, 'TRAIN_SCHEDULE', /got 4 steps/],
	['freezing an unknown part', {freeze: ['tail']}, 'OPTION_RANGE', /got tail/],
	['freezing a block too many', {freeze: ['blocks:3']}, 'OPTION_RANGE', /got blocks:3/],
	['freezing a missing head', {freeze: ['head']}, 'OPTION_RANGE', /got head, which it has not/],
	['freezing it all', {freeze: ['embeddings', 'blocks']}, 'OPTION_RANGE', /something left/],
	['queries above the positions', {queryMaxLength: 131}, 'OPTION_RANGE', /at most 130, .* got 131/],
	['documents above the positions', {documentMaxLength: 999}, 'OPTION_RANGE', /got 999/],
	['a missing evaluation', {eval: at('nowhere')}, 'FILE_NOT_FOUND', /nowhere/],
	['the best of nothing', {saveBest: true}, 'OPTION_CONFLICT', /save-best: expected --eval/],
	['a metric of nothing', {metric: 'mine/ndcg@10'}, 'OPTION_RANGE', /none, without --eval/],
	['a loss that is a matrix', {loss: matrix}, 'LOSS_INVALID', /expected one number, got 4 x 64/],
	['a loss of nothing', {loss: nothing}, 'LOSS_INVALID', /return a variable, got nothing/],
	[
		'a loss that is a word',
		{loss: 'infonce'} as object,
		'LOSS_INVALID',
		/be a function, got a string/,
	],
	['a loss without columns', {loss: constant}, 'LOSS_INVALID', /depends on its columns/],
	[
		'only hard candidates without any',
		{data: alone, loss: infoNce({candidates: ['ownHard', 'otherHard']})},
		...(['LOSS_INVALID', /infonce: expected hard negatives/] as const),
	],
	[
		'only own negatives without any',
		{data: alone, loss: infoNce({candidates: ['ownHard']})},
		...(['DATA_ROW', /records:1: expected a "negative", as the loss infonce needs/] as const),
	],
];

describe('train refuses, and leaves nothing behind,', () => {
	test.each(refusals)('%s', async (_, asked, code, message) => {
		const before = readdirSync(folder);
		const model = await loadTiny();
		const weights = await hashesOf(model);
		const refused = train(model, {...options, output: at('out'), ...asked});
		await expect(refused).rejects.toMatchObject({
			code,
			message: expect.stringMatching(message),
		});
		expect(readdirSync(folder)).toEqual(before);
		expect(await hashesOf(model)).toEqual(weights);
	});

	test('going on without an output', async () => {
		await expect(train(await loadTiny(), {...options, resume: true})).rejects.toMatchObject({
			code: 'OPTION_MISSING',
			message: expect.stringContaining('resume: expected the output of the run'),
		});
	});

	test('the best without a place to keep it', async () => {
		const pairs = put('pairs.jsonl', lines([{sentence1: 'a', sentence2: 'b', score: 1}]));
		const asked = {...options, eval: pairs, saveBest: true};
		await expect(train(await loadTiny(), asked)).rejects.toMatchObject({
			code: 'OPTION_CONFLICT',
			message: expect.stringContaining('save-best: expected --output'),
		});
	});

	test('a model that is in training', async () => {
		const model = await loadTiny();
		const first = train(model, {...options, epochs: 3});
		await expect(train(model, options)).rejects.toMatchObject({code: 'OPTION_CONFLICT'});
		expect(await first).toMatchObject({steps: 6});
		expect(await train(model, options)).toMatchObject({steps: 2});
	});
});

describe('a loss that is not finite ends the run', () => {
	test('naming the step and its rows; the last checkpoint stays', async () => {
		const output = at('wild');
		const asked = {learningRate: 1e38, warmupRatio: 0, clip: 0, saveSteps: 1, epochs: 4};
		const file = put('rows.jsonl', lines(rows));
		const wild = train(await loadTiny(), {...options, ...asked, data: file, output});
		await expect(wild).rejects.toMatchObject({
			code: 'LOSS_NOT_FINITE',
			message: expect.stringMatching(
				/^step 2: expected a finite loss .*rows .*rows\.jsonl:\d, .*; lower --learning-rate/,
			),
		});
		expect(metricsIn(output)).toHaveLength(1);
		expect(readdirSync(join(output, 'checkpoints'))).toEqual(['step-1']);
		expect(hashOf(join(output, 'checkpoints/step-1/model.safetensors'))).toMatch(/^[0-9a-f]{64}$/);
		expect(readdirSync(folder)).not.toContain('.wild.lock');
	});

	test('with weights that are not numbers at its first step, leaving nothing', async () => {
		const model = await loadTiny();
		const row = new Float32Array(64).fill(Number.NaN);
		model.core.write('weight', 'blocks.1.mlp.up.weight', 3, row);
		await model.core.pack();
		const before = readdirSync(folder);
		await expect(train(model, {...options, output: at('nan')})).rejects.toMatchObject({
			code: 'LOSS_NOT_FINITE',
			message: expect.stringMatching(/^step 1: .*got loss NaN from the rows records:\d/),
		});
		expect(readdirSync(folder)).toEqual(before);
	});
});

describe('an output that is there', () => {
	test('is refused and stays as it was', async () => {
		const output = at('there');
		await train(await loadTiny(), {...options, output});
		const files = filesIn(output).map(name => [name, hashOf(join(output, name))]);
		await expect(train(await loadTiny(), {...options, output})).rejects.toMatchObject({
			code: 'OUTPUT_EXISTS',
			message: expect.stringMatching(/--resume .*--overwrite/),
		});
		expect(filesIn(output).map(name => [name, hashOf(join(output, name))])).toEqual(files);
	});

	test('is replaced whole when that is asked for', async () => {
		const output = at('replaced');
		await train(await loadTiny(), {...options, epochs: 3, output});
		writeFileSync(join(output, 'notes.txt'), 'of the run before');
		await train(await loadTiny(), {...options, output, overwrite: true});
		expect(filesIn(output)).not.toContain('notes.txt');
		expect(readdirSync(join(output, 'checkpoints'))).toEqual(['step-2']);
	});

	test('is never emptied when it holds what the run reads', async () => {
		const path = at('model');
		await (await loadTiny()).save(path);
		const model = await loadTiny({path});
		const files = filesIn(path);
		const asked = {...options, output: path, overwrite: true};
		await expect(train(model, asked)).rejects.toMatchObject({code: 'OPTION_CONFLICT'});
		writeFileSync(join(path, 'rows.jsonl'), lines(rows));
		const within = {...asked, data: join(path, 'rows.jsonl')};
		await expect(train(await loadTiny(), within)).rejects.toMatchObject({
			code: 'OPTION_CONFLICT',
			message: expect.stringContaining('which holds'),
		});
		expect(filesIn(path)).toEqual([...files, 'rows.jsonl'].sort());
	});

	test.each(['overwrite', 'resume'])(
		'is never the folder that is worked in, with %s',
		async how => {
			const kept = put('kept.txt', 'x');
			const here = process.cwd();
			process.chdir(folder);
			const refused = train(await loadTiny(), {...options, output: '.', [how]: true});
			await expect(refused.finally(() => process.chdir(here))).rejects.toMatchObject({
				code: 'FILE_WRITE',
			});
			expect(hashOf(kept)).toHaveLength(64);
		},
	);

	test('and is no run is not gone on with', async () => {
		const letters = at('letters');
		await (await loadTiny()).save(letters);
		const asked = {...options, output: letters, resume: true};
		await expect(train(await loadTiny(), asked)).rejects.toMatchObject({
			code: 'OUTPUT_EXISTS',
			message: expect.stringContaining('got a folder of other things'),
		});
		expect(filesIn(letters)).toContain('model.safetensors');
	});
});
