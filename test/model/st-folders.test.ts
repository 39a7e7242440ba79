// Folders that the real sentence-transformers made, against the embeddings that it gives for them; and what
// is saved of them. The fixtures and the script that makes them: test/fixtures/st-folders.

import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {readNpy} from '../../dist/files/npy.js';
import {temporaryFolder} from '../files/folder.js';
import {load} from './folders.js';
import {cases, fixtures, promptOf, stFolder, texts} from './st-fixtures.js';

const all = Object.entries(cases);
const {folder} = temporaryFolder();
let made = 0;
const place = () => join(folder, `model-${made++}`);

/** Of a float32 forward pass against a float64 one; the columns are those of unit rows. */
const limit = 2e-6;

const folderOf = (name: string) => stFolder(name, place());

/** Rows of unit length; a row of zeros stays one. */
function units(values: Iterable<number>, width: number): Float64Array {
	const rows = Float64Array.from(values);
	for (let at = 0; at < rows.length; at += width) {
		const norm = Math.hypot(...rows.subarray(at, at + width)) || 1;
		for (let column = at; column < at + width; column++) rows[column]! /= norm;
	}
	return rows;
}

describe('a folder of sentence-transformers gives its embeddings:', () => {
	test.each(all)('%s', async name => {
		const model = await load(folderOf(name));
		const {data, width} = await model.encode(texts, promptOf(name));
		const expected = await readNpy(join(fixtures, name, 'expected.npy'));
		expect(expected.shape).toEqual([texts.length, width]);
		const exact = units(expected.data as Float32Array, width);
		const errors = units(data, width).map((value, at) => Math.abs(value - exact[at]!));
		expect(Math.max(...errors)).toBeLessThan(limit);
	});
});

describe('what is saved of it gives the same bits:', () => {
	test.each(all)('%s', async name => {
		const [model, path] = [await load(folderOf(name)), place()];
		await model.save(path);
		const again = await load(path);
		const options = promptOf(name);
		const [before, after] = [
			await model.encode(texts, options),
			await again.encode(texts, options),
		];
		expect(after).toEqual(before);
		expect(again.fingerprint).toBe(model.fingerprint);
		expect(again.prompts).toMatchObject({...model.prompts, ...again.prompts});
	});
});

describe('what is saved of it has the layout that every version reads:', () => {
	const types: [string, string[]][] = [
		['pool-all', ['Transformer', 'Pooling']],
		['dense-two', ['Transformer', 'Pooling', 'Dense', 'Dense', 'Normalize']],
		['layer-norm', ['Transformer', 'Pooling', 'LayerNorm', 'Dense', 'LayerNorm']],
		['router-one', ['Transformer', 'Pooling', 'Normalize']],
		['router-same', ['Transformer', 'Pooling', 'Dense']],
		['static-dense', ['StaticEmbedding', 'Dense', 'Normalize']],
	];

	test.each(types)('%s', async (name, kinds) => {
		const path = place();
		await (await load(folderOf(name))).save(path);
		const modules = JSON.parse(readFileSync(join(path, 'modules.json'), 'utf8')) as object[];
		expect(modules).toEqual(
			kinds.map((kind, idx) => ({
				...{idx, name: String(idx), type: `sentence_transformers.models.${kind}`},
				path: kind === 'Transformer' ? '' : `${idx}_${kind}`,
			})),
		);
		for (const {path: inside} of modules as {path: string}[]) {
			expect(existsSync(join(path, inside))).toBe(true);
		}
	});

	test('several poolings are booleans', async () => {
		const path = place();
		await (await load(folderOf('pool-all'))).save(path);
		const config = JSON.parse(readFileSync(join(path, '1_Pooling/config.json'), 'utf8')) as object;
		expect(config).toEqual({
			word_embedding_dimension: 64,
			pooling_mode_cls_token: true,
			pooling_mode_mean_tokens: true,
			pooling_mode_max_tokens: true,
			pooling_mode_mean_sqrt_len_tokens: true,
			pooling_mode_weightedmean_tokens: true,
			pooling_mode_lasttoken: true,
			include_prompt: true,
		});
	});

	test('but for poolings in an order of their own, which is said before work begins', async () => {
		const [model, path] = [await load(folderOf('pool-other-order')), place()];
		await model.save(path);
		expect(readFileSync(join(path, '1_Pooling/config.json'), 'utf8')).toContain(
			'"pooling_mode": [',
		);
		expect(model.folder.saveWarnings).toEqual([
			'what is saved will not open in sentence-transformers as it is: ' +
				'only version 5.4 and newer join poolings in the order of this model',
		]);
	});
});

describe('the shape up to 5.3 gives the same bits as the one of 6.2:', () => {
	const keys: [string, object][] = [
		['pool-cls', {pooling_mode_cls_token: true}],
		['pool-max', {pooling_mode_max_tokens: true}],
		['pool-mean', {pooling_mode_mean_tokens: true}],
		['pool-mean_sqrt_len_tokens', {pooling_mode_mean_sqrt_len_tokens: true}],
		['pool-weightedmean', {pooling_mode_weightedmean_tokens: true}],
		['pool-lasttoken', {pooling_mode_lasttoken: true}],
		['prompt-mean', {pooling_mode_mean_tokens: true, include_prompt: false}],
		[
			'pool-all',
			{
				pooling_mode_lasttoken: true,
				pooling_mode_weightedmean_tokens: true,
				pooling_mode_mean_sqrt_len_tokens: true,
				pooling_mode_mean_tokens: true,
				pooling_mode_max_tokens: true,
				pooling_mode_cls_token: true,
			},
		],
	];

	test.each(keys)('%s', async (name, config) => {
		const old = folderOf(name);
		const write = (file: string, value: object) =>
			writeFileSync(join(old, file), JSON.stringify(value));
		write('1_Pooling/config.json', {word_embedding_dimension: 64, ...config});
		write('sentence_bert_config.json', {max_seq_length: 40, do_lower_case: false});
		write('modules.json', [
			{idx: 0, name: '0', path: '', type: 'sentence_transformers.models.Transformer'},
			{idx: 1, name: '1', path: '1_Pooling', type: 'sentence_transformers.models.Pooling'},
		]);
		const [model, newer] = [await load(old), await load(folderOf(name))];
		const options = promptOf(name);
		expect(await model.encode(texts, options)).toEqual(await newer.encode(texts, options));
	});
});
