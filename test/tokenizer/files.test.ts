// Finding and checking the tokenizer of a model folder.

import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {Encoder} from '../../dist/tokenizer/encoder.js';
import {readTokenizerFiles} from '../../dist/tokenizer/files.js';
import {temporaryFolder} from '../files/folder.js';
import {bertFamily, bertJson, encoderOf, idsOf} from './sources.js';

const {folder} = temporaryFolder();
let count = 0;

/** A model folder with these files; objects are written as JSON. */
function modelFolder(contents: {readonly [name: string]: unknown}): string {
	const path = join(folder, `model-${count++}`);
	mkdirSync(path);
	for (const [name, value] of Object.entries(contents)) {
		writeFileSync(join(path, name), typeof value === 'string' ? value : JSON.stringify(value));
	}
	return path;
}

async function open(contents: {readonly [name: string]: unknown}): Promise<Encoder> {
	return new Encoder((await readTokenizerFiles(modelFolder(contents))).source);
}

const ids = (encoder: Encoder, text: string) => idsOf(encoder, [{text, ids: []}])[0];
const pieces = [
	'[PAD]',
	'[UNK]',
	'[CLS]',
	'[SEP]',
	'[MASK]',
	'a',
	'A',
	'é',
	'e',
	'中',
	'文',
	'中文',
];
const vocab = `${pieces.join('\n')}\n`;

test('the files of the tokenizer are listed, to be copied with the model', async () => {
	expect((await readTokenizerFiles(bertFamily)).names).toEqual([
		'tokenizer.json',
		'tokenizer_config.json',
		'special_tokens_map.json',
		'vocab.txt',
	]);
});

test('a folder without a tokenizer is refused by what was looked for', async () => {
	await expect(readTokenizerFiles(modelFolder({'vocab.json': {}}))).rejects.toMatchObject({
		code: 'TOKENIZER_MISSING',
		message: expect.stringContaining('or spiece.model, got vocab.json; save'),
	});
});

test('model_max_length is read, and the values that mean no limit are null', async () => {
	const read = async (value: unknown) => {
		const config = {model_max_length: value};
		const files = modelFolder({'vocab.txt': vocab, 'tokenizer_config.json': config});
		return (await readTokenizerFiles(files)).modelMaxLength;
	};
	expect(await read(512)).toBe(512);
	expect(await read(1e9)).toBeNull();
	expect(await read(1e30)).toBeNull();
	expect(await read(null)).toBeNull();
	await expect(read('512')).rejects.toMatchObject({code: 'TOKENIZER_INVALID'});
	await expect(read(-1)).rejects.toMatchObject({code: 'TOKENIZER_INVALID'});
});

test('a malformed tokenizer_config.json is refused by its path', async () => {
	const broken = modelFolder({'vocab.txt': vocab, 'tokenizer_config.json': '{'});
	await expect(readTokenizerFiles(broken)).rejects.toThrow(/tokenizer_config.json: expected JSON/);
});

test('vocab.txt alone lowers case, strips accents and sets ideographs apart', async () => {
	const encoder = await open({'vocab.txt': vocab});
	expect(ids(encoder, 'A É 中文 [MASK]')).toEqual([2, 5, 8, 9, 10, 4, 3]);
	expect(encoder.definition.largestId).toBe(11);
});

test('tokenizer_config.json changes how a vocab.txt is used', async () => {
	const config = {do_lower_case: true, strip_accents: false, tokenize_chinese_chars: false};
	const encoder = await open({'vocab.txt': vocab, 'tokenizer_config.json': config});
	expect(ids(encoder, 'A É 中文')).toEqual([2, 5, 7, 11, 3]);
	const cased = await open({'vocab.txt': vocab, 'tokenizer_config.json': {do_lower_case: false}});
	expect(ids(cased, 'A é')).toEqual([2, 6, 7, 3]);
});

test('lines of a vocab.txt may end as on Windows', async () => {
	const encoder = await open({'vocab.txt': vocab.replaceAll('\n', '\r\n')});
	expect(ids(encoder, 'a')).toEqual([2, 5, 3]);
});

test('special tokens of a vocab.txt may have other names', async () => {
	const map = {cls_token: {content: '<s>', lstrip: false}, sep_token: '</s>'};
	const encoder = await open({
		'vocab.txt': '[UNK]\n<s>\n</s>\na\n',
		'special_tokens_map.json': map,
		'added_tokens.json': {'<x>': 9},
	});
	expect(ids(encoder, 'a<x></s>')).toEqual([1, 3, 9, 2, 2]);
	expect(encoder.definition.largestId).toBe(9);
});

