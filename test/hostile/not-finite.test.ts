// Weights and vectors that are infinite or not a number are refused by name, and never reach a file.

import {mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {inbatch} from '../cli/command-line.js';
import {load, modelFolder, rewriteWeights, type WeightTensor} from '../model/folders.js';

const folder = mkdtempSync(join(tmpdir(), 'inbatch-not-finite-'));
const at = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, {recursive: true, force: true}));

const key = 'encoder.layer.0.attention.self.key.weight';

/** A model folder in which the values of some tensors are changed. */
async function withValues(
	name: string,
	tensors: RegExp,
	change: (values: Float32Array) => unknown,
): Promise<string> {
	const path = modelFolder(at(name));
	await rewriteWeights(path, (tensor, {dtype, shape, bytes}): [string, WeightTensor] => {
		const values = new Float32Array(bytes.slice().buffer);
		if (tensors.test(tensor)) change(values);
		return [tensor, {dtype, shape, bytes: new Uint8Array(values.buffer)}];
	});
	return path;
}

describe('A model is not loaded', () => {
	test.each([
		['NaN', Number.NaN, 'NaN'],
		['infinity', Number.NEGATIVE_INFINITY, 'infinity'],
	])('when a weight is %s', async (name, value, got) => {
		const path = await withValues(name, /^encoder\.layer\.0\..*key\.weight$/, values =>
			values.fill(value, 4095, 4096),
		);
		await expect(load(path, {pooling: 'mean'})).rejects.toMatchObject({
			code: 'MODEL_TENSOR',
			message:
				`${join(path, 'model.safetensors')}: expected finite numbers in tensor "${key}", ` +
				`got ${got} at element 4095; the file is damaged`,
		});
	});

	test('when a weight of half the width becomes infinite', async () => {
		const path = modelFolder(at('half'));
		await rewriteWeights(path, (name, {dtype, shape, bytes}): [string, WeightTensor] => {
			if (name !== key) return [name, {dtype, shape, bytes}];
			const halves = new Uint16Array(bytes.length / 4);
			halves[7] = 0x7c00;
			return [name, {dtype: 'F16', shape, bytes: new Uint8Array(halves.buffer)}];
		});
		await expect(load(path, {pooling: 'mean'})).rejects.toMatchObject({
			code: 'MODEL_TENSOR',
			message: expect.stringContaining(`tensor "${key}", got infinity at element 7`),
		});
	});

	test('by the command, which leaves nothing', async () => {
		const path = await withValues('command', /pooler|key\.weight$/, values =>
			values.fill(Number.NaN, 0, 1),
		);
		const args = ['--model', path, '--pooling', 'mean', '--input', '-', '--output', at('out.npy')];
		const {code, stdout, stderr} = await inbatch(['encode', ...args], {input: 'a text\n'});
		expect([code, stdout]).toEqual([1, '']);
		expect(stderr.trimEnd().split('\n').at(-1)).toMatch(/^error MODEL_TENSOR: .*NaN at element 0/);
		expect(readdirSync(folder).filter(name => name.includes('out'))).toEqual([]);
	});
});

describe('Weights that are finite and too large', () => {
	const overflowing = () =>
		withValues('large', /word_embeddings|LayerNorm\.weight$/, values => values.fill(3e38));

	test('make encode name the text whose vector is not finite', async () => {
		const model = await load(await overflowing(), {pooling: 'mean'});
		await expect(model.encode(['a', 'b', 'a'])).rejects.toMatchObject({
			code: 'VECTOR_NOT_FINITE',
			message: expect.stringMatching(/^texts\[0\]: expected a vector of finite numbers, got NaN/),
		});
	});

	test.each(['npy', 'jsonl'])('never reach a file of %s', async ending => {
		const path = await overflowing();
		const output = at(`vectors.${ending}`);
		const args = ['--model', path, '--pooling', 'mean', '--input', '-', '--output', output];
		const {code, stdout, stderr} = await inbatch(['encode', ...args], {input: 'a text\n'});
		expect([code, stdout]).toEqual([1, '']);
		expect(stderr.trimEnd().split('\n').at(-1)).toMatch(
			/^error VECTOR_NOT_FINITE: standard input:1: expected a vector of finite numbers/,
		);
		expect(readdirSync(folder).filter(name => name.includes('vectors'))).toEqual([]);
	});
});
