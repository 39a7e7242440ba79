import {mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {readQrels, readRun} from '../../dist/evaluate/trec.js';
import {writeQrels, writeRun} from '../../dist/evaluate/trec-write.js';

let folder = '';
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), 'inbatch-trec-'));
});
afterEach(() => rm(folder, {recursive: true}));

const fixtures = join(import.meta.dirname, '..', 'fixtures', 'metrics');

test('a run is written best first, ties as trec_eval ranks them', async () => {
	const path = join(folder, 'run');
	const scores: [string, number][] = [
		['a', 1],
		['b', 2.5],
		['c', 1],
	];
	await writeRun(path, new Map([['q', scores]]), {tag: 'bm25'});
	const expected = ['q Q0 b 1 2.5 bm25', 'q Q0 c 2 1 bm25', 'q Q0 a 3 1 bm25', ''];
	expect(await readFile(path, 'utf8')).toBe(expected.join('\n'));
});

test('a run that is written and read is the same, to the last bit of its scores', async () => {
	const path = join(folder, 'run');
	const values = [1 / 3, Math.fround(0.1), 1e-300, -2e21, 5e-324, 0];
	const scores = new Map(values.map((value, n) => [`d${n}`, value] as const));
	await writeRun(path, new Map([['q', scores]]));
	expect(new Map((await readRun(path)).get('q'))).toEqual(scores);
});

test('judgements that are written and read are the same', async () => {
	const path = join(folder, 'qrels');
	const judgements = await readQrels(join(fixtures, 'cranfield.qrels'));
	await writeQrels(path, judgements);
	expect(await readQrels(path)).toEqual(judgements);
	expect(await readFile(path, 'utf8')).toBe(
		await readFile(join(fixtures, 'cranfield.qrels'), 'utf8'),
	);
});

test('a run is cut at its depth', async () => {
	const path = join(folder, 'run');
	const scores = new Map([
		['a', 1],
		['b', 2],
	]);
	await writeRun(path, new Map([['q', scores]]), {depth: 1});
	expect(await readFile(path, 'utf8')).toBe('q Q0 b 1 2 inbatch\n');
});

describe('what the format cannot hold is refused and leaves no file', () => {
	test.each([
		['an id with a blank', 'q', 'a b', 1],
		['an empty id', 'q', '', 1],
		['a query that would be a comment', '#q', 'a', 1],
		['an infinite score', 'q', 'a', Number.POSITIVE_INFINITY],
	])('%s', async (_, query, document, score) => {
		const rankings = new Map([[query, new Map([[document, score]])]]);
		await expect(writeRun(join(folder, 'run'), rankings)).rejects.toThrow(
			expect.objectContaining({code: 'FILE_WRITE'}),
		);
		expect(await readdir(folder)).toEqual([]);
	});

	test('a tag with a blank', async () => {
		const rankings = new Map([['q', new Map([['a', 1]])]]);
		const options = {tag: 'two words'};
		await expect(writeRun(join(folder, 'run'), rankings, options)).rejects.toThrow(
			/a tag without white space/,
		);
	});

	test('a grade with a fraction', async () => {
		const judgements = new Map([['q', new Map([['a', 0.5]])]]);
		await expect(writeQrels(join(folder, 'qrels'), judgements)).rejects.toThrow(/a whole grade/);
	});
});

test('a file that is there is replaced only if that is asked for', async () => {
	const path = join(folder, 'run');
	const rankings = new Map([['q', new Map([['a', 1]])]]);
	await writeFile(path, 'mine');
	await expect(writeRun(path, rankings)).rejects.toThrow(
		expect.objectContaining({code: 'OUTPUT_EXISTS'}),
	);
	expect(await readFile(path, 'utf8')).toBe('mine');
	await writeRun(path, rankings, {overwrite: true});
	expect(await readFile(path, 'utf8')).toBe('q Q0 a 1 1 inbatch\n');
});
