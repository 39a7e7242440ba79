// Texts of millions of characters: they reach the worker in parts of bounded size, whatever stands where they
// are cut, and what is put before them or done to all of them happens there.

import {Worker} from 'node:worker_threads';
import {afterEach, describe, expect, test, vi} from 'vitest';
import {mostUnits} from '../../dist/tokenizer/encode-job.js';
import {readTokenizerFiles} from '../../dist/tokenizer/files.js';
import {openEncoder} from '../../dist/tokenizer/native-encoder.js';
import {preparedText} from '../../dist/tokenizer/prepared-text.js';
import {type EncodeOptions, Tokenizer} from '../../dist/tokenizer/tokenizer.js';
import {bertFamily, bertJson, sourceOf} from './sources.js';

const files = await readTokenizerFiles(bertFamily);
const pieces = [
	'[UNK]',
	'the',
	'a',
	'É',
	'é',
	'e',
	'中',
	'ß',
	'ss',
	'##the',
	'##e',
	'##ß',
	'##σ',
	'ς',
];
const added = [{id: 90, content: '<mask>', special: true}];
const split = {type: 'Split', pattern: {Regex: '\\S+'}, behavior: 'Removed', invert: true};
const sources = {
	native: files.source,
	javascript: sourceOf(
		bertJson(pieces, {normalizer: {type: 'NFC'}, pre_tokenizer: split, added_tokens: added}),
	),
};
const whole = {maxLength: 1e9, truncationSide: 'right', addSpecialTokens: true} as const;

afterEach(() => {
	vi.restoreAllMocks();
});

/** What stands around a cut: its first half before, the other after. */
const cuts = {
	'a pair of surrogates': ['\ud83d', '\ude00'],
	'a letter and its mark': ['e', '\u0301'],
	'two marks': ['a\u0323', '\u0307'],
	'an emoji put together of others': ['👩\u200d', '👩'],
	spaces: ['  ', '  '],
	'the end of a line': ['\r', '\n'],
	'a word': ['th', 'e'],
	'an added token': ['<ma', 'sk>'],
	'Hangul put together of letters': ['\u1100', '\u1161\u11a8'],
	'a sigma and the end of its word': ['Σ', ' '],
	'half a pair and a letter': ['\ud83d', 'a'],
} as const;

/** A text in which the halves of each stand around a border between two parts. */
function textCutAt(halves: readonly (readonly [string, string])[]): string {
	const filler = 'the age of é 中 '.repeat(mostUnits / 8);
	let text = '';
	for (const [before, after] of halves) {
		text += filler.slice(0, mostUnits - (text.length % mostUnits) - before.length);
		text += before + after;
	}
	return text;
}

/** The parts of texts that are posted. */
function postedParts() {
	const post = vi.spyOn(Worker.prototype, 'postMessage');
	return () => post.mock.calls.flatMap(([message]) => ('part' in message ? [message.part] : []));
}

/** Ids and whether the text was cut, as what is quick to compare. */
const shown = ({ids, truncated}: {ids: Int32Array; truncated: Uint8Array}) =>
	[...truncated, ids.length, Buffer.from(new Int32Array(ids).buffer).toString('base64')].join(' ');

describe.each(['native', 'javascript'] as const)('by the %s path', path => {
	const source = sources[path];
	const oracle = openEncoder(source);

	test(`a text has the ids of the whole when it is cut within ${Object.keys(cuts).join(', ')}`, async () => {
		await using tokenizer = await Tokenizer.open({...files, source});
		expect(tokenizer.path).toBe(path);
		const parts = postedParts();
		const halves = Object.values(cuts);
		const text = textCutAt(halves);
		const got = await tokenizer.encode([text], whole);
		expect(parts()).toHaveLength(halves.length + 1);
		expect(parts().map(part => part.at(-1))).toEqual([
			...halves.map(([before]) => before.at(-1)),
			text.at(-1),
		]);
		expect(parts().join('') === text).toBe(true);
		expect(shown(got)).toBe(shown(oracle.encode([text], whole)));
	});

	test('so has a word of a million letters, from either side too', async () => {
		await using tokenizer = await Tokenizer.open({...files, source});
		const text = `the ${'é'.repeat(1e6)} age`;
		for (const truncationSide of ['right', 'left'] as const) {
			const settings = {...whole, maxLength: 4, truncationSide};
			const got = await tokenizer.encode([text], settings);
			expect(shown(got)).toBe(shown(oracle.encode([text], settings)));
		}
	});

	test('prompts and lower case are those of the whole text', async () => {
		await using tokenizer = await Tokenizer.open({...files, source});
		const texts = ['É ΑΣ', textCutAt([['Σ', ' É']]), '', 'ΑΣ'];
		const prompts = ['A: ', 'The {} Σ', '', '{}É'];
		const prepared = (prompt: (n: number) => string, lowerCase: boolean) =>
			texts.map((text, n) => preparedText(text, {prompt: prompt(n), lowerCase}));
		const cases: [Omit<EncodeOptions, 'maxLength'>, string[]][] = [
			[{prompts, lowerCase: true}, prepared(n => prompts[n]!, true)],
			[{prompts}, prepared(n => prompts[n]!, false)],
			[{prompts: 'É {} ', lowerCase: true}, prepared(() => 'É {} ', true)],
		];
		for (const [asked, wanted] of cases) {
			const got = await tokenizer.encode(texts, {...whole, ...asked});
			expect(got.offsets).toEqual(oracle.encode(wanted, whole).offsets);
			expect(shown(got)).toBe(shown(oracle.encode(wanted, whole)));
		}
	});
});

test('of a text with a prompt and in lower case no part is longer, and none is changed here', async () => {
	await using tokenizer = await Tokenizer.open(files);
	const parts = postedParts();
	const text = 'THE age '.repeat(100_000);
	await tokenizer.encode([text], {maxLength: 64, prompts: ['query: '], lowerCase: true});
	expect(Math.max(...parts().map(part => part.length))).toBe(mostUnits);
	expect(parts().join('') === text).toBe(true);
});

test('prompts count as what a message copies', async () => {
	await using tokenizer = await Tokenizer.open(files);
	const post = vi.spyOn(Worker.prototype, 'postMessage');
	const texts = ['a', 'b', 'c', 'd'];
	const sizes = () => post.mock.calls.map(([{texts}]) => texts.length);
	await tokenizer.encode(texts, {maxLength: 8, prompts: 'p'.repeat(mostUnits / 2)});
	expect(sizes()).toEqual([4]);
	post.mockClear();
	await tokenizer.encode(texts, {
		maxLength: 8,
		prompts: texts.map(() => 'p'.repeat(mostUnits / 2)),
	});
	expect(sizes()).toEqual([1, 1, 1, 1]);
});

test('long results are joined in their order', async () => {
	await using tokenizer = await Tokenizer.open(files);
	const texts = ['the age '.repeat(150_000), 'é', 'age the '.repeat(10_000)];
	const got = await tokenizer.encode(texts, whole);
	const oracle = openEncoder(files.source);
	expect(got.offsets).toEqual(oracle.encode(texts, whole).offsets);
	expect(shown(got)).toBe(shown(oracle.encode(texts, whole)));
});
