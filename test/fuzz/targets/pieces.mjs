// A SentencePiece model: a protocol buffer with pieces, their scores and a normaliser.

import {readFileSync} from 'node:fs';
import {readSentencePieces} from '../../../dist/tokenizer/sentencepiece.js';
import {hold, place, refusing} from '../property.mjs';

const codes = ['TOKENIZER_INVALID', 'TOKENIZER_KIND'];

export function run(bytes) {
	const model = refusing(codes, () => readSentencePieces(bytes, place));
	if (model === undefined) return;
	hold(model.pieces.length > 0, 'there are pieces');
	for (const {text, score, type} of model.pieces) {
		hold(typeof text === 'string' && typeof score === 'number', 'a piece has a text and a score');
		hold(type >= 0, 'a piece has a type');
	}
}

export const words = [
	'\x0a\x03\x0a\x01a',
	'\x12\x02\x18\x01',
	'\x1a\x03\x12\x01a',
	'\xff\xff\xff\xff\x0f',
];

const model = new URL('../../fixtures/tokenizers/older/t5/spiece.model', import.meta.url);

export const seeds = [
	readFileSync(model).subarray(0, 300),
	Buffer.from([10, 10, 10, 1, 97, 21, 0, 0, 128, 191, 24, 1, 18, 2, 24, 1]),
];
