// Folders of the first versions and of odd shapes: the transformer lies inside, settings lie elsewhere, files
// are links, code of the model's own is named.

import {mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {writeSafetensors} from '../../dist/files/safetensors.js';
import {readModelFolder} from '../../dist/model/folder.js';
import {temporaryFolder} from '../files/folder.js';
import {bert, type Files, load, modelFolder, oldShape} from './folders.js';

const {folder} = temporaryFolder();
let made = 0;
const place = () => join(folder, `model-${made++}`);
const texts = ['the symptom', '', 'What IS the age of all the others?', 'this '.repeat(120)];
const json = (...parts: string[]): object =>
	JSON.parse(readFileSync(join(...parts), 'utf8')) as object;
const type = (kind: string) => `sentence_transformers.models.${kind}`;
const [, pooling, normalize] = oldShape['modules.json'] as object[];

/** The tiny BERT in a folder within, as the first versions wrote it. */
function inside(name: string, kind: string, files: Files = {}): string {
	const path = place();
	modelFolder(join(path, name), {
		'sentence_bert_config.json': {max_seq_length: 100, do_lower_case: true},
	});
	const first = {idx: 0, name: '0', path: name, type: type(kind)};
	const rest = {
		...oldShape,
		'sentence_bert_config.json': null,
		'modules.json': [first, pooling, normalize],
	};
	return modelFolder(path, {...rest, ...files}, join(folder, 'none'));
}

describe('a transformer in a folder of its own', () => {
	mkdirSync(join(folder, 'none'));

	test.each([
		['0_Transformer', 'Transformer'],
		['0_BERT', 'BERT'],
		['./0_RoBERTa', 'RoBERTa'],
		['a/b/0_DistilBERT', 'DistilBERT'],
	])('called %s is read, and saved in the root', async (name, kind) => {
		const [plain, path] = [await load(modelFolder(place(), oldShape)), place()];
		const model = await load(inside(name, kind));
		expect(model.folder).toMatchObject({maxLength: 100, lowerCase: true});
		const expected = (await plain.encode(texts)).data;
		expect((await model.encode(texts)).data).toEqual(expected);
		await model.save(path);
		const types = json(path, 'modules.json') as {path: string; type: string}[];
		expect(types[0]).toMatchObject({path: '', type: type('Transformer')});
		const again = await load(path);
		expect((await again.encode(texts)).data).toEqual(expected);
		expect(again.fingerprint).toBe(model.fingerprint);
	});

	test('is not saved over itself, where it would be moved', async () => {
		const path = inside('0_Transformer', 'Transformer');
		const model = await load(path);
		await expect(model.save(path, {overwrite: true})).rejects.toMatchObject({
			code: 'OUTPUT_EXISTS',
			message: expect.stringContaining('saved in another layout, got its own folder'),
		});
		expect(readdirSync(path)).toContain('0_Transformer');
	});
});

test('a router of the first versions has its one route read', async () => {
	const dense = {in_features: 64, out_features: 2, bias: false};
	const router = {idx: 2, name: '2', path: '2_Asym', type: type('Asym')};
	const path = modelFolder(place(), {
		...oldShape,
		'modules.json': [(oldShape['modules.json'] as object[])[0]!, pooling!, router],
		'2_Asym/config.json': {
			types: {'140-0': type('Dense')},
			structure: {query: ['140-0'], doc: ['140-0']},
			parameters: {allow_empty_key: true},
		},
		'2_Asym/140-0/config.json': dense,
	});
	const weight = new Float32Array(128).fill(0.01);
	await writeSafetensors(join(path, '2_Asym/140-0/model.safetensors'), [
		{
			...{name: 'linear.weight', dtype: 'F32', shape: [2, 64]},
			bytes: async () => new Uint8Array(weight.buffer),
		},
	]);
	const [model, saved] = [await load(path), place()];
	expect(model.width).toBe(2);
	await model.save(saved);
	expect(json(saved, '2_Dense/config.json')).toEqual({
		...dense,
		activation_function: 'torch.nn.modules.activation.Tanh',
	});
	expect((await (await load(saved)).encode(texts)).data).toEqual((await model.encode(texts)).data);
});

describe('settings count wherever they lie:', () => {
	const sentence = (config: object) => ({...oldShape, 'sentence_bert_config.json': config});
	const leftSide = {
		'tokenizer_config.json': {...json(bert, 'tokenizer_config.json'), truncation_side: 'left'},
	};

	test.each([
		['tokenizer_args', 'config_args', 'model_args'],
		['processor_kwargs', 'config_kwargs', 'model_kwargs'],
	])('%s and %s', async (tokenizer, config, model) => {
		const path = modelFolder(
			place(),
			sentence({
				max_seq_length: 100,
				[tokenizer]: {model_max_length: 20, truncation_side: 'left', padding_side: 'left'},
				[config]: {hidden_act: 'relu'},
				[model]: {torch_dtype: 'float16', something: 1},
			}),
		);
		const [found, saved] = [await load(path), place()];
		expect(found.folder).toMatchObject({maxLength: 20, truncationSide: 'left'});
		expect(found.folder.spec.blocks[0]!.mlp.activation).toBe('relu');
		expect(found.warnings).toEqual([expect.stringContaining('"something" is not used here')]);
		await found.save(saved);
		const again = await load(saved);
		expect(again.folder).toMatchObject({maxLength: 20, truncationSide: 'left', warnings: []});
		expect((await again.encode(texts)).data).toEqual((await found.encode(texts)).data);
	});

	test('the side that is cut is that of the tokenizer, unless another is asked for', async () => {
		const path = modelFolder(place(), {...oldShape, ...leftSide});
		const [left, right] = [await load(path), await load(path, {truncationSide: 'right'})];
		const long = `${'this '.repeat(98)}the end of it`;
		expect(await left.embed(long)).toEqual(await left.embed(`${'this '.repeat(94)}the end of it`));
		expect(await right.embed(long)).toEqual(await left.embed('this '.repeat(98)));
	});

	test('a length beyond all is none', async () => {
		const model = await load(modelFolder(place(), sentence({max_seq_length: 1e30})));
		expect(model.maxLength).toBe(130);
	});

	test('a default prompt that every model has is empty', async () => {
		const outer = {prompts: {}, default_prompt_name: 'query'};
		const files = {...oldShape, 'config_sentence_transformers.json': outer};
		const [model, plain] = [
			await load(modelFolder(place(), files)),
			await load(modelFolder(place(), oldShape)),
		];
		expect(await model.embed('age')).toEqual(await plain.embed('age'));
	});
});

test('a folder of links, as the cache of the hub has it, is read and saved', async () => {
	const [blobs, path, saved] = [modelFolder(place(), oldShape), place(), place()];
	mkdirSync(join(path, '1_Pooling'), {recursive: true});
	renameSync(join(blobs, '1_Pooling/config.json'), join(blobs, 'pooling'));
	symlinkSync(join(blobs, 'pooling'), join(path, '1_Pooling/config.json'));
	for (const name of readdirSync(blobs).filter(file => file.includes('.'))) {
		symlinkSync(join(blobs, name), join(path, name));
	}
	const model = await load(path);
	await model.save(saved);
	expect((await (await load(saved)).encode(texts)).data).toEqual((await model.encode(texts)).data);
});

describe('code of its own', () => {
	const config = json(bert, 'config.json');
	const mapped = (map: object, files: Files = {}): Files => ({
		...oldShape,
		...files,
		'config.json': {...config, auto_map: map},
	});
	const first = 'what is saved will not open in sentence-transformers as it is: ';
	const needs = `${first}it needs trust_remote_code=True, since config.json names the code `;

	test('in another repository is said before work begins, and stays named', async () => {
		const map = {AutoModel: 'org/code--modeling.Model', AutoConfig: 'org/code--config.Config'};
		const [model, path] = [await load(modelFolder(place(), mapped(map))), place()];
		expect(model.folder.saveWarnings).toEqual([`${needs}org/code: modeling.Model`]);
		await model.save(path);
		expect(json(path, 'config.json')).toEqual({...config, auto_map: map});
		const card = readFileSync(join(path, 'README.md'), 'utf8');
		expect(card).toContain('trust_remote_code=True)');
		expect(card).toContain(`Note: ${needs}org/code: modeling.Model.`);
	});

	test('in the folder is copied and never run', async () => {
		const map = {AutoModel: 'modeling.Model'};
		const code = {'modeling.py': 'raise SystemExit', 'part.py': ''};
		const [model, path] = [await load(modelFolder(place(), mapped(map, code))), place()];
		expect(model.folder.saveWarnings).toEqual([
			`${needs}modeling.Model of modeling.py, which is copied and never run here`,
		]);
		await model.save(path);
		expect(readFileSync(join(path, 'modeling.py'), 'utf8')).toBe('raise SystemExit');
		expect(readdirSync(path)).toContain('part.py');
	});

	test('that is not there is said to be missing', async () => {
		const model = await load(modelFolder(place(), mapped({AutoModel: 'modeling.Model'})));
		expect(model.folder.saveWarnings).toEqual([
			`${needs}modeling.Model of modeling.py, which is not in the folder and has to be put there`,
		]);
	});

	test.each([
		['gte', 'transformers has no model_type "new"'],
		['nomic_bert', 'transformers has a nomic_bert, but reads none whose width is called "n_embd"'],
		['jina_v2', 'transformers has a bert, but none with "position_embedding_type" of "alibi"'],
	])('that %s lacks is said to be missing', async (name, why) => {
		const path = join(bert, '..', name);
		expect((await readModelFolder(path, {pooling: 'mean'})).saveWarnings).toEqual([
			`${first}${why}, and config.json names no code for it in "auto_map"`,
		]);
	});

	test('for other tasks than embeddings is none', async () => {
		const map = {AutoModelForSequenceClassification: 'modeling.Model'};
		const model = await load(modelFolder(place(), mapped(map)));
		expect(model.folder.saveWarnings).toEqual([]);
	});
});
