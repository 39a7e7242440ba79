// Parts that begin anew, as the command line has them.

import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {bert, inbatch, temporaryFolder} from './command-line.js';

const folder = temporaryFolder();
const data = join(folder, 'pairs.jsonl');
const words = ['symptom', 'sign', 'pattern', 'service', 'union', 'company', 'age', 'other'];
const pairs = words.map(word => ({query: `what is the ${word}`, positive: `the ${word} of this`}));
writeFileSync(data, pairs.map(pair => `${JSON.stringify(pair)}\n`).join(''));

const train = (name: string, ...more: string[]) => {
	const output = ['--output', join(folder, name), '--device', 'cpu', '--quiet'];
	return inbatch(['train', '--data', data, ...output, ...more]);
};

test('a model is trained from scratch, without a model, and reads back', async () => {
	const {code, stderr} = await train(
		'scratch',
		...['--init', join(bert, 'config.json'), '--pooling', 'gem', '--dense', '12'],
	);
	expect(stderr).toBe('');
	expect(code).toBe(0);
	const input = ['--model', join(folder, 'scratch'), '--input', '-', '--output', '-', '--quiet'];
	const {stdout} = await inbatch(['encode', ...input], {input: 'a sign\n'});
	expect(JSON.parse(stdout).embedding).toHaveLength(12);
});

test('towers are trained apart and encode by --route', async () => {
	const {code} = await train(
		'towers',
		...['--model', bert, '--pooling', 'mean', '--towers', 'separate', '--learning-rate', '1e-3'],
		...['--warmup-steps', '0', '--freeze', 'document'],
	);
	expect(code).toBe(0);
	const encode = async (...more: string[]) => {
		const model = ['--model', join(folder, 'towers'), '--device', 'cpu', '--quiet'];
		const given = [...model, '--input', '-', '--output', '-', ...more];
		return (await inbatch(['encode', ...given], {input: 'a sign\n'})).stdout;
	};
	const [query, document] = [await encode('--route', 'query'), await encode('--route', 'document')];
	expect(query).not.toBe(document);
	expect(await encode()).toBe(document);
});

test.each([
	[[], '--model: expected'],
	[['--model', bert, '--dense-activation', 'tanh'], 'OPTION_CONFLICT'],
	[['--model', bert, '--dense', '8', '--dense-pooler'], 'OPTION_CONFLICT'],
	[['--model', bert, '--document-model', bert], 'OPTION_CONFLICT'],
	[['--model', bert, '--towers', 'three'], 'OPTION_RANGE'],
	[['--model', bert, '--dense', '0'], 'OPTION_RANGE'],
])('%j is wrong usage', async (more, message) => {
	const {code, stderr} = await train('wrong', ...more);
	expect(stderr).toContain(message);
	expect(code).toBe(2);
});
