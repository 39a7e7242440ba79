// Saving: what is written, to the letter; what is read back; what is carried along.

import {readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {writeSafetensors} from '../../dist/files/safetensors.js';
import {temporaryFolder} from '../files/folder.js';
import {bert, load, modelFolder, oldShape, rewriteWeights, weightsOf} from './folders.js';

const {folder} = temporaryFolder();
let made = 0;
const place = (name = 'model') => join(folder, `${name}-${made++}`);
const texts = ['the symptom', '', 'What is the age of all the others?', 'this '.repeat(120)];
const json = (...parts: string[]): unknown => JSON.parse(readFileSync(join(...parts), 'utf8'));

function filesIn(path: string): string[] {
	return readdirSync(path, {recursive: true, withFileTypes: true})
		.filter(entry => entry.isFile())
		.map(({parentPath, name}) => join(parentPath, name).slice(path.length + 1))
		.sort();
}

describe('a saved folder', () => {
	test('has the layout that every version of sentence-transformers reads', async () => {
		const model = await load(bert, {pooling: 'mean', normalize: true, maxLength: 99});
		const path = place();
		await model.save(path);
		expect(filesIn(path)).toEqual([
			...['1_Pooling/config.json', 'README.md', 'config.json'],
			...['config_sentence_transformers.json', 'model.safetensors', 'modules.json'],
			...['sentence_bert_config.json', 'special_tokens_map.json', 'tokenizer.json'],
			...['tokenizer_config.json', 'vocab.txt'],
		]);
		const type = 'sentence_transformers.models';
		expect(json(path, 'modules.json')).toEqual([
			{idx: 0, name: '0', path: '', type: `${type}.Transformer`},
			{idx: 1, name: '1', path: '1_Pooling', type: `${type}.Pooling`},
			{idx: 2, name: '2', path: '2_Normalize', type: `${type}.Normalize`},
		]);
		expect(json(path, '1_Pooling/config.json')).toEqual({
			word_embedding_dimension: 64,
			pooling_mode_cls_token: false,
			pooling_mode_mean_tokens: true,
			pooling_mode_max_tokens: false,
			pooling_mode_mean_sqrt_len_tokens: false,
			pooling_mode_weightedmean_tokens: false,
			pooling_mode_lasttoken: false,
			include_prompt: true,
		});
		expect(json(path, 'sentence_bert_config.json')).toEqual({
			max_seq_length: 99,
			do_lower_case: false,
		});
		expect(json(path, 'config_sentence_transformers.json')).toEqual({
			__version__: {sentence_transformers: '3.0.0', transformers: '4.41.0', pytorch: '2.3.0'},
			prompts: {},
			default_prompt_name: null,
			similarity_fn_name: 'cosine',
		});
		expect(json(path, 'config.json')).toEqual(json(bert, 'config.json'));
		expect(json(path, 'tokenizer_config.json')).toEqual({
			...(json(bert, 'tokenizer_config.json') as object),
			model_max_length: 99,
		});
		for (const name of ['tokenizer.json', 'vocab.txt', 'special_tokens_map.json']) {
			expect(readFileSync(join(path, name))).toEqual(readFileSync(join(bert, name)));
		}
	});

	test('gives the same bits when it is loaded, and is saved to the same bytes', async () => {
		const model = await load(bert, {pooling: 'last', normalize: false, maxLength: 60});
		const [first, second] = [place(), place()];
		await model.save(first);
		const again = await load(first);
		expect((await again.encode(texts)).data).toEqual((await model.encode(texts)).data);
		expect(again).toMatchObject({maxLength: 60, fingerprint: model.fingerprint, warnings: []});
		await again.save(second);
		expect(filesIn(second)).toEqual(filesIn(first));
		for (const name of filesIn(first)) {
			expect(readFileSync(join(second, name)), name).toEqual(readFileSync(join(first, name)));
		}
	});

	test('keeps prompts, and gives readers a prompt for documents', async () => {
		const outer = {
			prompts: {query: 'q: ', passage: 'p: '},
			default_prompt_name: 'query',
			similarity_fn_name: 'dot',
		};
		const files = {...oldShape, 'config_sentence_transformers.json': outer};
		const path = place();
		await (await load(modelFolder(place(), files))).save(path);
		expect(json(path, 'config_sentence_transformers.json')).toMatchObject({
			prompts: {query: 'q: ', passage: 'p: ', document: 'p: '},
			default_prompt_name: 'query',
			similarity_fn_name: 'dot',
		});
	});

	test('says the type that its weights are written in', async () => {
		const config = json(bert, 'config.json') as object;
		const types = {'config.json': {...config, torch_dtype: 'float16', dtype: 'bfloat16'}};
		const path = place();
		await (await load(modelFolder(place(), {...oldShape, ...types}))).save(path);
		const said = {...config, torch_dtype: 'float32', dtype: 'float32'};
		expect(json(path, 'config.json')).toEqual(said);
	});

	test('has a card that the hub and a reader understand', async () => {
		const path = place();
		await (await load(modelFolder(place(), oldShape))).save(path);
		const card = readFileSync(join(path, 'README.md'), 'utf8');
		expect(card).toMatch(/^---\nlibrary_name: sentence-transformers\n/);
		expect(card).toContain('Text embeddings of 64 dimensions');
	});
});

describe('a dense layer', () => {
	const dense = {
		in_features: 64,
		out_features: 3,
		bias: true,
		activation_function: 'torch.nn.modules.activation.Tanh',
	};
	const modules = [
		...(oldShape['modules.json'] as object[]).slice(0, 2),
		{idx: 2, name: '2', path: '2_Dense', type: 'sentence_transformers.models.Dense'},
	];
	const values = (count: number) => Float32Array.from({length: count}, (_, n) => (n % 7) / 8 - 0.4);
	const [weight, bias] = [values(3 * 64), values(3)];

	async function denseModel() {
		const path = modelFolder(place(), {
			...oldShape,
			'modules.json': modules,
			'2_Dense/config.json': dense,
		});
		const bytes = (array: Float32Array) => async () => new Uint8Array(array.buffer);
		await writeSafetensors(join(path, '2_Dense', 'model.safetensors'), [
			{name: 'linear.weight', dtype: 'F32', shape: [3, 64], bytes: bytes(weight)},
			{name: 'linear.bias', dtype: 'F32', shape: [3], bytes: bytes(bias)},
		]);
		return load(path);
	}

	test('is computed as it is written', async () => {
		const [model, plain] = [await denseModel(), await load(bert, {pooling: 'mean'})];
		const [{data, width}, pooled] = [
			await model.encode(['the symptom']),
			(await plain.encode(['the symptom'])).data,
		];
		expect(width).toBe(3);
		for (const row of [0, 1, 2]) {
			const sum = pooled.reduce((total, x, n) => total + x * weight[64 * row + n]!, bias[row]!);
			expect(data[row]).toBeCloseTo(Math.tanh(sum), 5);
		}
	});

	test('is saved where it was, and gives the same bits', async () => {
		const [model, path] = [await denseModel(), place()];
		await model.save(path);
		expect(json(path, '2_Dense/config.json')).toEqual(dense);
		expect(json(path, 'modules.json')).toEqual(modules);
		const again = await load(path);
		expect((await again.encode(texts)).data).toEqual((await model.encode(texts)).data);
	});
});

describe('tensors that are not used are carried along', () => {
	const bytes = (count: number) => Uint8Array.from({length: count}, (_, n) => (31 * n) % 253);
	const carried = {
		'bert.pooler.dense.weight': {dtype: 'F16', shape: [64, 64], bytes: bytes(8192)},
		'bert.embeddings.position_ids': {dtype: 'I64', shape: [1, 130], bytes: bytes(1040)},
		'something.else': {dtype: 'U8', shape: [5], bytes: bytes(5)},
	} as const;

	async function carrying() {
		const path = modelFolder(place(), oldShape);
		await rewriteWeights(path, (name, tensor) => [`bert.${name}`, tensor], carried);
		return path;
	}

	test('bit for bit and under their names', async () => {
		const [from, path] = [await carrying(), place()];
		await (await load(from)).save(path);
		const sorted = async (of: string) =>
			[...(await weightsOf(of))].sort(([a], [b]) => (a < b ? -1 : 1));
		expect(await sorted(path)).toEqual(await sorted(from));
	});

	test('also when a model is saved over its own folder again and again', async () => {
		const path = await carrying();
		const before = await weightsOf(path);
		const model = await load(path);
		for (const _ of [1, 2, 3]) await model.save(path, {overwrite: true});
		const after = await weightsOf(path);
		for (const name of Object.keys(carried)) expect(after.get(name)).toEqual(before.get(name));
	});

	test('or the save is refused when their file has become another', async () => {
		const [from, path] = [await carrying(), place()];
		const model = await load(from);
		await rewriteWeights(from, (name, tensor) => (name in carried ? undefined : [name, tensor]));
		await expect(model.save(path)).rejects.toMatchObject({
			code: 'MODEL_TENSOR',
			message: expect.stringContaining('as when the model was loaded'),
		});
		rmSync(join(from, 'model.safetensors'));
		await expect(model.save(path)).rejects.toMatchObject({code: 'MODEL_NOT_FOUND'});
		expect(readdirSync(folder).filter(name => name.includes(path.split('/').at(-1)!))).toEqual([]);
	});
});

describe('save refuses', () => {
	test('an output that is there, unless it may be replaced', async () => {
		const [model, path] = [await load(modelFolder(place(), oldShape)), place()];
		await model.save(path);
		writeFileSync(join(path, 'notes.txt'), 'x');
		await expect(model.save(path)).rejects.toMatchObject({code: 'OUTPUT_EXISTS'});
		expect(filesIn(path)).toContain('notes.txt');
		await model.save(path, {overwrite: true});
		expect(filesIn(path)).not.toContain('notes.txt');
	});

	test('a place without a folder around it', async () => {
		const model = await load(modelFolder(place(), oldShape));
		const path = join(place(), 'deep', 'model');
		await expect(model.save(path)).rejects.toMatchObject({code: 'FILE_WRITE'});
	});

	test('a model that was disposed', async () => {
		const model = await load(modelFolder(place(), oldShape));
		await model.dispose();
		await expect(model.save(place())).rejects.toMatchObject({code: 'DISPOSED'});
	});
});

test('the weights that are saved are those of the moment', async () => {
	const model = await load(modelFolder(place(), oldShape));
	model.core.write('weight', 'blocks.1.mlp.up.bias', 0, new Float32Array(100).fill(0.5));
	const path = place();
	await model.save(path);
	const saved = (await weightsOf(path)).get('encoder.layer.1.intermediate.dense.bias')!;
	expect(new Float32Array(saved.bytes.slice().buffer)).toEqual(new Float32Array(100).fill(0.5));
});
