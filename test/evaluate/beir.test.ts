import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {readRetrievalSet} from '../../dist/evaluate/beir.js';

let folder = '';
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), 'inbatch-beir-'));
});
afterEach(() => rm(folder, {recursive: true}));

const whole = {
	'corpus.jsonl':
		'{"_id": "d1", "title": "A title", "text": "and a text"}\n{"_id": "d2", "text": " bare "}\n',
	'queries.jsonl': '{"_id": "q1", "text": "what?"}\n{"_id": "q2", "text": "unjudged"}\n',
	'qrels/test.tsv': 'query-id\tcorpus-id\tscore\nq1\td1\t2\n',
};

async function write(files: Record<string, string>): Promise<string> {
	for (const [name, text] of Object.entries(files)) {
		await mkdir(dirname(join(folder, name)), {recursive: true});
		await writeFile(join(folder, name), text);
	}

	return folder;
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
	const items: T[] = [];
	for await (const item of source) items.push(item);
	return items;
}

describe('a folder', () => {
	test('has documents of title, one space and text, trimmed', async () => {
		const {documents, documentIds} = await readRetrievalSet(await write(whole));
		expect(await collect(documents)).toEqual([
			{id: 'd1', text: 'A title and a text'},
			{id: 'd2', text: 'bare'},
		]);
		expect(documentIds).toEqual(['d1', 'd2']);
	});

	test('can have its documents read again', async () => {
		const {documents} = await readRetrievalSet(await write(whole));
		expect(await collect(documents)).toEqual(await collect(documents));
	});

	test('gives the judged queries and counts the others', async () => {
		const set = await readRetrievalSet(await write(whole));
		expect(set.queries).toEqual([{id: 'q1', text: 'what?'}]);
		expect(set).toMatchObject({name: folder, split: 'test', queriesWithoutJudgements: 1});
	});

	test('counts what its judgements name and it has not', async () => {
		const qrels = 'q1\td1\t1\nq1\tgone\t1\nnobody\td1\t1\nnobody\td2\t1\n';
		const set = await readRetrievalSet(await write({...whole, 'qrels/test.tsv': qrels}));
		expect(set).toMatchObject({unknownQueries: 1, unknownDocuments: 1});
		expect([...set.judgements.keys()]).toEqual(['q1']);
		// What was to be found still counts against recall.
		expect([...set.judgements.get('q1')!.keys()]).toEqual(['d1', 'gone']);
	});

	test('may have ids that are numbers; they become strings as given', async () => {
		const set = await readRetrievalSet(
			await write({
				'corpus.jsonl': '{"_id": 7, "text": "seven"}\n{"_id": "007", "text": "agent"}\n',
				'queries.jsonl': '{"_id": 1, "text": "who?"}\n',
				'qrels.tsv': '1\t007\t1\n',
			}),
		);
		expect(set.documentIds).toEqual(['7', '007']);
		expect(set).toMatchObject({unknownQueries: 0, unknownDocuments: 0});
	});

	test('says so when a document changed after it was checked', async () => {
		const {documents} = await readRetrievalSet(await write(whole));
		await write({'corpus.jsonl': '{"_id": "d2", "text": "bare"}\n'});
		await expect(collect(documents)).rejects.toThrow(/corpus.jsonl:1: .*that were there at first/);
	});
});

describe('the split', () => {
	const {'qrels/test.tsv': qrels, ...texts} = whole;

	test.each([
		['qrels/dev.tsv', 'dev'],
		['qrels_dev.tsv', 'dev'],
		['qrels/test.tsv', 'test'],
		['qrels_test.tsv', 'test'],
		['qrels.tsv', 'test'],
	])('is read from %s', async (name, split) => {
		const set = await readRetrievalSet(await write({...texts, [name]: qrels}), {split});
		expect(set.judgements.get('q1')).toEqual(new Map([['d1', 2]]));
	});

	test('other than test is never read from qrels.tsv', async () => {
		const path = await write({...texts, 'qrels.tsv': qrels, 'qrels/train.tsv': qrels});
		await expect(readRetrievalSet(path, {split: 'dev'})).rejects.toThrow(
			expect.objectContaining({
				code: 'FILE_NOT_FOUND',
				message: expect.stringContaining('got the splits test, train'),
			}),
		);
	});

	test('cannot leave the folder', async () => {
		await expect(readRetrievalSet(await write(whole), {split: '../test'})).rejects.toThrow(
			expect.objectContaining({code: 'OPTION_RANGE'}),
		);
	});
});

describe('a bad line', () => {
	const good = '{"_id": "d1", "text": "a"}\n';

	test.each([
		['not JSON', '{"_id": "d2"', 'expected a JSON object, got text that is not JSON'],
		['no object', '["d2"]', 'expected a JSON object, got an array'],
		['no id', '{"text": "a"}', 'expected "_id" to be a string or a whole number, got nothing'],
		['an empty id', '{"_id": "", "text": "a"}', 'expected "_id" to be'],
		['an id with a fraction', '{"_id": 1.5, "text": "a"}', 'got 1.5'],
		['an id that JSON rounds', '{"_id": 12345678901234567890, "text": "a"}', 'whole number'],
		['an id twice', good.trim(), 'expected distinct ids, got "d1" again'],
		['no text', '{"_id": "d2", "title": "a"}', 'expected "text" to be a string, got nothing'],
		['a text that is no string', '{"_id": "d2", "text": 5}', 'got a number'],
		['a title that is no string', '{"_id": "d2", "title": [], "text": ""}', 'got an array'],
	])('with %s is named before a document is given out', async (_, line, message) => {
		const path = await write({...whole, 'corpus.jsonl': `${good}\n${line}\n`});
		await expect(readRetrievalSet(path)).rejects.toThrow(
			expect.objectContaining({
				code: 'DATA_ROW',
				message: expect.stringContaining(`${join(path, 'corpus.jsonl')}:3: `),
			}),
		);
		await expect(readRetrievalSet(path)).rejects.toThrow(message);
	});

	test('of the queries is named too', async () => {
		const path = await write({...whole, 'queries.jsonl': '{"_id": "q1", "query": "what?"}\n'});
		await expect(readRetrievalSet(path)).rejects.toThrow(/queries.jsonl:1: expected "text"/);
	});
});

describe('a folder without', () => {
	test.each(['corpus.jsonl', 'queries.jsonl', 'qrels/test.tsv'])('%s is refused', async name => {
		const path = await write(whole);
		await rm(join(path, name));
		await expect(readRetrievalSet(path)).rejects.toThrow(
			expect.objectContaining({code: 'FILE_NOT_FOUND', message: expect.stringContaining(name)}),
		);
	});

	test.each(['corpus.jsonl', 'queries.jsonl'])('anything in %s is refused', async name => {
		const path = await write({...whole, [name]: ''});
		await expect(readRetrievalSet(path)).rejects.toThrow(
			expect.objectContaining({code: 'FILE_EMPTY'}),
		);
	});

	test('a judged query is refused', async () => {
		const path = await write({...whole, 'qrels/test.tsv': 'other\td1\t1\n'});
		await expect(readRetrievalSet(path)).rejects.toThrow(
			expect.objectContaining({code: 'DATA_EMPTY'}),
		);
	});
});
