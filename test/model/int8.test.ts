// Encoding in int8: near to float32, the same bits in any company, and for encoding only.

import {existsSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {EmbeddingModel, evaluate, train} from '../../dist/index.js';

const texts = [
	'my bike makes a noise when it rains',
	'',
	'The committee will meet again on Thursday to discuss the budget of the coming year.',
	'Wie spät ist es?',
	'a '.repeat(180),
	...Array.from({length: 40}, (_, n) => `question ${n} about ${'bread and salt '.repeat(n % 7)}`),
];

const folder = mkdtempSync(join(tmpdir(), 'inbatch-int8-'));
let full: EmbeddingModel;
let model: EmbeddingModel;

beforeAll(async () => {
	full = await EmbeddingModel.load('builtin');
	model = await EmbeddingModel.load('builtin', {dtype: 'int8'});
});

afterAll(async () => {
	await full.dispose();
	await model.dispose();
	rmSync(folder, {recursive: true});
});

describe('a model loaded in int8', () => {
	test('gives vectors near those of float32, and others', async () => {
		const [expected, {data, rows, width}] = [await full.encode(texts), await model.encode(texts)];
		const cosines = Array.from({length: rows}, (_, row) => {
			let dot = 0;
			for (let at = row * width; at < (row + 1) * width; at++)
				dot += data[at]! * expected.data[at]!;
			return dot;
		});
		expect(Math.min(...cosines)).toBeGreaterThan(0.98);
		expect(data).not.toEqual(expected.data);
	});

	test('gives a text the same bits in any company, order and number of threads', async () => {
		const {data, width} = await model.encode(texts);
		const backwards = await model.encode([...texts].reverse(), {batchTokens: 64});
		const single = await EmbeddingModel.load('builtin', {dtype: 'int8', threads: 1});
		for (const [n, text] of texts.entries()) {
			const row = data.slice(n * width, (n + 1) * width);
			const other = texts.length - 1 - n;
			expect(backwards.data.slice(other * width, (other + 1) * width)).toEqual(row);
			expect(await single.embed(text)).toEqual(row);
		}
		await single.dispose();
	});

	test('has a fingerprint of its own', () => {
		expect(model.fingerprint).not.toBe(full.fingerprint);
	});

	test('can be evaluated', async () => {
		const sts = join(folder, 'pairs.jsonl');
		const rows = texts
			.slice(0, 12)
			.map((text, n) => ({text1: text, text2: texts[n + 7], score: n}));
		writeFileSync(sts, rows.map(row => JSON.stringify(row)).join('\n'));
		const {results} = await evaluate(model, {sts});
		expect(results[0]!.metrics['spearman_cosine']).toBeTypeOf('number');
	});

	test('is neither trained nor saved', async () => {
		const refusal = {code: 'DTYPE_UNSUPPORTED'};
		await expect(model.save(join(folder, 'saved'))).rejects.toMatchObject(refusal);
		expect(existsSync(join(folder, 'saved'))).toBe(false);
		const data = [{query: 'a', positive: 'b'}];
		await expect(train(model, {data})).rejects.toMatchObject(refusal);
	});
});
