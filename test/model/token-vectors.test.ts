// Vectors of tokens: those of sentence-transformers (fixtures/late-interaction/make.py), the same in any
// company, and saved so that they come back.

import {copyFileSync, cpSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {describe, expect, test} from 'vitest';
import {maxSim} from '../../dist/index.js';
import {temporaryFolder} from '../files/folder.js';
import {bert, load, modelFolder} from './folders.js';
import {stFolder} from './st-fixtures.js';

const {folder} = temporaryFolder();
let made = 0;
const place = () => join(folder, `model-${made++}`);

const fixtures = fileURLToPath(new URL('../fixtures/late-interaction', import.meta.url));
const expected = JSON.parse(readFileSync(join(fixtures, 'expected.json'), 'utf8')) as Readonly<
	Record<'queries' | 'documents', string[]> &
		Record<'queryVectors' | 'documentVectors', number[][]> & {scores: number[]}
>;

/** The fixture with the weights and the tokenizer of its transformer. */
function encoder(): string {
	const path = place();
	cpSync(join(fixtures, 'encoder'), path, {recursive: true});
	for (const file of ['model.safetensors', 'tokenizer.json', 'vocab.txt']) {
		copyFileSync(join(bert, file), join(path, file));
	}
	return path;
}

const mean = {pooling: 'mean'} as const;
const texts = ['the symptom', '', 'What IS the age of all the others?', 'the symptom'];

describe('a MultiVectorEncoder', () => {
	test('gives the vectors and scores that sentence-transformers gives', async () => {
		const model = await load(encoder());
		const queries = await model.encodeTokens(expected.queries, {prompt: 'query'});
		const documents = await model.encodeTokens(expected.documents, {prompt: 'document'});
		for (const [vectors, wanted] of [
			[queries, expected.queryVectors],
			[documents, expected.documentVectors],
		] as const) {
			const sizes = wanted.map(rows => rows.length / vectors.width);
			expect(
				Array.from(vectors.offsets.subarray(1), (end, n) => end - vectors.offsets[n]!),
			).toEqual(sizes);
			for (const [at, value] of wanted.flat().entries()) {
				expect(Math.abs(vectors.data[at]! - value)).toBeLessThan(2e-6);
			}
		}
		const scores = await maxSim(queries, documents);
		for (const [at, score] of expected.scores.entries()) expect(scores[at]).toBeCloseTo(score, 4);
	});

	test('is saved so that it gives the same bits, and refuses what it has not', async () => {
		const model = await load(encoder());
		const path = place();
		await model.save(path);
		const again = await load(path);
		expect(await again.encodeTokens(texts)).toEqual(await model.encodeTokens(texts));
		await expect(again.encode(texts)).rejects.toMatchObject({code: 'MODEL_POOLING'});
		await expect(load(path, mean)).rejects.toMatchObject({code: 'OPTION_CONFLICT'});
	});

	test.each([
		['2_MultiVectorMask/config.json', {skiplist_words: ['.']}, 'skiplist_words'],
		['2_MultiVectorMask/config.json', {keep_only_token_ids: [3]}, 'keep_only_token_ids'],
		['sentence_bert_config.json', {query_expansion: {strategy: 'fixed'}}, 'query_expansion'],
		['config_sentence_transformers.json', {model_type: 'ColBERT'}, 'expected a MultiVectorEncoder'],
	])('with %s of %j is refused by name', async (file, content, message) => {
		const path = modelFolder(place(), {[file]: content}, encoder());
		await expect(load(path)).rejects.toThrow(message);
	});
});

describe('a model with a pooling', () => {
	test('gives the rows that the pooling is of, of length 1 unless asked otherwise', async () => {
		const model = await load(bert, mean);
		const {data, offsets, rows, width} = await model.encodeTokens(texts, {normalize: false});
		const pooled = await model.encode(texts, {normalize: false});
		expect([rows, offsets.length, width]).toEqual([data.length / 64, 5, 64]);
		for (let text = 0; text < texts.length; text++) {
			const [begin, end] = [offsets[text]!, offsets[text + 1]!];
			for (let column = 0; column < width; column++) {
				let sum = 0;
				for (let row = begin; row < end; row++) sum += data[row * width + column]!;
				expect(sum / (end - begin)).toBeCloseTo(pooled.data[text * width + column]!, 5);
			}
		}
		const unit = await model.encodeTokens(texts);
		expect(Math.hypot(...unit.data.subarray(0, width))).toBeCloseTo(1, 5);
	});

	test('gives a text the same bits in any company, and one text as a string', async () => {
		const model = await load(bert, mean);
		const {data, offsets, width} = await model.encodeTokens(texts, {batchTokens: 4});
		const alone = await model.encodeTokens(texts[2]!);
		expect(alone.data).toEqual(data.slice(offsets[2]! * width, offsets[3]! * width));
		const two = await load(bert, {...mean, threads: 2});
		expect((await two.encodeTokens(texts)).data).toEqual(data);
		const {truncated} = await model.encodeTokens(texts, {maxLength: 3});
		expect(truncated).toBe(3);
	});

	test('cuts to leading columns and makes these of length 1', async () => {
		const model = await load(bert, mean);
		const whole = await model.encodeTokens('the symptom');
		const cut = await model.encodeTokens('the symptom', {dimensions: 5});
		const length = Math.hypot(...whole.data.subarray(0, 5));
		for (let n = 0; n < 5; n++) expect(cut.data[n]).toBeCloseTo(whole.data[n]! / length, 5);
	});

	test.each(['pool-all', 'static', 'layer-norm'])('such as %s has none', async name => {
		const model = await load(stFolder(name, place()));
		await expect(model.encodeTokens('a')).rejects.toMatchObject({code: 'MODEL_POOLING'});
	});

	test('refuses texts that are none, and stops at once', async () => {
		const model = await load(bert, mean);
		await expect(model.encodeTokens(['a', 3 as never])).rejects.toThrow(
			'texts[1]: expected a string',
		);
		const signal = AbortSignal.abort(new Error('not now'));
		await expect(model.encodeTokens(['a'], {signal})).rejects.toThrow('not now');
		expect((await model.encodeTokens([])).offsets).toEqual(Int32Array.of(0));
	});
});

describe('maxSim', () => {
	const query = {data: Float32Array.of(1, 0, 0, 1), width: 2};

	test('adds up what is nearest to each token', async () => {
		const documents = {
			data: Float32Array.of(0.6, 0.8, 1, 0, -1, 0),
			width: 2,
			offsets: [0, 2, 2, 3],
		};
		const scores = await maxSim(query, documents);
		expect([...scores].map(score => score.toFixed(6))).toEqual([
			'1.800000',
			'0.000000',
			'-1.000000',
		]);
	});

	test.each([
		[{data: Float32Array.of(1, 2, 3), width: 3}, 'rows of 2 columns'],
		[{data: Float32Array.of(1, 2, 3), width: 2}, 'whole rows'],
		[{data: Float32Array.of(1, 2), width: 2, offsets: [0, 2]}, 'rise from 0 to 1'],
		[{data: [1, 2], width: 2}, 'Float32Array'],
	])('refuses documents of %j', async (documents, message) => {
		await expect(maxSim(query, documents as never)).rejects.toThrow(message);
	});
});
