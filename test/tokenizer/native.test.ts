// Native code gives the ids of the path that takes every tokenizer, for any text; and takes only the
// tokenizers of which it knows every part.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import type {EncodeSettings} from '../../dist/tokenizer/encoder.js';
import {readTokenizerFiles, type TokenizerSource} from '../../dist/tokenizer/files.js';
import {openEncoder} from '../../dist/tokenizer/native-encoder.js';
import {Tokenizer} from '../../dist/tokenizer/tokenizer.js';
import {randomTexts} from './random-texts.js';
import {
	bertFamily,
	bertJson,
	encoderOn,
	fixtures,
	isAbsent,
	paths,
	shared,
	sourceOf,
} from './sources.js';

const texts = randomTexts(400);
const lengths: EncodeSettings[] = [
	{maxLength: 1e9, truncationSide: 'right', addSpecialTokens: true},
	{maxLength: 7, truncationSide: 'right', addSpecialTokens: false},
	{maxLength: 7, truncationSide: 'left', addSpecialTokens: true},
];

function expectSame(source: TokenizerSource): void {
	const [usual, native] = paths.map(path => encoderOn(path, source));
	expect(native!.facts).toEqual(usual!.facts);
	for (const settings of lengths) {
		const [wanted, got] = [usual!, native!].map(encoder => encoder.encode(texts, settings));
		const rows = ({ids, offsets}: typeof wanted & object) =>
			texts.map((text, n) => [text, ...ids.subarray(offsets[n], offsets[n + 1])]);
		expect(rows(got!)).toEqual(rows(wanted!));
		expect(got!.truncated).toEqual(wanted!.truncated);
	}
}

