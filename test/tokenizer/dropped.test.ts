// Characters that a tokenizer drops: what stands beside them closes up as in the Rust library (tokenizers 0.23.3, which
// gave these ids).

import {describe, expect, test} from 'vitest';
import {encoderOf, idsOf as idsOfVectors, paths} from './sources.js';

const vocab = {a: 0, b: 1, ab: 2, 日本: 3, '<0xE3>': 4, '<0x81>': 5, '<0x82>': 6};
const bpe = {type: 'BPE', vocab, merges: [['a', 'b']]};

describe.each(paths)('in %s', path => {
	const idsOf = (json: object, texts: string[]) =>
		idsOfVectors(
			encoderOf({added_tokens: [], ...json}, path),
			texts.map(text => ({text, ids: []})),
		);

	test('BPE without a token for the unknown merges across what it drops', () => {
		const texts = ['ab', 'a日b', '日ab日', '日本', 'aあb'];
		expect(idsOf({model: bpe}, texts)).toEqual([[2], [2], [2], [], [2]]);
		const bytes = {...bpe, byte_fallback: true};
		expect(idsOf({model: bytes}, texts)).toEqual([[2], [2], [2], [], [0, 4, 5, 6, 1]]);
		const whole = {...bpe, ignore_merges: true, merges: []};
		expect(idsOf({model: whole}, texts)).toEqual([[2], [0, 1], [0, 1], [3], [0, 1]]);
	});

	test('BPE that marks the end of a word leaves off an end that it drops', () => {
		const suffixed = {...bpe, end_of_word_suffix: '</w>', vocab: {...vocab, 'b</w>': 7}};
		expect(idsOf({model: suffixed}, ['a日b', '日', 'ab日'])).toEqual([[0, 7], [], [2]]);
	});

	test('no mark is put before a text whose first character the normaliser drops', () => {
		const unigram = {
			type: 'Unigram',
			unk_id: 0,
			vocab: [
				['?', -9],
				['▁', -2],
				['a', -2],
				['▁a', -1],
			],
		};
		const json = {
			model: unigram,
			normalizer: {type: 'Strip', strip_left: true, strip_right: false},
			pre_tokenizer: {type: 'Metaspace', prepend_scheme: 'first', replacement: '▁', split: true},
		};
		expect(idsOf(json, ['a', ' a', '  a a'])).toEqual([[3], [2], [2, 3]]);
	});
});
