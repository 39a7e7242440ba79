// What a model folder says, in all shapes that it comes in.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {readNpy} from '../../dist/files/npy.js';
import {temporaryFolder} from '../files/folder.js';
import {bert, type Files, load, modelFolder, oldShape} from './folders.js';

const {folder} = temporaryFolder();
const texts = ['the symptom', '', 'What IS the age of all the others?', 'this '.repeat(120)];
let made = 0;
const place = () => join(folder, `model-${made++}`);

const json = (name: string): object => JSON.parse(readFileSync(join(bert, name), 'utf8')) as object;
const tokenizerConfig = json('tokenizer_config.json');
const limit100 = {'tokenizer_config.json': {...tokenizerConfig, model_max_length: 100}};

function chainOf(pooling: string, normalize: string): object[] {
	const base = 'sentence_transformers.base.modules.transformer.Transformer';
	return [
		{idx: 0, name: '0', path: '', type: base, kwargs: ['text']},
		{idx: 1, name: '1', path: '1_Pooling', type: `sentence_transformers.${pooling}.Pooling`},
		{idx: 2, name: '2', path: '2_Normalize', type: `sentence_transformers.${normalize}.Normalize`},
	];
}

const newPooling = {embedding_dimension: 64, pooling_mode: 'mean', include_prompt: true};
const newShape: Files = {
	...limit100,
	'modules.json': chainOf('sentence_transformer.modules.pooling', 'base.modules.normalize'),
	'1_Pooling/config.json': newPooling,
	'sentence_bert_config.json': {
		transformer_task: 'feature-extraction',
		modality_config: {
			text: {method: 'forward', method_output_name: 'last_hidden_state'},
		},
		module_output_name: 'token_embeddings',
	},
};

describe('a folder gives the same bits in the shape of', () => {
	const oldModules = chainOf('models', 'models');
	const shapes: [string, Files][] = [
		['sentence-transformers 5.3', oldShape],
		[
			'5.4',
			{
				...newShape,
				'modules.json': chainOf(
					'sentence_transformer.modules.pooling',
					'sentence_transformer.modules.normalize',
				),
			},
		],
		['6', newShape],
		[
			'6 with a list of one pooling',
			{...newShape, '1_Pooling/config.json': {...newPooling, pooling_mode: ['mean']}},
		],
		[
			'one that says its pooling twice, where the newer key counts',
			{
				...newShape,
				'1_Pooling/config.json': {...newPooling, pooling_mode_cls_token: true},
			},
		],
		[
			'an old one with newer weights of length',
			{...oldShape, 'modules.json': oldModules, 'tokenizer_config.json': tokenizerConfig},
		],
		[
			'an old one that is called after RoBERTa',
			{
				...oldShape,
				'sentence_bert_config.json': null,
				'sentence_roberta_config.json': {max_seq_length: 100},
			},
		],
		[
			'one with a byte order mark',
			{...oldShape, 'modules.json': `\uFEFF${JSON.stringify(oldShape['modules.json'])}`},
		],
	];

	test.each(shapes)('%s', async (_, files) => {
		const plain = await load(modelFolder(place(), limit100), {pooling: 'mean', normalize: true});
		const model = await load(modelFolder(place(), files));
		expect(model.maxLength).toBe(100);
		expect((await model.encode(texts)).data).toEqual((await plain.encode(texts)).data);
		expect(model.fingerprint).toBe(plain.fingerprint);
		expect(model.warnings).toEqual([]);
	});
});

describe('pooling', () => {
	const golden = readFileSync(join(bert, 'golden/texts.jsonl'), 'utf8').trim().split('\n').slice(1);
	const golds = golden.map(line => (JSON.parse(line) as {text: string}).text);

	test.each([
		['cls', {pooling_mode_cls_token: true}],
		['mean', {pooling_mode_mean_tokens: true, pooling_mode_cls_token: false}],
		['last', {pooling_mode_lasttoken: true}],
		['cls', {pooling_mode: 'cls'}],
		['last', {pooling_mode: 'lasttoken'}],
	])('is %s as %j says, like torch', async (pooling, config) => {
		const files = {...oldShape, '1_Pooling/config.json': config};
		const model = await load(modelFolder(place(), files), {normalize: false, maxLength: 130});
		const {data} = await model.encode(golds);
		const expected = await readNpy(join(bert, 'golden', `pooled_${pooling}.npy`));
		const errors = data.map((value, at) => Math.abs(value - Number(expected.data[64 + at])));
		expect(errors.reduce((a, b) => Math.max(a, b))).toBeLessThan(3 * 2.4e-6);
	});

	test('that is asked for counts more than what the folder says', async () => {
		const model = await load(modelFolder(place(), oldShape), {pooling: 'cls', normalize: false});
		const plain = await load(bert, {pooling: 'cls', maxLength: 100});
		expect((await model.encode(texts)).data).toEqual((await plain.encode(texts)).data);
	});
});

