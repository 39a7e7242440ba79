// Added tokens, special tokens and truncation of one tokenizer.

import {describe, expect, test} from 'vitest';
import {bertJson, encoderOf, paths} from './sources.js';

const pieces = ['[UNK]', '[CLS]', '[SEP]', 'a', 'b', 'c', '##c', '<', '>', 'mask', '中', '.'];
const added = (id: number, content: string, flags: object) => ({
	id,
	content,
	special: true,
	...flags,
});
const cls = {SpecialToken: {id: '[CLS]', type_id: 0}};
const sep = {SpecialToken: {id: '[SEP]', type_id: 0}};
const text = {Sequence: {id: 'A', type_id: 0}};
const template = {
	type: 'TemplateProcessing',
	single: [cls, text, sep, sep],
	special_tokens: {'[CLS]': {id: '[CLS]', ids: [1], tokens: ['[CLS]']}},
};
const settings = {maxLength: 100, truncationSide: 'right', addSpecialTokens: true} as const;

describe.each(paths)('in %s', path => {
	function ids(json: object, input: string, changes: object = {}): number[] {
		return [...encoderOf(json, path).encode([input], {...settings, ...changes}).ids];
	}

	test('truncation on the right keeps the first ids between all special tokens', () => {
		const json = bertJson(pieces, {post_processor: template});
		expect(ids(json, 'a b c a', {maxLength: 5})).toEqual([1, 3, 4, 2, 2]);
		expect(ids(json, 'a b c a', {maxLength: 7})).toEqual([1, 3, 4, 5, 3, 2, 2]);
	});

	test('truncation on the left keeps the last ids between all special tokens', () => {
		const json = bertJson(pieces, {post_processor: template});
		const left = {maxLength: 5, truncationSide: 'left'};
		expect(ids(json, 'a b c a', left)).toEqual([1, 5, 3, 2, 2]);
		expect(ids(json, 'a b c a', {...left, addSpecialTokens: false})).toEqual([3, 4, 5, 3]);
	});

	test('only texts that lose ids count as truncated', () => {
		const encoder = encoderOf(bertJson(pieces, {post_processor: template}), path);
		const result = encoder.encode(['a b', 'a b c', ''], {...settings, maxLength: 5});
		expect([...result.truncated]).toEqual([0, 1, 0]);
		expect([...result.offsets]).toEqual([0, 5, 10, 13]);
	});

	test('an added token is found in the text as it is, with the spaces it takes along', () => {
		const json = bertJson(pieces, {added_tokens: [added(20, '<mask>', {lstrip: true})]});
		expect(ids(json, 'a <mask>b <MASK>')).toEqual([3, 20, 4, 7, 9, 8]);
	});

	test('of added tokens at one place the longest counts', () => {
		const tokens = [added(20, '<a>', {}), added(21, '<a><b>', {})];
		expect(ids(bertJson(pieces, {added_tokens: tokens}), '<a><b><a>')).toEqual([21, 20]);
	});

	test('an added token that must be a word is left alone inside one', () => {
		const json = bertJson(pieces, {added_tokens: [added(20, 'ba', {single_word: true})]});
		expect(ids(json, 'ba c.ba a')).toEqual([20, 5, 11, 20, 3]);
		expect(ids(json, 'bac')).toEqual([0]);
	});

	test('a normalised added token is found in lower case too', () => {
		const json = bertJson(pieces, {added_tokens: [added(20, '<Mask>', {normalized: true})]});
		expect(ids(json, 'A <MASK> b')).toEqual([3, 20, 4]);
	});

	test('a word longer than the limit and a word with a gap are unknown as a whole', () => {
		expect(ids(bertJson(pieces), 'ax')).toEqual([0]);
		expect(ids(bertJson(pieces), `a${'c'.repeat(99)}`)).toEqual([3, ...Array(99).fill(6)]);
		expect(ids(bertJson(pieces), `a${'c'.repeat(100)}`)).toEqual([0]);
	});

	test('lone surrogates disappear like U+FFFD', () => {
		expect(ids(bertJson(pieces), 'a\uD800 \uDC00b')).toEqual([3, 4]);
	});

	test('ideographs beside letters are words of their own', () => {
		expect(ids(bertJson(pieces), 'a中b')).toEqual([3, 10, 4]);
	});

	test('a long text gives the same ids as its words one by one', () => {
		const encoder = encoderOf(bertJson(pieces), path);
		const words = Array.from({length: 40_000}, (_, n) => ['a', 'b.', 'ac', '中', 'x'][n % 5] ?? '');
		const single = encoder.encode(words, settings).ids;
		const whole = encoder.encode([words.join('\n')], {...settings, maxLength: 1e9}).ids;
		expect(whole).toEqual(single);
	});
});
