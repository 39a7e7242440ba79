// Tokenizers of before tokenizer.json: vocab.json with merges.txt, and SentencePiece models. Ids are
// those of transformers for the same files.

import {cpSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import type {TextEncoder} from '../../dist/tokenizer/encoder.js';
import {readTokenizerFiles} from '../../dist/tokenizer/files.js';
import {temporaryFolder} from '../files/folder.js';
import {
	encoderOn,
	fixtures,
	idsOf,
	isAbsent,
	type Path,
	paths,
	readJsonLines,
	shared,
	type Vector,
} from './sources.js';

const {folder} = temporaryFolder();
const older = join(fixtures, 'older');
let count = 0;

const files: Readonly<Record<string, readonly string[]>> = {
	xlm_roberta: ['sentencepiece.bpe.model'],
	camembert: ['sentencepiece.bpe.model'],
	albert: ['spiece.model'],
	t5: ['spiece.model'],
	roberta: ['vocab.json', 'merges.txt'],
	gpt2: ['vocab.json', 'merges.txt'],
};

/** A model folder with these files of another, and others. */
function modelFolder(from: string, names: readonly string[], contents: object): string {
	const path = join(folder, `model-${count++}`);
	mkdirSync(path);
	for (const name of names) cpSync(join(from, name), join(path, name));
	for (const [name, value] of Object.entries(contents)) {
		writeFileSync(join(path, name), value instanceof Uint8Array ? value : JSON.stringify(value));
	}
	return path;
}

const open = async (path: string, way: Path = 'native') =>
	encoderOn(way, (await readTokenizerFiles(path)).source);
const vectorsOf = (path: string) => readJsonLines<Vector>(join(path, 'vectors.jsonl'));
const named = (name: string) => ({'tokenizer_config.json': {tokenizer_class: name}});
const typed = (type: string) => ({'config.json': {model_type: type}});

describe.each(paths)('in %s:', path => {
	describe('the ids of transformers come from the older files of', () => {
		test.each([
			['XLMRobertaTokenizer', 'xlm_roberta'],
			['CamembertTokenizer', 'camembert'],
			['AlbertTokenizerFast', 'albert'],
			['T5Tokenizer', 't5'],
			['RobertaTokenizer', 'roberta'],
			['GPT2TokenizerFast', 'gpt2'],
		])('%s', async (name, place) => {
			const from = join(older, place);
			const encoder = await open(modelFolder(from, files[place]!, named(name)), path);
			const vectors = vectorsOf(from);
			expect(idsOf(encoder, vectors)).toEqual(vectors.map(({ids}) => ids));
		});

		test.each([
			['xlm-roberta', 'xlm_roberta'],
			['camembert', 'camembert'],
			['albert', 'albert'],
			['mt5', 't5'],
			['roberta', 'roberta'],
			['longformer', 'roberta'],
			['gpt2', 'gpt2'],
		])('a model of type %s, whose folder names no class', async (type, place) => {
			const from = join(older, place);
			const encoder = await open(modelFolder(from, files[place]!, typed(type)), path);
			const vectors = vectorsOf(from);
			expect(idsOf(encoder, vectors)).toEqual(vectors.map(({ids}) => ids));
		});

		const real = [
			['roberta', 'roberta-base'],
			['gpt2', 'gpt2'],
			['t5', 't5-small'],
		] as const;
		const absent = isAbsent(...real.map(([, place]) => join(shared, 'data/tokenizers', place)));
		test.skipIf(absent).each(real)(
			'the real %s (skipped where the shared data are absent)',
			async (type, place) => {
				const from = join(shared, 'data/tokenizers', place);
				const encoder = await open(modelFolder(from, files[type]!, typed(type)), path);
				const vectors = vectorsOf(from);
				expect(idsOf(encoder, vectors)).toEqual(vectors.map(({ids}) => ids));
			},
		);
	});
});

describe('settings beside older files are kept:', () => {
	const ids = (encoder: TextEncoder, text: string) => idsOf(encoder, [{text, ids: []}])[0]!;

	test('special tokens of another name and added ones', async () => {
		const settings = {
			...named('RobertaTokenizer'),
			'special_tokens_map.json': {cls_token: '<pad>', sep_token: {content: '<unk>'}},
			'added_tokens.json': {'<new>': 9000},
		};
		const encoder = await open(modelFolder(join(older, 'roberta'), files['roberta']!, settings));
		expect(ids(encoder, '<new>')).toEqual([1, 9000, 3]);
	});

	test('the space before the first word', async () => {
		const config = {tokenizer_class: 'RobertaTokenizer', add_prefix_space: true};
		const settings = {'tokenizer_config.json': config};
		const spaced = await open(modelFolder(join(older, 'roberta'), files['roberta']!, settings));
		const plain = await open(
			modelFolder(join(older, 'roberta'), files['roberta']!, named('RobertaTokenizer')),
		);
		expect(ids(spaced, 'the')).toEqual(ids(plain, ' the'));
		expect(ids(spaced, 'the')).not.toEqual(ids(plain, 'the'));
	});

	test('case and accents of ALBERT', async () => {
		const config = {tokenizer_class: 'AlbertTokenizer', do_lower_case: false, keep_accents: true};
		const settings = {'tokenizer_config.json': config};
		const kept = await open(modelFolder(join(older, 'albert'), files['albert']!, settings));
		const lowered = await open(
			modelFolder(join(older, 'albert'), files['albert']!, named('AlbertTokenizer')),
		);
		expect(ids(lowered, 'THE É')).toEqual(ids(lowered, 'the e'));
		expect(ids(kept, 'THE É')).not.toEqual(ids(kept, 'the e'));
	});

	test('the number of tokens behind the pieces of T5', async () => {
		const config = {tokenizer_class: 'T5Tokenizer', extra_ids: 0};
		const settings = {'tokenizer_config.json': config};
		const encoder = await open(modelFolder(join(older, 't5'), files['t5']!, settings));
		const usual = await open(modelFolder(join(older, 't5'), files['t5']!, named('T5Tokenizer')));
		expect(usual.facts.largestId - encoder.facts.largestId).toBe(100);
	});

	test('and the files are listed, to be copied with the model', async () => {
		const path = modelFolder(join(older, 'roberta'), files['roberta']!, typed('roberta'));
		expect((await readTokenizerFiles(path)).names).toEqual(['vocab.json', 'merges.txt']);
	});
});

describe('older files are refused when', () => {
	const spm = readFileSync(join(older, 't5/spiece.model'));
	const t5 = (bytes: Uint8Array) => ({...named('T5Tokenizer'), 'spiece.model': bytes});
	const merges = (vocab: object | Uint8Array, text: string) => ({
		...named('RobertaTokenizer'),
		'vocab.json': vocab,
		'merges.txt': Buffer.from(text),
	});
	const tokens = {'<s>': 0, '</s>': 1, '<unk>': 2, '<pad>': 3, a: 4, b: 5, ab: 6};

	test.each([
		[
			'no class is known',
			{'spiece.model': spm},
			'TOKENIZER_KIND',
			/expected a model of XLMRobertaTokenizer, .* got one of an unknown class/,
		],
		[
			'a model is of another class',
			{...named('XLNetTokenizer'), 'spiece.model': spm},
			'TOKENIZER_KIND',
			/got one of XLNetTokenizer; save the model with a tokenizer\.json/,
		],
		[
			'merges are of another class',
			{...merges(tokens, ''), ...named('CLIPTokenizer')},
			'TOKENIZER_KIND',
			/vocab\.json: expected a vocab\.json of RobertaTokenizer, .* got one of CLIPTokenizer/,
		],
		[
			'a class is no text',
			{...t5(spm), 'tokenizer_config.json': {tokenizer_class: 5}},
			'TOKENIZER_INVALID',
			/tokenizer_class: expected a string, got 5/,
		],
		[
			'the pieces are of BPE',
			t5(readFileSync(join(older, 'bpe.model'))),
			'TOKENIZER_KIND',
			/expected a Unigram model, got BPE/,
		],
		[
			'the model is empty',
			t5(Buffer.alloc(0)),
			'TOKENIZER_INVALID',
			/expected pieces, got nothing/,
		],
		[
			'the model is a text',
			t5(Buffer.from('hello, this is text')),
			'TOKENIZER_INVALID',
			/spiece\.model: expected/,
		],
		[
			'a message is longer than the model',
			t5(Buffer.of(0x0a, 0xff, 0x7f)),
			'TOKENIZER_INVALID',
			/16383 bytes of field 1/,
		],
		[
			'a number never ends',
			t5(Buffer.alloc(40, 0xff)),
			'TOKENIZER_INVALID',
			/a SentencePiece model/,
		],
		['a number is cut', t5(Buffer.of(0x08, 0xff)), 'TOKENIZER_INVALID', /one that is cut/],
		['a piece is a number', t5(Buffer.of(0x08, 1)), 'TOKENIZER_INVALID', /a SentencePiece model/],
		[
			'a score has two bytes',
			t5(Buffer.of(0x0a, 4, 0x12, 2, 0, 0)),
			'TOKENIZER_INVALID',
			/a score of 4 bytes, got 2/,
		],
		[
			'a score is no number',
			t5(Buffer.of(0x0a, 5, 0x15, 0, 0, 0xc0, 0x7f)),
			'TOKENIZER_INVALID',
			/a finite score, got "NaN"/,
		],
		[
			'the special tokens are missing',
			t5(Buffer.of(0x0a, 3, 0x0a, 1, 0x61)),
			'TOKENIZER_INVALID',
			/a token of the vocabulary, got "<\/s>"/,
		],
		[
			'the vocabulary is no JSON',
			merges(Buffer.from('{'), ''),
			'TOKENIZER_INVALID',
			/vocab\.json: expected JSON/,
		],
		[
			'an id is a text',
			merges({...tokens, a: 'x'}, ''),
			'TOKENIZER_INVALID',
			/vocab\.json: a: expected an id/,
		],
		[
			'the ends of a text are missing',
			merges({a: 0}, ''),
			'TOKENIZER_INVALID',
			/expected the token <\/s>/,
		],
		[
			'a merge is of three',
			merges(tokens, 'a b a'),
			'TOKENIZER_INVALID',
			/merges\[0\]: expected two pieces/,
		],
		[
			'a merge is of unknown pieces',
			merges(tokens, '#version: 0.2\na b\nb a'),
			'TOKENIZER_INVALID',
			/merges\[1\]: expected pieces of the vocabulary, got "ba"/,
		],
		[
			'merges are missing',
			{...named('RobertaTokenizer'), 'vocab.json': tokens},
			'TOKENIZER_MISSING',
			/vocab\.json with merges\.txt, .* got tokenizer_config\.json, vocab\.json/,
		],
	] as const)('%s', async (_, contents, code, message) => {
		await expect(open(modelFolder(older, [], contents))).rejects.toMatchObject({
			code,
			message: expect.stringMatching(message),
		});
	});

	test('a model is cut anywhere, or read to its end', async () => {
		const outcomes = new Set<string>();
		for (let length = 0; length < 700; length++) {
			const opening = open(modelFolder(older, [], t5(spm.subarray(0, length))));
			outcomes.add(
				await opening.then(
					() => 'read',
					error => error.code,
				),
			);
		}
		expect([...outcomes].sort()).toEqual(['TOKENIZER_INVALID', 'read']);
	});
});