describe('the longest text is', () => {
	const sentinel = {'tokenizer_config.json': {...tokenizerConfig, model_max_length: 1e30}};
	const none = {'sentence_bert_config.json': {max_seq_length: null}};
	test.each([
		['asked for first', {...oldShape, ...limit100}, {maxLength: 7}, 7],
		['then that of sentence_bert_config.json', {...oldShape, ...limit100}, {}, 100],
		[
			'then that of the tokenizer',
			{...oldShape, ...none, 'tokenizer_config.json': {...tokenizerConfig, model_max_length: 50}},
			{},
			50,
		],
		['then that of the positions', {...oldShape, ...none, ...sentinel}, {}, 130],
		[
			'that of the tokenizer in a plain folder',
			{'tokenizer_config.json': {...tokenizerConfig, model_max_length: 9}},
			{pooling: 'mean'},
			9,
		],
	] as const)('%s', async (_, files, options, expected) => {
		const model = await load(modelFolder(place(), files), options);
		expect(model.maxLength).toBe(expected);
		const {tokens, truncated} = await model.encode(texts);
		expect(Math.max(...tokens)).toBe(Math.min(expected, 122));
		expect(truncated).toBe(tokens.filter(count => count === expected).length);
	});

	test('at most the positions, which is said', async () => {
		const files = {...oldShape, 'sentence_bert_config.json': {max_seq_length: 512}};
		const model = await load(modelFolder(place(), files));
		expect(model.maxLength).toBe(130);
		expect(model.warnings).toEqual([expect.stringContaining('512 tokens')]);
	});
});

describe('prompts', () => {
	const files = {
		...oldShape,
		'config_sentence_transformers.json': {
			prompts: {query: 'what is ', document: '', task: '[ {} ] ?', broken: null},
			default_prompt_name: 'query',
		},
	};
	const prompted = () => load(modelFolder(place(), files));

	test('stand before the text, or around it', async () => {
		const model = await prompted();
		expect(model.prompts).toEqual({query: 'what is ', document: '', task: '[ {} ] ?'});
		const raw = async (text: string) => model.embed(text, {promptText: ''});
		expect(await model.embed('age', {prompt: 'query'})).toEqual(await raw('what is age'));
		expect(await model.embed('age', {prompt: 'task'})).toEqual(await raw('[ age ] ?'));
		expect(await model.embed('age', {promptText: 'the '})).toEqual(await raw('the age'));
		expect(await model.embed('age', {prompt: 'document'})).toEqual(await raw('age'));
		expect(await model.embed('$& {}', {promptText: '{}{}'})).toEqual(await raw('$& {}{}'));
	});

	test('that are the default are used when none is asked for', async () => {
		const model = await prompted();
		expect(await model.embed('age')).toEqual(await model.embed('age', {prompt: 'query'}));
	});

	test('that are not there, or asked for twice, are refused', async () => {
		const model = await prompted();
		await expect(model.embed('age', {prompt: 'passage'})).rejects.toMatchObject({
			code: 'OPTION_RANGE',
			message: "prompt: expected one of the model's (query, document, task), got passage",
		});
		const both = model.embed('age', {prompt: 'query', promptText: 'x'});
		await expect(both).rejects.toMatchObject({code: 'OPTION_CONFLICT'});
	});

	test('that pooling leaves out are refused where they leave no room for a text', async () => {
		const pooling = {pooling_mode: 'mean', include_prompt: false};
		const model = await load(modelFolder(place(), {...files, '1_Pooling/config.json': pooling}));
		expect(await model.embed('age', {maxLength: 5})).toHaveLength(64);
		await expect(model.embed('age', {maxLength: 4})).rejects.toMatchObject({
			code: 'OPTION_RANGE',
			message: 'max-length: expected more than the 4 tokens of the prompt, got 4',
		});
	});

	test('around a text are left out of pooling as far as they stand before it', async () => {
		const pooling = {pooling_mode: 'mean', include_prompt: false};
		const model = await load(modelFolder(place(), {...files, '1_Pooling/config.json': pooling}));
		const before = await model.embed('age', {promptText: 'what {} ] ?'});
		expect(before).toEqual(await model.embed('age ] ?', {promptText: 'what '}));
		const after = await model.embed('age', {promptText: '{} ] ?'});
		expect(after).toEqual(await model.embed('age ] ?', {promptText: ''}));
	});

	test('are lower-cased with the text where the folder asks for it', async () => {
		const cased = {...json('tokenizer.json'), normalizer: {type: 'NFC'}};
		const lower = {'sentence_bert_config.json': {max_seq_length: 100, do_lower_case: true}};
		const shape = {...oldShape, 'tokenizer.json': cased};
		const [with_, without_] = [
			await load(modelFolder(place(), {...shape, ...lower})),
			await load(modelFolder(place(), shape)),
		];
		const small = await without_.embed('what is the age');
		expect(await with_.embed('the AGE', {promptText: 'What IS '})).toEqual(small);
		expect(await without_.embed('the AGE', {promptText: 'What IS '})).not.toEqual(small);
	});
});
