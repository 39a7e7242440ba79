// The linear layers of dense retrievers beside a plain transformer. Oracle: poolers.json, made with
// transformers and torch (test/fixtures/heads/poolers.py).

import {cpSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {expect, test} from 'vitest';
import type {LoadOptions} from '../../dist/model/embedding-model.js';
import {temporaryFolder} from '../files/folder.js';
import {bert, loadTiny} from '../train/tiny.js';

const {folder} = temporaryFolder();
const fixture = (name: string) =>
	fileURLToPath(new URL(`../fixtures/heads/${name}`, import.meta.url));
const expected = JSON.parse(readFileSync(fixture('poolers.json'), 'utf8')) as Record<
	'dense' | 'query' | 'document',
	number[][]
> & {texts: string[]};

/** The tiny BERT with the files of a pooler beside it. */
function retriever(name: string, options: LoadOptions = {}) {
	const path = join(folder, `${name}-${Math.random()}`);
	cpSync(bert, path, {recursive: true});
	cpSync(fixture(name), path, {recursive: true});
	return loadTiny({path, pooling: 'cls', normalize: false, ...options});
}

function expectNear(data: Float32Array, rows: number[][]): void {
	const vectors = rows.flat();
	expect(data.length).toBe(vectors.length);
	expect(Math.max(...data.map((value, n) => Math.abs(value - vectors[n]!)))).toBeLessThan(5e-6);
}

test('dense_pooler.bin is a Dense without bias, and saved as one', async () => {
	const model = await retriever('dense_pooler');
	const {data} = await model.encode(expected.texts);
	expectNear(data, expected.dense);
	const place = join(folder, 'saved');
	await model.save(place);
	const again = await loadTiny({path: place, pooling: undefined, normalize: undefined});
	expect((await again.encode(expected.texts)).data).toEqual(data);
	const config = JSON.parse(readFileSync(join(place, '2_Dense', 'config.json'), 'utf8'));
	expect(config).toMatchObject({in_features: 64, out_features: 64, bias: false});
});

test('pooler.pt of two layers is a tower of queries and one of documents', async () => {
	const model = await retriever('tevatron');
	for (const route of ['query', 'document'] as const) {
		expectNear((await model.encode(expected.texts, {route})).data, expected[route]);
	}
	expect(model.warnings.join()).toMatch(/share a transformer/);
	const place = join(folder, 'saved-towers');
	await model.save(place);
	const again = await loadTiny({path: place, pooling: undefined, normalize: undefined});
	expectNear((await again.encode(expected.texts, {route: 'document'})).data, expected.document);
});

test('a new dense pooler is as wide as what it reads and has no bias', async () => {
	const model = await loadTiny({densePooler: true, seed: 2});
	const head = model.core.parameters().filter(({name}) => name.startsWith('head.'));
	expect(head.map(({name, rows, columns}) => [name, rows, columns])).toEqual([
		['head.0.weight', 64, 64],
	]);
	const both = loadTiny({densePooler: true, dense: 8});
	await expect(both).rejects.toMatchObject({code: 'OPTION_CONFLICT'});
});
