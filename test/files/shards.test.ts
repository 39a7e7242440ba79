// Weights in several files: read as one, written within a size, and indexes that lie or lead elsewhere.

import {cpSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {sha256File} from '../../dist/files/hash.js';
import {
	readSafetensorsHeader,
	readTensor,
	type TensorTable,
	writeSafetensors,
} from '../../dist/files/safetensors.js';
import {parseIndex, writeShards} from '../../dist/files/shards.js';
import {readTensorTable} from '../../dist/files/tensor-files.js';
import {temporaryFolder} from './folder.js';

const {folder} = temporaryFolder();
const weights = join(import.meta.dirname, '../fixtures/weights');
let made = 0;
const place = () => join(folder, `model-${made++}`);

const contents = async ({tensors}: TensorTable) =>
	Promise.all(
		[...tensors.values()]
			.sort((a, b) => (a.name < b.name ? -1 : 1))
			.map(async entry => [entry.name, entry.shape, await readTensor(entry.path, entry)]),
	);

const whole = () => readSafetensorsHeader(join(weights, 'safetensors/model.safetensors'));

test('shards of safetensors are read as the one file', async () => {
	const table = await readTensorTable(join(weights, 'sharded-safetensors'));
	expect(await contents(table)).toEqual(await contents(await whole()));
	expect(new Set([...table.tensors.values()].map(({path}) => path)).size).toBe(2);
	expect(table.metadata).toEqual({format: 'pt'});
});

test('shards of torch are read as the one file', async () => {
	const {path, tensors, metadata} = await readTensorTable(join(weights, 'sharded-bin'));
	const floats = [...tensors].filter(([name]) => name !== 'embeddings.position_ids');
	const table = {path, metadata, tensors: new Map(floats)};
	expect(await contents(table)).toEqual(await contents(await whole()));
	expect(path).toBe(join(weights, 'sharded-bin/pytorch_model.bin.index.json'));
});

const copyOf = (name: string) => {
	const path = place();
	cpSync(join(weights, name), path, {recursive: true});
	return path;
};

describe('of several kinds in a folder', () => {
	const order = [
		['model.safetensors', 'safetensors'],
		['model.safetensors.index.json', 'sharded-safetensors'],
		['pytorch_model.bin', 'zip-2'],
		['pytorch_model.bin.index.json', 'sharded-bin'],
	] as const;

	test.each(order.map(([name], first) => [name, first] as const))(
		'%s is read first',
		async (name, first) => {
			const path = place();
			for (const [, from] of order.slice(first))
				cpSync(join(weights, from), path, {recursive: true});
			expect((await readTensorTable(path)).path).toBe(join(path, name));
		},
	);

	test('none is named with all that was looked for', async () => {
		const path = copyOf('zip-2');
		rmSync(join(path, 'pytorch_model.bin'));
		await expect(readTensorTable(path)).rejects.toMatchObject({
			code: 'MODEL_NOT_FOUND',
			message: expect.stringMatching(
				/model\.safetensors: .* pytorch_model\.bin\.index\.json, got no/,
			),
		});
	});
});

describe('an index is refused when', () => {
	const index = {metadata: {}, weight_map: {a: 'x.safetensors'}};
	const mapped = (file: unknown) => JSON.stringify({...index, weight_map: {a: file}});
	test.each([
		[
			'it leads above its folder',
			mapped('../x.safetensors'),
			/inside the folder for tensor "a", got "\.\.\/x/,
		],
		['it leads out and in', mapped('a/../../x.safetensors'), /inside the folder/],
		[
			'it leads to the root',
			mapped('/etc/passwd'),
			/inside the folder for tensor "a", got "\/etc\/passwd"/,
		],
		['it leads out as on Windows', mapped('..\\x.safetensors'), /inside the folder/],
		['it leads to the folder', mapped('.'), /inside the folder/],
		['it leads nowhere', mapped(''), /inside the folder/],
		['it leads into a folder in another way', mapped('a//x.safetensors'), /inside the folder/],
		['a name holds a zero', mapped('x\0.safetensors'), /inside the folder/],
		['a file is a number', mapped(7), /a file for tensor "a", got a number/],
		['a file is nothing', mapped(null), /a file for tensor "a", got null/],
		['it maps nothing', JSON.stringify({weight_map: {}}), /a "weight_map" from tensors/],
		['it has no map', '{}', /a "weight_map" from tensors to files, got nothing/],
		['its map is a list', '{"weight_map": ["a"]}', /got an array/],
		['it is a list', '[]', /"weight_map"/],
		['it is no JSON', '{"weight_map": ', /an index of JSON/],
		[
			'it names a tensor twice',
			'{"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}}',
			/the key "a" is given twice/,
		],
	] as const)('%s', (_, text, message) => {
		expect(() => parseIndex(text, 'i.json')).toThrow(
			expect.objectContaining({code: 'MODEL_TENSOR', message: expect.stringMatching(message)}),
		);
	});

	test('its shards lie in a folder of their own, it is read', () => {
		expect(parseIndex(mapped('parts/x.safetensors'), 'i.json')).toEqual(
			new Map([['a', 'parts/x.safetensors']]),
		);
	});
});

describe('shards are refused when', () => {
	const first = 'model-00001-of-00002.safetensors';
	const second = 'model-00002-of-00002.safetensors';
	const indexName = 'model.safetensors.index.json';
	const entry = (name: string) => ({
		...{name, dtype: 'F32' as const, shape: [1], bytes: async () => new Uint8Array(4)},
	});
	type Index = {weight_map: Record<string, string>};
	const changeIndex = (path: string, change: (map: Record<string, string>) => void) => {
		const index = JSON.parse(readFileSync(join(path, indexName), 'utf8')) as Index;
		change(index.weight_map);
		writeFileSync(join(path, indexName), JSON.stringify(index));
	};

	test.each([
		[
			'one is missing',
			async (path: string) => rmSync(join(path, second)),
			/the shard model-00002-of-00002\.safetensors beside it, got no such file/,
		],
		[
			'a tensor is in two of them',
			async (path: string) => {
				await writeSafetensors(join(path, second), [entry('embeddings.word_embeddings.weight')]);
			},
			/tensor "embeddings\.word_embeddings\.weight" once, got it in .*00002.* and in model-00001/,
		],
		[
			'a tensor is not in the one that is named',
			async (path: string) =>
				changeIndex(path, map => {
					map['embeddings.LayerNorm.weight'] = first;
				}),
			/tensor "embeddings\.LayerNorm\.weight" in model-00001-of-00002\.safetensors, got it in .*00002/,
		],
		[
			'a tensor is in none',
			async (path: string) =>
				changeIndex(path, map => {
					map['not.there'] = second;
				}),
			/tensor "not\.there" in model-00002-of-00002\.safetensors, got none/,
		],
	])('%s', async (_, change, message) => {
		const path = copyOf('sharded-safetensors');
		await change(path);
		await expect(readTensorTable(path)).rejects.toMatchObject({
			code: 'MODEL_TENSOR',
			message: expect.stringMatching(message),
		});
	});

	test('one is cut', async () => {
		const path = copyOf('sharded-safetensors');
		writeFileSync(join(path, second), readFileSync(join(path, second)).subarray(0, -1));
		await expect(readTensorTable(path)).rejects.toMatchObject({code: 'SAFETENSORS_INVALID'});
	});

	test('the index is far too large', async () => {
		const path = copyOf('sharded-safetensors');
		writeFileSync(join(path, indexName), Buffer.alloc(2 ** 26 + 1, ' '));
		await expect(readTensorTable(path)).rejects.toThrow(/an index of at most 67108864 bytes/);
	});
});

describe('tensors are written', () => {
	const sources = async () =>
		[...(await whole()).tensors.values()].map(entry => ({
			...entry,
			bytes: () => readTensor(entry.path, entry),
		}));

	test('as one file when they fit', async () => {
		const path = copyOf('f16');
		rmSync(join(path, 'pytorch_model.bin'));
		const hashes = await writeShards(path, await sources(), {metadata: {format: 'pt'}});
		expect([...hashes.keys()]).toEqual(readdirSync(path));
		expect(await contents(await readTensorTable(path))).toEqual(await contents(await whole()));
	});

	test('as shards of a size, whose index names every tensor', async () => {
		const path = copyOf('f16');
		rmSync(join(path, 'pytorch_model.bin'));
		const hashes = await writeShards(path, await sources(), {metadata: {format: 'pt'}, most: 2000});
		const names = readdirSync(path).filter(name => name.endsWith('.safetensors'));
		expect([...hashes.keys()]).toEqual(names);
		expect(names[0]).toBe(`model-00001-of-0000${names.length}.safetensors`);
		for (const [name, hash] of hashes) expect(await sha256File(join(path, name))).toBe(hash);
		const table = await readTensorTable(path);
		expect(await contents(table)).toEqual(await contents(await whole()));
		const index = JSON.parse(readFileSync(table.path, 'utf8'));
		const sizes = [...table.tensors.values()].map(({begin, end}) => end - begin);
		expect(index.metadata).toEqual({total_size: sizes.reduce((sum, size) => sum + size)});
		const sizeOf = (name: string) =>
			[...table.tensors.values()]
				.filter(({path: file}) => file === join(path, name))
				.reduce((sum, {begin, end}) => sum + end - begin, 0);
		// The table of words alone is larger than a shard.
		expect(names.map(sizeOf).filter(size => size > 2000)).toEqual([Math.max(...sizes)]);
	});
});