test('a vocab.txt of a class that splits words in its own way is refused', async () => {
	const config = {tokenizer_class: 'BertJapaneseTokenizer'};
	await expect(open({'vocab.txt': vocab, 'tokenizer_config.json': config})).rejects.toMatchObject({
		code: 'TOKENIZER_KIND',
	});
});

test('a vocab.txt without the special tokens is refused', async () => {
	await expect(open({'vocab.txt': 'a\nb\n'})).rejects.toThrow('expected the token [UNK]');
});

test('settings of tokenizer_config.json hold over the normaliser of tokenizer.json', async () => {
	const encoder = await open({
		'tokenizer.json': bertJson(pieces),
		'tokenizer_config.json': {tokenizer_class: 'BertTokenizerFast', do_lower_case: false},
	});
	expect(ids(encoder, 'A')).toEqual([6]);
});

test('truncation and padding of tokenizer.json are ignored', () => {
	const encoder = encoderOf(
		bertJson(pieces, {truncation: {max_length: 1}, padding: {strategy: {Fixed: 9}, pad_id: 0}}),
	);
	expect(ids(encoder, 'a a a')).toEqual([5, 5, 5]);
});

const model = bertJson(pieces).model;
const invalid = [
	['text that is no JSON', '{', /expected JSON/],
	['an array', [], /expected an object, got an array/],
	['no model', {}, /model: expected an object, got nothing/],
	['no vocabulary', {model: {type: 'WordPiece'}}, /model.vocab: expected an object/],
	['a negative id', {model: {...model, vocab: {a: -1}}}, /model.vocab\["a"\]: expected an id/],
	['a fractional id', {model: {...model, vocab: {a: 0.5}}}, /expected an id .*, got 0.5/],
	['a huge id', {model: {...model, vocab: {a: 2 ** 31}}}, /expected an id/],
	['no unknown token', {model: {...model, vocab: {a: 0}}}, /expected \[UNK\] in it/],
	[
		'added tokens that are no array',
		bertJson(pieces, {added_tokens: {}}),
		/added_tokens: expected an array/,
	],
	[
		'an added token with an id of another',
		bertJson(pieces, {added_tokens: [{id: 3, content: 'a'}]}),
		/added_tokens\[0\].id: expected 5, as in the vocabulary, got 3/,
	],
	[
		'a template without the text',
		bertJson(pieces, {post_processor: {type: 'TemplateProcessing', single: []}}),
		/expected sequence "A" once, got 0/,
	],
	[
		'a template with an unknown token',
		bertJson(pieces, {
			post_processor: {type: 'TemplateProcessing', single: [{SpecialToken: {id: '[X]'}}]},
		}),
		/expected a token of the vocabulary, got "\[X\]"/,
	],
	[
		'merges of unknown pieces',
		{model: {type: 'BPE', vocab: {a: 0, b: 1}, merges: ['a b']}},
		/merges\[0\]: expected pieces of the vocabulary, got "ab"/,
	],
] as const;

for (const [name, json, message] of invalid) {
	test(`a tokenizer.json with ${name} is refused`, () => {
		expect(() => encoderOf(json)).toThrow(message);
		expect(() => encoderOf(json)).toThrow(expect.objectContaining({code: 'TOKENIZER_INVALID'}));
	});
}

const unknown = [
	[
		'model',
		{model: {type: 'WordLevel', vocab: {a: 0}}},
		/expected WordPiece, BPE, Unigram, got "WordLevel"/,
	],
	['normaliser', bertJson(pieces, {normalizer: {type: 'Nmt'}}), /normalizer.type: expected/],
	['pre-tokenizer', bertJson(pieces, {pre_tokenizer: {type: 'X'}}), /pre_tokenizer.type: expected/],
	[
		'post-processor',
		bertJson(pieces, {post_processor: {type: 'X'}}),
		/post_processor.type: expected/,
	],
	[
		'merging',
		{model: {type: 'BPE', vocab: {a: 0}, merges: [], dropout: 0.1}},
		/dropout: expected none/,
	],
] as const;

for (const [name, json, message] of unknown) {
	test(`an unknown kind of ${name} is refused with the known ones`, () => {
		expect(() => encoderOf(json)).toThrow(message);
		expect(() => encoderOf(json)).toThrow(expect.objectContaining({code: 'TOKENIZER_KIND'}));
	});
}
