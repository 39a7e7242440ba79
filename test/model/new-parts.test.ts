// Parts of a model that begin anew: a transformer from its configuration alone, and a Dense. Oracle:
// scratch.json, how transformers begins the same tensors (test/fixtures/heads/scratch.py), and the bound
// of torch's Linear.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {expect, test} from 'vitest';
import type {EmbeddingModel, LoadOptions} from '../../dist/model/embedding-model.js';
import {temporaryFolder} from '../files/folder.js';
import {bert, hashesOf, loadTiny} from '../train/tiny.js';

const {folder} = temporaryFolder();
const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
type Facts = {mean: number; square: number; largest: number};
const expected = JSON.parse(readFileSync(fixture('heads/scratch.json'), 'utf8')) as Record<
	string,
	Record<string, Facts>
>;

const scratch = (name: string, options: LoadOptions = {}) => {
	const path = fixture(`families/${name}`);
	return loadTiny({path, init: join(path, 'config.json'), seed: 3, ...options});
};

async function valuesOf({core}: EmbeddingModel, parameter: string): Promise<Float32Array> {
	const {rows, columns} = core.parameters().find(({name}) => name === parameter)!;
	const values = new Float32Array(rows * columns);
	await core.read('weight', parameter, 0, values);
	return values;
}

const meanOf = (values: Float32Array, of = (x: number) => x) =>
	values.reduce((sum, x) => sum + of(x), 0) / values.length;

test.each(Object.keys(expected))('%s begins as transformers has it begin', async name => {
	const model = await scratch(name);
	const [{mapped} = {mapped: []}] = model.stored;
	for (const [file, {mean, square, largest}] of Object.entries(expected[name]!)) {
		const own = mapped.find(one => one.file === file);
		expect(own, file).toBeDefined();
		const values = (await valuesOf(model, own!.parameter)).subarray(own!.at, own!.at + own!.count);
		const spread = Math.sqrt(Math.max(0, square - mean ** 2) / values.length);
		expect(Math.abs(meanOf(values) - mean), file).toBeLessThanOrEqual(6 * spread);
		const off = Math.abs(meanOf(values, x => x ** 2) - square);
		const allowed = spread > 0 ? 7 * square * Math.sqrt(2 / values.length) : 0;
		expect(off, file).toBeLessThanOrEqual(allowed);
		expect(Math.max(...values.map(Math.abs)), file).toBeLessThanOrEqual(1.5 * largest);
	}
});

test('the row of the padding token begins with zeros', async () => {
	const tokens = await valuesOf(await scratch('bert'), 'embedding.tokens');
	expect(tokens.subarray(0, 64)).toEqual(new Float32Array(64));
	expect(tokens.subarray(64, 128).every(value => value !== 0)).toBe(true);
});

test('the same seed begins with the same bits for any number of threads, another with others', async () => {
	const of = async (options: LoadOptions) =>
		hashesOf(await scratch('bert', {dense: 24, ...options}));
	const one = await of({threads: 1});
	expect(await of({threads: 3})).toEqual(one);
	const other = await of({seed: 4});
	expect(other.get('embedding.tokens')).not.toBe(one.get('embedding.tokens'));
	expect(other.get('head.0.weight')).not.toBe(one.get('head.0.weight'));
});

test('no two matrices of one shape begin alike', async () => {
	const hashes = await hashesOf(await scratch('bert'));
	const matrices = [...hashes].filter(([name]) => /(qkv|up|down|output)\.weight$/.test(name));
	expect(new Set(matrices.map(([, hash]) => hash)).size).toBe(matrices.length);
});

test('from scratch no weights are read, and what is saved is read back as it is', async () => {
	const model = await scratch('t5', {dense: 7, denseActivation: 'tanh', denseBias: false});
	const before = (await model.encode(['the age of the company', 'a sign'])).data;
	const place = join(folder, 'scratch');
	await model.save(place);
	const again = await loadTiny({path: place});
	expect((await again.encode(['the age of the company', 'a sign'])).data).toEqual(before);
	expect(again.fingerprint).toBe(model.fingerprint);
	expect(again.warnings).toEqual(model.warnings);
});

test('a new Dense begins within 1 / √inputs, evenly, and leaves the transformer as it is', async () => {
	const [plain, model] = [await loadTiny(), await loadTiny({dense: 500})];
	const [weight, bias] = [
		await valuesOf(model, 'head.0.weight'),
		await valuesOf(model, 'head.0.bias'),
	];
	for (const values of [weight, bias]) {
		const sorted = values.toSorted();
		for (const share of [0, 0.25, 0.5, 0.75, 1]) {
			const value = sorted[Math.round(share * (sorted.length - 1))]!;
			expect(Math.abs(8 * value - (2 * share - 1))).toBeLessThan(4 / Math.sqrt(values.length));
		}
		expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(1 / 8);
	}
	const hashes = await hashesOf(model);
	for (const [name, hash] of await hashesOf(plain)) expect(hashes.get(name)).toBe(hash);
	expect(model.width).toBe(500);
});

test('a new Dense lets go of the columns that the folder keeps', async () => {
	const model = await loadTiny({dense: 9, normalize: false});
	expect(model.dimensions).toBe(9);
	expect((await model.encode('a sign')).width).toBe(9);
});

test.each([
	[{dense: 0}, 'OPTION_RANGE'],
	[{dense: 1.5}, 'OPTION_RANGE'],
	[{dense: '8'}, 'OPTION_TYPE'],
	[{denseActivation: 'tanh'}, 'OPTION_CONFLICT'],
	[{denseBias: false}, 'OPTION_CONFLICT'],
	[{dense: 8, denseActivation: 'softmax'}, 'OPTION_RANGE'],
	[{dense: 8, seed: -1}, 'OPTION_RANGE'],
	[{init: join(bert, 'none.json')}, 'MODEL_NOT_FOUND'],
	[{init: join(bert, 'tokenizer.json')}, 'MODEL_FAMILY'],
	[{init: fixture('families/t5/config.json')}, 'TOKENIZER_INVALID'],
] as unknown as [LoadOptions, string][])('%j is refused with %s', async (options, code) => {
	await expect(loadTiny(options)).rejects.toMatchObject({code});
});
