// Tokenizers and vectors for the tests of this folder.

import {existsSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {expect} from 'vitest';
import {Encoder, type TextEncoder} from '../../dist/tokenizer/encoder.js';
import type {TokenizerSource} from '../../dist/tokenizer/files.js';
import {openEncoder} from '../../dist/tokenizer/native-encoder.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
export const fixtures = join(root, 'test/fixtures/tokenizers');
export const bertFamily = join(root, 'test/fixtures/families/bert');
export const shared = process.env.INBATCH_SHARED ?? join(root, '../shared');

export interface Vector {
	readonly text: string;
	readonly ids: readonly number[];
	readonly add_special_tokens?: boolean;
	readonly truncated?: boolean;
}

export function readJsonLines<T>(path: string): T[] {
	const lines = readFileSync(path, 'utf8').split('\n');
	return lines.filter(line => line !== '').map(line => JSON.parse(line) as T);
}

export const isAbsent = (...paths: string[]) => paths.some(path => !existsSync(path));

/** The two ways from text to ids, whose results are the same. */
export const paths = ['javascript', 'native'] as const;
export type Path = (typeof paths)[number];

/** An encoder that goes this way; a tokenizer that native code does not take fails the test. */
export function encoderOn(path: Path, source: TokenizerSource): TextEncoder {
	const encoder = path === 'native' ? openEncoder(source) : new Encoder(source);
	expect(encoder.path).toBe(path);
	return encoder;
}

/** An encoder of a tokenizer.json that is given as an object. */
export function encoderOf(json: unknown, path: Path = 'javascript'): TextEncoder {
	return encoderOn(path, sourceOf(json));
}

export function sourceOf(json: unknown): TokenizerSource {
	const text = typeof json === 'string' ? json : JSON.stringify(json);
	return {kind: 'json', path: 'tokenizer.json', bytes: Buffer.from(text), settings: {}};
}

/** The ids of each vector's text, with or without special tokens as the vector says. */
export function idsOf(encoder: TextEncoder, vectors: readonly Vector[]): number[][] {
	return vectors.map(({text, add_special_tokens: addSpecialTokens = true}) => {
		const settings = {maxLength: 1e9, truncationSide: 'right', addSpecialTokens} as const;
		return [...encoder.encode([text], settings).ids];
	});
}

/** The smallest BERT tokenizer.json with this vocabulary. */
export function bertJson(pieces: readonly string[], changes: object = {}) {
	return {
		version: '1.0',
		added_tokens: [],
		normalizer: {type: 'BertNormalizer', lowercase: true},
		pre_tokenizer: {type: 'BertPreTokenizer'},
		post_processor: null,
		model: {
			type: 'WordPiece',
			unk_token: '[UNK]',
			vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
		},
		...changes,
	};
}
