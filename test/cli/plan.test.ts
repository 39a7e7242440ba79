// `inbatch plan` as people call it.

import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {temporaryFolder} from '../files/folder.js';
import {bert, lines, rowsOf} from '../train/tiny.js';
import {inbatch} from './command-line.js';

const {folder, put} = temporaryFolder();
const data = put('rows.jsonl', lines(rowsOf(12)));
const scored = put(
	'scored.jsonl',
	lines([
		{sentence1: 'a', sentence2: 'b', score: 1},
		{sentence1: 'c', sentence2: 'd', score: 0},
	]),
);
const model = ['--model', bert, '--pooling', 'mean'];
const base = [...model, '--data', data, '--batch-size', '4'];

test('it takes the options of train as they are and writes nothing', async () => {
	const output = join(folder, 'out');
	const more = [
		'--eval',
		`sts=${scored}`,
		'--eval-steps',
		'1',
		'--patience',
		'2',
		'--min-delta',
		'0.1',
	];
	const {code, stdout} = await inbatch([
		...['plan', ...base, ...more, '--save-best', '--output', output, '--json'],
	]);
	expect(code).toBe(0);
	const found = JSON.parse(stdout);
	expect(found).toMatchObject({fits: true, steps: 3, rows: 12, measuredSteps: 6});
	expect(Object.keys(found.memory)).toEqual([
		...['weights', 'gradients', 'optimizer', 'activations', 'loss', 'data', 'node', 'peak'],
	]);
	expect(found.disk).toBeGreaterThan(4 * found.memory.gradients);
	expect(existsSync(output)).toBe(false);
});

test('for people it is a table, and says what does not fit', async () => {
	const {code, stdout} = await inbatch(['plan', ...base, '--memory-limit', '0.01']);
	expect(code).toBe(0);
	expect(stdout).toMatch(/^memory: weights +\d+\.\d\d GiB$/m);
	expect(stdout).toMatch(/^may take +0\.01 GiB: does not fit$/m);
	expect(stdout).toMatch(/^time +not measured$/m);
});

test('train refuses what does not fit and leaves nothing', async () => {
	const output = join(folder, 'none');
	const {code, stdout, stderr} = await inbatch([
		...['train', ...base, '--output', output, '--memory-limit', '0.01'],
	]);
	expect([code, stdout]).toEqual([1, '']);
	expect(stderr).toMatch(/^error OUT_OF_MEMORY: memory: expected a run of at most 0\.01 GiB/m);
	expect(existsSync(output)).toBe(false);
});
