// One small BERT in every kind of file: the same vectors, and saved to what every reader opens.

import {cpSync, mkdirSync, readdirSync, renameSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {readSafetensorsHeader} from '../../dist/files/safetensors.js';
import {writeShards} from '../../dist/files/shards.js';
import {readTensorTable} from '../../dist/files/tensor-files.js';
import {temporaryFolder} from '../files/folder.js';
import {load, modelFolder, oldShape, sourcesOf, weightsFolder, weightsOf} from './folders.js';

const {folder} = temporaryFolder();
const weights = join(import.meta.dirname, '../fixtures/weights');
const texts = ['the symptom', '', 'What is the age of all the others?'];
let made = 0;
const place = () => join(folder, `model-${made++}`);

const variant = (name: string) => weightsFolder(place(), name);

const open = (path: string) => load(path, {pooling: 'mean'});
const encoded = async (path: string) => (await (await open(path)).encode(texts)).data;

describe('the same vectors to the bit come from', () => {
	test.each([
		'zip-2',
		'zip-4',
		'zip-5-parameters',
		'before-1.6',
		'sharded-safetensors',
		'sharded-bin',
		'tied',
	])('%s', async name => {
		const [model, original] = [await open(variant(name)), await open(variant('safetensors'))];
		expect((await model.encode(texts)).data).toEqual((await original.encode(texts)).data);
		expect(model.warnings).toEqual(original.warnings);
	});

	test.each(['f16', 'bf16'])('%s in a file of torch and in an old safetensors', async name => {
		const [bin, safetensors] = [variant(name), variant(`${name}-safetensors`)];
		expect(await encoded(bin)).toEqual(await encoded(safetensors));
	});
});

describe('a model is saved as safetensors', () => {
	const types = async (path: string) => {
		const {tensors} = await readSafetensorsHeader(join(path, 'model.safetensors'));
		return new Map([...tensors.values()].map(({name, dtype}) => [name, dtype]));
	};

	test.each(['zip-2', 'before-1.6', 'sharded-safetensors', 'sharded-bin', 'f16', 'tied'])(
		'that came from %s, and gives the same bits',
		async name => {
			const model = await open(variant(name));
			const path = place();
			await model.save(path);
			expect(
				readdirSync(path).filter(file => /model.*\.(bin|safetensors|json)$/.test(file)),
			).toEqual(['model.safetensors']);
			expect(await encoded(path)).toEqual((await model.encode(texts)).data);
		},
	);

	test('with the tensors that are carried along from a file of torch', async () => {
		const [model, path] = [await open(variant('zip-2')), place()];
		await model.save(path);
		const ids = (await weightsOf(path)).get('embeddings.position_ids')!;
		expect([ids.dtype, ids.shape]).toEqual(['I64', [1, 32]]);
		expect(new BigInt64Array(ids.bytes.slice().buffer)).toEqual(
			BigInt64Array.from({length: 32}, (_, n) => BigInt(n)),
		);
	});

	test('over its own folder, again and again', async () => {
		const path = variant('sharded-bin');
		const model = await open(path);
		const before = (await model.encode(texts)).data;
		for (const _ of [1, 2]) await model.save(path, {overwrite: true});
		expect(readdirSync(path).filter(file => /bin|index/.test(file))).toEqual([]);
		expect(await encoded(path)).toEqual(before);
		expect((await types(path)).get('embeddings.position_ids')).toBe('I64');
	});

	test('with a table of words that is there twice', async () => {
		const [model, path] = [await open(variant('tied')), place()];
		await model.save(path);
		const saved = await weightsOf(path);
		const words = saved.get('bert.embeddings.word_embeddings.weight')!;
		expect(saved.get('cls.predictions.decoder.weight')).toEqual(words);
	});
});

test('a model of shards that were written here gives the same bits', async () => {
	const path = variant('safetensors');
	const sources = await sourcesOf(path);
	rmSync(join(path, 'model.safetensors'));
	await writeShards(path, sources, {most: 3000});
	expect((await readTensorTable(path)).path).toBe(join(path, 'model.safetensors.index.json'));
	expect(await encoded(path)).toEqual(await encoded(variant('safetensors')));
});

describe('a layer behind pooling', () => {
	const config = {
		in_features: 8,
		out_features: 8,
		bias: true,
		activation_function: 'torch.nn.modules.activation.Tanh',
	};
	const modules = [
		...(oldShape['modules.json'] as object[]).slice(0, 2),
		{idx: 2, name: '2', path: '2_Dense', type: 'sentence_transformers.models.Dense'},
	];

	/** The folder of the variant, with the dense layer that a file holds. */
	function withDense(file: string): string {
		const pooling = {...(oldShape['1_Pooling/config.json'] as object), word_embedding_dimension: 8};
		return modelFolder(
			place(),
			{'modules.json': modules, '1_Pooling/config.json': pooling, '2_Dense/config.json': config},
			densely(file),
		);
	}

	function densely(file: string): string {
		const path = variant('safetensors');
		mkdirSync(join(path, '2_Dense'));
		cpSync(join(weights, file), join(path, '2_Dense', file));
		renameSync(
			join(path, '2_Dense', file),
			join(path, '2_Dense', file.endsWith('.bin') ? 'pytorch_model.bin' : 'model.safetensors'),
		);
		return path;
	}

	test('has its weights in a file of torch as in safetensors', async () => {
		const [bin, safetensors] = [withDense('dense.bin'), withDense('dense.safetensors')];
		const data = (await (await load(bin)).encode(texts)).data;
		expect(data).toEqual((await (await load(safetensors)).encode(texts)).data);
		const path = place();
		await (await load(bin)).save(path);
		expect(readdirSync(join(path, '2_Dense')).sort()).toEqual(['config.json', 'model.safetensors']);
		expect((await (await load(path)).encode(texts)).data).toEqual(data);
	});
});
