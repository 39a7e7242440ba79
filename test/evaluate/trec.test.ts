import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {readQrels, readRun} from '../../dist/evaluate/trec.js';

let folder = '';
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), 'inbatch-trec-'));
});
afterEach(() => rm(folder, {recursive: true}));

async function file(text: string): Promise<string> {
	const path = join(folder, 'file');
	await writeFile(path, text);
	return path;
}

function plain(table: Map<string, Map<string, number>>): Record<string, Record<string, number>> {
	return Object.fromEntries([...table].map(([query, row]) => [query, Object.fromEntries(row)]));
}

describe('a run', () => {
	test('has scores by query and document, whatever its rank column says', async () => {
		const path = await file('q1 Q0 d1 9 0.5 tag\nq2 Q0 d1 1 -1e-3 tag\nq1 Q0 d2 1 7 tag\n');
		expect(plain(await readRun(path))).toEqual({q1: {d1: 0.5, d2: 7}, q2: {d1: -0.001}});
	});

	test('may use tabs, blank lines, comments and words after the tag', async () => {
		const path = await file('# made by hand\n\nq\tQ0\td\t1\t  2.5\ttag and more\r\n \n');
		expect(plain(await readRun(path))).toEqual({q: {d: 2.5}});
	});

	test('keeps the order of the file, also of ids that are numbers', async () => {
		const path = await file('9 Q0 30 1 1 t\n9 Q0 4 2 1 t\n10 Q0 1 1 1 t\n');
		const run = await readRun(path);
		expect([...run.keys()]).toEqual(['9', '10']);
		expect([...run.get('9')!.keys()]).toEqual(['30', '4']);
	});

	test.each([
		['too few fields', 'q Q0 d 1 2.5', 'query Q0 document rank score tag'],
		['a score that is no number', 'q Q0 d 1 high tag', 'got "high"'],
		['an infinite score', 'q Q0 d 1 Infinity tag', 'got "Infinity"'],
		['a document listed twice', 'q Q0 first 2 1 tag', 'expected document "first" once'],
	])('with %s is refused by file and line', async (_, line, message) => {
		const path = await file(`q Q0 first 1 1 tag\n${line}\n`);
		await expect(readRun(path)).rejects.toThrow(
			expect.objectContaining({
				code: 'DATA_ROW',
				message: expect.stringMatching(`^${path}:2: .*${message}`),
			}),
		);
	});
});

describe('judgements', () => {
	test('of TREC have four fields', async () => {
		const path = await file('q 0 d1 2\nq 0 d2 -1\n');
		expect(plain(await readQrels(path))).toEqual({q: {d1: 2, d2: -1}});
	});

	test('of TREC may mix blanks and tabs', async () => {
		const path = await file('q\t0\td1 2\nq 0\td2\t1\nq\t0\td3\t0\n q  0 d4 1\n');
		expect(plain(await readQrels(path))).toEqual({q: {d1: 2, d2: 1, d3: 0, d4: 1}});
	});

	test.each([
		['with a header', 'query-id\tcorpus-id\tscore\n'],
		['without a header', ''],
	])('of BEIR have three, %s', async (_, header) => {
		const path = await file(`${header}1\tdoc 1\t1\n1\tdoc 2\t0\n`);
		expect(plain(await readQrels(path))).toEqual({1: {'doc 1': 1, 'doc 2': 0}});
	});

	test('of BEIR may name a query that begins like a comment', async () => {
		const path = await file('#1\td\t1\n');
		expect(plain(await readQrels(path))).toEqual({'#1': {d: 1}});
	});

	test('keep leading zeros and long numbers of ids as given', async () => {
		const path = await file('007\t12345678901234567890\t1\n');
		expect(plain(await readQrels(path))).toEqual({'007': {'12345678901234567890': 1}});
	});

	test.each([
		['a grade that is no number', 'q 0 d high', 'a whole number as grade, got "high"'],
		['a grade with a fraction', 'q 0 d 0.5', 'a whole number as grade, got "0.5"'],
		['another number of fields', 'q d 1', '4 fields as in the lines before, got 3'],
		['a document judged twice', 'q 0 first 0', 'expected document "first" once'],
	])('with %s are refused by file and line', async (_, line, message) => {
		const path = await file(`q 0 first 1\n${line}\n`);
		await expect(readQrels(path)).rejects.toThrow(
			expect.objectContaining({
				code: 'DATA_ROW',
				message: expect.stringMatching(`^${path}:2: .*${message}`),
			}),
		);
	});

	test('of another layout are refused by their first line', async () => {
		await expect(readQrels(await file('q d\n'))).rejects.toThrow(/:1: expected .* got 2 fields/);
	});
});

test.each(['', '\n\n', 'query-id\tcorpus-id\tscore\n'])(
	'a file of nothing is refused: %j',
	async text => {
		const path = await file(text);
		await expect(readQrels(path)).rejects.toThrow(expect.objectContaining({code: 'FILE_EMPTY'}));
	},
);

test('a file that is not there is named', async () => {
	const path = join(folder, 'nothing');
	await expect(readRun(path)).rejects.toThrow(
		expect.objectContaining({code: 'FILE_NOT_FOUND', message: expect.stringContaining(path)}),
	);
});
