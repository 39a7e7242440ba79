import {existsSync} from 'node:fs';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {readPairs} from '../../dist/evaluate/pairs.js';

const shared = join(process.env.INBATCH_SHARED ?? join('..', 'shared'), 'data', 'sts');

let folder = '';
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), 'inbatch-pairs-'));
});
afterEach(() => rm(folder, {recursive: true}));

async function file(text: string): Promise<string> {
	const path = join(folder, 'pairs');
	await writeFile(path, text);
	return path;
}

test.each([
	[
		'JSON lines',
		'{"sentence1": "a, b", "sentence2": "c", "score": 1}\n{"sentence1": "", "sentence2": "e", "score": 2.5}\n',
	],
	[
		'JSON lines of text1 and text2',
		'{"score": 1, "text1": "a, b", "text2": "c"}\n\n{"score": 2.5, "text1": "", "text2": "e"}',
	],
])('%s are read', async (_, text) => {
	const path = await file(text);
	expect(await readPairs(path)).toEqual({
		name: path,
		first: ['a, b', ''],
		second: ['c', 'e'],
		scores: [1, 2.5],
	});
});

test.each([
	['TSV', 'sentence1\tsentence2\tscore\na, b\tc\t1\nd\te\t2.5\n'],
	['TSV with other columns in between', 'id\tscore\ttext1\ttext2\n7\t1\ta, b\tc\n8\t2.5\td\te\n'],
	['CSV', 'sentence1,sentence2,score\r\n"a, b",c,1\r\nd,e,2.5\r\n'],
])('%s with a header is read', async (_, text) => {
	const path = await file(text);
	expect(await readPairs(path)).toEqual({
		name: path,
		first: ['a, b', 'd'],
		second: ['c', 'e'],
		scores: [1, 2.5],
	});
});

describe('a bad row is named', () => {
	const good = '{"sentence1": "a", "sentence2": "b", "score": 1}\n';

	test.each([
		['without a text', '{"sentence1": "a", "score": 1}', 'expected "sentence2" to be a string'],
		['with a text that is a number', '{"text1": 1, "text2": "b", "score": 1}', 'got a number'],
		['without a score', '{"sentence1": "a", "sentence2": "b"}', 'expected "score" to be a number'],
		['with a score in words', '{"text1": "a", "text2": "b", "score": "high"}', 'got "high"'],
		['that is no object', '[1]', 'expected an object'],
	])('%s', async (_, line, message) => {
		const path = await file(`${good}${line}\n`);
		await expect(readPairs(path)).rejects.toThrow(
			expect.objectContaining({code: 'DATA_ROW', message: expect.stringContaining(`${path}:2: `)}),
		);
		await expect(readPairs(path)).rejects.toThrow(message);
	});

	test('in a table whose header has other names', async () => {
		const path = await file('left\tright\tscore\na\tb\t1\n');
		await expect(readPairs(path)).rejects.toThrow(/:2: expected "sentence1" to be a string/);
	});
});

test('a file of one pair has nothing to correlate', async () => {
	const path = await file('{"sentence1": "a", "sentence2": "b", "score": 1}\n');
	await expect(readPairs(path)).rejects.toThrow(expect.objectContaining({code: 'DATA_EMPTY'}));
});

test('an empty file is refused', async () => {
	await expect(readPairs(await file(''))).rejects.toThrow(
		expect.objectContaining({code: 'FILE_EMPTY'}),
	);
});

test.skipIf(!existsSync(shared))('STS-B and SICK are read (need the shared data)', async () => {
	const dev = await readPairs(join(shared, 'dev.jsonl'));
	const sick = await readPairs(join(shared, 'sick', 'dev.jsonl'));
	expect([dev.scores.length, sick.scores.length]).toEqual([1500, 500]);
	expect(dev.first[0]).toBe('A man with a hard hat is dancing.');
	expect(dev.scores[0]).toBe(5);
});
