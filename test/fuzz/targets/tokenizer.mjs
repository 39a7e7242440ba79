// A tokenizer.json: from bytes to the ids of a few texts, the same on both paths. The texts are short, because patterns of such a
// file may take time that grows with 2^length; the thread around the tokenizer watches that, not this.

import {Encoder} from '../../../dist/tokenizer/encoder.js';
import {openEncoder} from '../../../dist/tokenizer/native-encoder.js';
import {expectRefusal, hold, place} from '../property.mjs';

const codes = ['TOKENIZER_INVALID', 'TOKENIZER_KIND'];

const texts = [
	'',
	'Hi, wörld!',
	' a  b\tc12',
	'日本 \u{1f600}e\u0301',
	"[CLS]it's\ud800",
	'ab<mask>ab',
];

export function run(bytes, source = {kind: 'json', settings: {}}) {
	try {
		const encoder = new Encoder({path: place, bytes, ...source});
		const native = openEncoder({path: place, bytes, ...source});
		for (const maxLength of [encoder.specialTokens + 3, 64 + encoder.specialTokens]) {
			const settings = {maxLength, truncationSide: 'right', addSpecialTokens: true};
			const encoded = encoder.encode(texts, settings);
			expectIds(encoded, encoder.definition.largestId, maxLength);
			if (native.path === 'native') expectSame(native.encode(texts, settings), encoded);
		}
	} catch (error) {
		expectRefusal(error, codes);
	}
}

function expectIds({ids, offsets, truncated}, largestId, maxLength) {
	hold(offsets[0] === 0 && offsets.at(-1) === ids.length, 'offsets span the ids');
	hold(
		ids.every(id => id >= 0 && id <= largestId),
		'ids are at most the largest one',
	);
	hold(truncated.length === texts.length, 'each text says whether it was cut');
	for (let n = 0; n < texts.length; n++) {
		const count = offsets[n + 1] - offsets[n];
		hold(count >= 0 && count <= maxLength, 'a text has at most so many ids as asked for');
	}
}

function expectSame(native, {ids, offsets, truncated}) {
	const same = (a, b) => a.length === b.length && a.every((value, n) => value === b[n]);
	hold(same(native.ids, ids) && same(native.offsets, offsets), 'both paths give the same ids');
	hold(same(native.truncated, truncated), 'both paths cut the same texts');
}

export const json = {text: bytes => bytes.toString('utf8'), bytes: text => Buffer.from(text)};

export const words = [
	...[
		'Sequence',
		'Replace',
		'Regex',
		'String',
		'Split',
		'BPE',
		'Unigram',
		'WordPiece',
		'[UNK]',
		'##a',
	],
	...[
		'normalizers',
		'pretokenizers',
		'processors',
		'\\p{L}+',
		'(?i:a)',
		'\\s+(?!\\S)',
		'(?<x>a)',
		'[^\\r\\n]+',
	],
];

const pieces = {
	'[UNK]': 0,
	'[CLS]': 1,
	'[SEP]': 2,
	h: 3,
	'##i': 4,
	w: 5,
	a: 6,
	b: 7,
	'##b': 8,
	',': 9,
};
const cls = {type: 'BertProcessing', cls: ['[CLS]', 1], sep: ['[SEP]', 2]};

const bert = {
	added_tokens: [
		{id: 1, content: '[CLS]', special: true},
		{id: 10, content: '<mask>', lstrip: true},
	],
	normalizer: {type: 'BertNormalizer', lowercase: true},
	pre_tokenizer: {type: 'BertPreTokenizer'},
	post_processor: cls,
	model: {type: 'WordPiece', unk_token: '[UNK]', vocab: pieces},
};

const bpe = {
	normalizer: {
		type: 'Sequence',
		normalizers: [{type: 'NFC'}, {type: 'Replace', pattern: {Regex: ' {2,}'}, content: ' '}],
	},
	pre_tokenizer: {
		type: 'Sequence',
		pretokenizers: [
			{
				type: 'Split',
				pattern: {Regex: "'s|\\p{L}+|\\s+(?!\\S)"},
				behavior: 'Isolated',
				invert: false,
			},
			{type: 'ByteLevel', add_prefix_space: true, use_regex: false},
		],
	},
	post_processor: {
		type: 'TemplateProcessing',
		single: [{SpecialToken: {id: '<s>', type_id: 0}}, {Sequence: {id: 'A', type_id: 0}}],
		special_tokens: {'<s>': {id: '<s>', ids: [0], tokens: ['<s>']}},
	},
	model: {
		type: 'BPE',
		unk_token: '<s>',
		vocab: {'<s>': 0, a: 1, b: 2, ab: 3, Ġ: 4},
		merges: [['a', 'b']],
	},
};

const unigram = {
	normalizer: {
		type: 'Precompiled',
		precompiled_charsmap: Buffer.from('\x08\0\0\0\0\x04\0\0\0\0\0\0a\0', 'latin1').toString(
			'base64',
		),
	},
	pre_tokenizer: {type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true},
	post_processor: null,
	model: {
		type: 'Unigram',
		unk_id: 0,
		byte_fallback: false,
		vocab: [
			['<unk>', 0],
			['▁', -1],
			['a', -2.5],
			['▁a', -3],
		],
	},
};

const parts = {
	normalizer: {
		type: 'Sequence',
		normalizers: [
			{type: 'NFKD'},
			{type: 'StripAccents'},
			{type: 'Lowercase'},
			{type: 'Strip', strip_left: true},
			{type: 'Prepend', prepend: 'x'},
			{type: 'Replace', pattern: {String: 'a'}, content: 'b'},
		],
	},
	pre_tokenizer: {
		type: 'Sequence',
		pretokenizers: [
			{type: 'WhitespaceSplit'},
			{type: 'Whitespace'},
			{type: 'Digits', individual_digits: true},
			{type: 'Punctuation', behavior: 'Removed'},
			{type: 'CharDelimiterSplit', delimiter: '-'},
		],
	},
	post_processor: {
		type: 'Sequence',
		processors: [{type: 'RobertaProcessing', cls: ['a', 1], sep: ['b', 2]}, {type: 'ByteLevel'}],
	},
	model: {vocab: pieces, max_input_chars_per_word: 20, continuing_subword_prefix: '##'},
};

export const seeds = [bert, bpe, unigram, parts].map(one => JSON.stringify(one));
