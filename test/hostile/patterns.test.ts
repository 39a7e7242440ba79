// A tokenizer.json whose patterns or steps would work for ever, or make a text fill the memory, ends in an
// error that names it; the process and the other work go on.

import {describe, expect, test} from 'vitest';
import {Encoder} from '../../dist/tokenizer/encoder.js';
import type {TokenizerSource} from '../../dist/tokenizer/files.js';
import {TokenizerThread} from '../../dist/tokenizer/thread.js';

const settings = {maxLength: 64, truncationSide: 'right', addSpecialTokens: true} as const;

function sourceOf(sections: object): TokenizerSource {
	const model = {type: 'WordPiece', unk_token: 'u', vocab: {u: 0, a: 1}};
	const text = JSON.stringify({model, ...sections});
	const bytes = new Uint8Array(new SharedArrayBuffer(Buffer.byteLength(text)));
	bytes.set(Buffer.from(text));
	return {kind: 'json', path: 'bad/tokenizer.json', bytes, settings: {}};
}

const replace = (pattern: object, content: string) => ({type: 'Replace', pattern, content});
const sequence = (step: object, count: number, name: string) => ({
	type: 'Sequence',
	[name]: Array.from({length: count}, () => step),
});

/** Sequences of two that hold each other, the innermost of a step that makes each blank two. */
function doubling(depth: number): object {
	const step = {type: 'Metaspace', replacement: '        ', prepend_scheme: 'always', split: true};
	const inner = depth === 0 ? step : doubling(depth - 1);
	return {type: 'Sequence', pretokenizers: [inner, inner]};
}

const preparation = {prompts: '', lowerCase: false};

describe('A pattern that doubles its time with each character', () => {
	const slow = {Regex: '^(a+)+$'};
	const text = `${'a'.repeat(60)}b`;

	test('is given up, and the next text works', {timeout: 60_000}, async () => {
		const source = sourceOf({normalizer: replace(slow, 'x')});
		const thread = new TokenizerThread(source, {seconds: 1});
		await thread.opened;
		await expect(thread.encode({texts: ['a', text], preparation, settings})).rejects.toMatchObject({
			code: 'TOKENIZER_INVALID',
			message:
				'bad/tokenizer.json: expected the tokenizer to be done with a text of 61 characters that ' +
				`begins "${'a'.repeat(40)}" within 2 s, got no end; a pattern in it takes too long`,
		});
		expect(thread.isAlive).toBe(false);
		const next = new TokenizerThread(source);
		expect((await next.encode({texts: ['b'], preparation, settings})).ids).toEqual(
			Int32Array.of(0),
		);
		await next.close(undefined);
	});

	test('is given up while the tokenizer is opened', {timeout: 60_000}, async () => {
		const source = sourceOf({
			normalizer: replace(slow, 'x'),
			added_tokens: [{id: 2, content: text, normalized: true}],
		});
		await expect(new TokenizerThread(source, {seconds: 1}).opened).rejects.toMatchObject({
			code: 'TOKENIZER_INVALID',
			message: expect.stringMatching(/^bad\/tokenizer\.json: expected the tokenizer to be open/),
		});
	});
});

describe('Steps that make a text longer and longer', () => {
	test.each([
		['replacements', {normalizer: sequence(replace({String: ''}, 'aaaa'), 20, 'normalizers')}],
		['one replacement', {normalizer: replace({String: 'a'}, 'a'.repeat(100_000))}],
		['prefixes', {normalizer: {type: 'Prepend', prepend: 'a'.repeat(100_000)}}],
		['bytes', {pre_tokenizer: sequence({type: 'ByteLevel'}, 30, 'pretokenizers')}],
		[
			'marks',
			{
				pre_tokenizer: sequence(
					{type: 'Metaspace', replacement: '  ', split: false},
					40,
					'pretokenizers',
				),
			},
		],
		['sequences within sequences', {pre_tokenizer: doubling(8)}],
	])('by %s are refused', (_, sections) => {
		const encoder = new Encoder(sourceOf(sections));
		expect(() => encoder.encode(['a é a a'], settings)).toThrow(
			expect.objectContaining({
				code: 'TOKENIZER_INVALID',
				message: expect.stringMatching(
					/^bad\/tokenizer\.json: .*: expected at most \d+ characters from a text of \d+, got more/,
				),
			}),
		);
	});

	test('are told from those that only change it', () => {
		const encoder = new Encoder(sourceOf({normalizer: replace({String: 'x'}, 'aa')}));
		expect(encoder.encode(['x'.repeat(50)], settings).ids).toHaveLength(1);
	});
});

describe('Sections nested without end are refused:', () => {
	const nested = (name: string) => {
		let step: object = {type: 'Sequence', [name]: []};
		for (let depth = 0; depth < 1000; depth++) step = {type: 'Sequence', [name]: [step]};
		return step;
	};

	test.each([
		['normalizer', {normalizer: nested('normalizers')}],
		['pre_tokenizer', {pre_tokenizer: nested('pretokenizers')}],
		['post_processor', {post_processor: nested('processors')}],
		['model', {model: {type: nested('type'), vocab: {a: 0}}}],
	])('%s', (name, sections) => {
		expect(() => new Encoder(sourceOf(sections))).toThrow(
			`bad/tokenizer.json: ${name}: expected at most 100 levels of nesting, got an object`,
		);
	});
});

describe('A name that every object has is no type of', () => {
	test.each(['normalizer', 'pre_tokenizer', 'post_processor'])('%s', section => {
		for (const type of ['constructor', 'toString', '__proto__', ['Sequence']]) {
			expect(() => new Encoder(sourceOf({[section]: {type}}))).toThrow(
				expect.objectContaining({
					code: 'TOKENIZER_KIND',
					message: expect.stringContaining(`bad/tokenizer.json: ${section}.type: expected `),
				}),
			);
		}
	});
});