const letters = [...'abcdefghijklmnopqrstuvwxyz▁<>é中日ßσ ́가각ぱ'];
const merged = ['th', 'the', 'in', 'an', '▁a', '▁the', 'éa', '中日', '▁▁'];
const pieces = ['<unk>', '<s>', '</s>', ...letters, ...merged];
const numbered = Object.fromEntries(pieces.map((piece, id) => [piece, id]));
const bytes = Array.from(
	{length: 256},
	(_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
);
const withBytes = Object.fromEntries([...pieces, ...bytes].map((piece, id) => [piece, id]));
const merges = ['t h', 'th e', 'i n', 'a n', '▁ a', '▁ the', 'é a', '中 日', '▁ ▁'];
const bpe = {type: 'BPE', vocab: numbered, merges, unk_token: '<unk>'};
const unigram = {
	type: 'Unigram',
	unk_id: 0,
	vocab: pieces.map((piece, n) => [piece, -1 - ((n * 7) % 11) / 3 - (piece.length === 1 ? 4 : 0)]),
};
const words = bertJson([
	'[UNK]',
	...letters,
	...merged,
	...letters.map(letter => `##${letter}`),
]).model;
const metaspace = (changes: object) => ({
	pre_tokenizer: {
		type: 'Metaspace',
		replacement: '▁',
		prepend_scheme: 'always',
		split: true,
		...changes,
	},
});
const sequence = (...normalizers: object[]) => ({normalizer: {type: 'Sequence', normalizers}});
const splits = (...pretokenizers: object[]) => ({
	pre_tokenizer: {type: 'Sequence', pretokenizers},
});
const replace = (pattern: object, content: string) => ({type: 'Replace', pattern, content});
const split = (pattern: object, behavior: string, invert = false) => ({
	type: 'Split',
	pattern,
	behavior,
	invert,
});
const added = [
	{id: 900, content: '<x>', special: true},
	{id: 901, content: '<mask>', lstrip: true, rstrip: true},
	{id: 902, content: 'ÉX', normalized: true},
	{id: 903, content: 'tha', single_word: true, normalized: false},
	{id: 904, content: '<x><x>', normalized: false},
];
const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const cl100k = (digits: string) =>
	`${contractions}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
const charsmap = (() => {
	const path = join(shared, 'data/tokenizers/t5-small/tokenizer.json');
	if (isAbsent(path)) return undefined;
	return JSON.parse(readFileSync(path, 'utf8')).normalizer as object;
})();

const bertKinds = [
	{},
	{lowercase: false},
	{strip_accents: false},
	{strip_accents: true, lowercase: false},
	{clean_text: false, handle_chinese_chars: false},
	{clean_text: false},
].map(changes => ({normalizer: {type: 'BertNormalizer', ...changes}}));

const kinds: readonly (readonly [string, object])[] = [
	...bertKinds.map(
		section => [`WordPiece, ${JSON.stringify(section)}`, {model: words, ...section}] as const,
	),
	['WordPiece without a normaliser', {model: words, normalizer: null}],
	['WordPiece of a few characters', {model: {...words, max_input_chars_per_word: 3}}],
	['WordPiece without a prefix', {model: {...words, continuing_subword_prefix: ''}}],
	['BPE', {model: bpe}],
	['BPE that fuses what is unknown', {model: {...bpe, fuse_unk: true}, ...metaspace({})}],
	['BPE that drops what is unknown', {model: {...bpe, unk_token: null}, ...metaspace({})}],
	['BPE of whole words', {model: {...bpe, ignore_merges: true}, ...metaspace({split: false})}],
	[
		'BPE that ends words',
		{model: {...bpe, end_of_word_suffix: 'n'}, ...splits({type: 'WhitespaceSplit'})},
	],
	['BPE with bytes', {model: {...bpe, vocab: withBytes, byte_fallback: true, fuse_unk: true}}],
	[
		'BPE as of Llama',
		{
			model: {...bpe, vocab: withBytes, byte_fallback: true, fuse_unk: true},
			...sequence({type: 'Prepend', prepend: '▁'}, replace({String: ' '}, '▁')),
		},
	],
	[
		'BPE whose merges reach across marks',
		{
			model: {...bpe, vocab: {...numbered, 'a▁': 800}, merges: [...merges, 'a ▁']},
			...sequence(replace({String: ' '}, '▁')),
		},
	],
	[
		'BPE with bytes and nothing for the unknown',
		{model: {...bpe, vocab: withBytes, byte_fallback: true, unk_token: null}},
	],
	['Unigram', {model: unigram, ...metaspace({})}],
	[
		'Unigram with marks before the first word',
		{model: unigram, ...metaspace({prepend_scheme: 'first'})},
	],
	[
		'Unigram without marks',
		{model: unigram, ...metaspace({prepend_scheme: 'never', split: false})},
	],
	[
		'Unigram with bytes',
		{
			model: {
				...unigram,
				byte_fallback: true,
				vocab: [...unigram.vocab, ...bytes.map(byte => [byte, -20])],
			},
		},
	],
	...['NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'StripAccents'].map(
		type => [`Unigram, ${type}`, {model: unigram, normalizer: {type}}] as const,
	),
	[
		'Unigram as of ALBERT',
		{
			model: unigram,
			...metaspace({}),
			...sequence(
				replace({String: '``'}, '"'),
				{type: 'NFKD'},
				{type: 'StripAccents'},
				{type: 'Lowercase'},
				replace({Regex: ' {2,}'}, ' '),
				{type: 'Strip'},
			),
		},
	],
	...(
		['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'] as const
	).flatMap(behavior => [
		[`Punctuation, ${behavior}`, {model: bpe, ...splits({type: 'Punctuation', behavior})}] as const,
		[`Split, ${behavior}`, {model: bpe, ...splits(split({String: 'a'}, behavior))}] as const,
		[
			`Split of the others, ${behavior}`,
			{model: bpe, ...splits(split({String: ' '}, behavior, true))},
		] as const,
	]),
	...[
		{type: 'Whitespace'},
		{type: 'Digits'},
		{type: 'Digits', individual_digits: true},
		{type: 'CharDelimiterSplit', delimiter: '-'},
		{type: 'ByteLevel', add_prefix_space: true},
		{type: 'ByteLevel', add_prefix_space: false, use_regex: false},
		split({Regex: cl100k('\\p{N}')}, 'Isolated'),
		split({Regex: cl100k('\\p{N}{1,3}')}, 'Removed', true),
	].map(section => [JSON.stringify(section), {model: bpe, pre_tokenizer: section}] as const),
	[
		'marks after a first word that goes',
		{
			model: unigram,
			...splits({type: 'WhitespaceSplit'}, metaspace({prepend_scheme: 'first'}).pre_tokenizer),
		},
	],
];

describe('native ids are those of the other path:', () => {
	test.each(kinds)('%s', (_, sections) => {
		expectSame(sourceOf({...bertJson([]), ...partsOf(sections)}));
	});

	test.skipIf(charsmap === undefined)(
		'the precompiled normaliser of T5 (skipped without shared data)',
		() => {
			const normalizers = [charsmap!, {type: 'Lowercase'}];
			expectSame(sourceOf({...partsOf({model: unigram, ...metaspace({})}), normalizer: charsmap}));
			expectSame(sourceOf(partsOf({model: unigram, ...sequence(...normalizers)})));
		},
	);

	test('the vocabulary of bert-base-uncased', async () => {
		expectSame((await readTokenizerFiles(join(fixtures, 'bert-base-uncased'))).source);
	});

	const real = ['t5-small', 'llama2'];
	test.skipIf(isAbsent(join(shared, 'data/tokenizers'))).each(real)(
		'the real %s (skipped without shared data)',
		async name => {
			expectSame((await readTokenizerFiles(join(shared, 'data/tokenizers', name))).source);
		},
	);
});

/** Sections that say nothing are not those of BERT. */
function partsOf(sections: object): object {
	const isBert = 'model' in sections && sections.model === words;
	return {
		...(isBert ? {} : {normalizer: null, pre_tokenizer: null}),
		added_tokens: added,
		...sections,
	};
}

describe('what native code does not know goes the other way:', () => {
	test.each([
		['a pattern', {pre_tokenizer: split({Regex: '[a-z]+'}, 'Isolated')}],
		['a replaced pattern', {normalizer: replace({Regex: 'a+'}, 'b')}],
		['a mark of two units', metaspace({replacement: '__'})],
		['bytes that are split again', splits({type: 'ByteLevel'}, {type: 'Digits'})],
		['half a pair', {added_tokens: [{id: 9, content: 'a\ud800', normalized: false}]}],
		['sequences within sequences', splits(splits({type: 'Digits'}).pre_tokenizer)],
	])('%s', (_, sections) => {
		const json = {model: bpe, normalizer: null, pre_tokenizer: null, ...sections};
		expect(openEncoder(sourceOf(json)).path).toBe('javascript');
	});

	test('an open tokenizer says which', async () => {
		await using tokenizer = await Tokenizer.open(await readTokenizerFiles(bertFamily));
		expect(tokenizer.path).toBe('native');
	});
});

test('steps that make a text longer and longer are refused as on the other path', () => {
	const steps = Array.from({length: 20}, () => replace({String: 'a'}, 'aaaa'));
	const source = sourceOf({model: bpe, ...sequence(...steps)});
	for (const path of paths) {
		const encoder = encoderOn(path, source);
		expect(() => encoder.encode(['a é a a'], lengths[0]!)).toThrow(
			expect.objectContaining({
				code: 'TOKENIZER_INVALID',
				message: expect.stringMatching(
					/^tokenizer\.json: normalizer: expected at most \d+ characters from a text of \d, got more/,
				),
			}),
		);
	}
});

test('a word of a million letters takes no longer than its letters', () => {
	const long = 'the'.repeat(300_000);
	for (const model of [bpe, unigram, words]) {
		const encoder = encoderOn('native', sourceOf({model, normalizer: null, pre_tokenizer: null}));
		const {ids} = encoder.encode([long], lengths[0]!);
		expect(ids.length).toBe(model === words ? 1 : 300_000);
	}
});
