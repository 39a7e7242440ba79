import {join} from 'node:path';
import {expect, test} from 'vitest';
import {bert, inbatch, temporaryFolder} from './command-line.js';

const folder = temporaryFolder();
const mean = ['--pooling', 'mean'];

test('Models are mixed into a folder, and --json says of what', async () => {
	const output = join(folder, 'mixed');
	const args = ['mix', '--model', bert, bert, '--weights', '0.25,0.75', ...mean];
	const {code, stdout, stderr} = await inbatch([...args, '--output', output, '--json']);
	expect({code, stderr}).toEqual({code: 0, stderr: expect.stringContaining('0.25 × ')});
	expect(JSON.parse(stdout)).toMatchObject({output, models: [{weight: 0.25}, {weight: 0.75}]});
	const again = await inbatch([...args, '--output', output, '--json']);
	expect(again).toMatchObject({code: 1, stdout: ''});
	expect(again.stderr).toContain('error OUTPUT_EXISTS');
});

test.each([
	[['--model', bert], 'error OPTION_MISSING: mix: expected two models or more, got 1'],
	[
		['--model', bert, bert, '--weights', '0.5,0.6'],
		'error OPTION_RANGE: weights: expected a sum of 1',
	],
	[['--model', bert, bert, '--weights', 'half,half'], 'error OPTION_TYPE: --weights'],
])('%j is wrong usage', async (args, message) => {
	const {code, stderr} = await inbatch(['mix', ...args, ...mean, '--output', join(folder, 'no')]);
	expect({code, stderr}).toEqual({code: 2, stderr: expect.stringContaining(message)});
});
