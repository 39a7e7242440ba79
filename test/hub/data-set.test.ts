// Data sets of the hub as training data: what is downloaded of them, and when nothing is asked for.

import {existsSync, readdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {gzipSync} from 'node:zlib';
import {describe, expect, onTestFinished, test, vi} from 'vitest';
import {openDataset} from '../../dist/data/dataset.js';
import {chooseDataFiles} from '../../dist/hub/data-files.js';
import {parseDataSetId} from '../../dist/hub/id.js';
import {commits, HubServer, type Tree} from './hub-server.js';
import {hubPlaces} from './places.js';

const places = hubPlaces();
const lines = (name: string, count: number) =>
	Buffer.from(
		Array.from({length: count}, (_, n) => `{"query":"${name}q${n}","pos":"${name}p${n}"}\n`).join(
			'',
		),
	);

const tree: Tree = new Map([
	['README.md', Buffer.from('a data set')],
	['dataset_infos.json', Buffer.from('{"query": "no rows"}')],
	['data/train-00000-of-00002.jsonl', lines('a', 3)],
	['data/train-00001-of-00002.jsonl.gz', gzipSync(lines('b', 2))],
	['data/test.jsonl', lines('t', 4)],
	['extra/validation.csv', Buffer.from('query,positive\nx,y\n')],
]);

async function serverOf(files: Tree = tree): Promise<HubServer> {
	const server = await HubServer.open(files);
	server.kind = 'dataset';
	return server;
}

async function opened(source: string, hub: object) {
	const dataset = await openDataset([source], {hub});
	onTestFinished(() => dataset.close());
	const records = await dataset.records([...Array(dataset.length).keys()]);
	return {dataset, queries: records.map(({query}) => query).join(' ')};
}

describe('a data set of the hub', () => {
	test('is all its files of the split train, and only its card is downloaded beside them', async () => {
		const server = await serverOf();
		const hub = {endpoint: server.endpoint, cache: places.cache()};
		const {queries, dataset} = await opened('hf://datasets/org/tiny', hub);
		expect(queries).toBe('aq0 aq1 aq2 bq0 bq1');
		expect(dataset.sets.map(({name}) => name)).toEqual(['hf://datasets/org/tiny']);
		expect(server.files.map(({path}) => path).toSorted()).toEqual(
			['README.md', 'data/train-00000-of-00002.jsonl', 'data/train-00001-of-00002.jsonl.gz'].map(
				name => `/datasets/org/tiny/resolve/${commits.main}/${name}`,
			),
		);
		const folder = join(hub.cache, 'datasets--org--tiny', 'snapshots', commits.main, 'data');
		expect(readdirSync(folder)).toHaveLength(2);
	});

	test('may be narrowed to a file, a folder, a pattern or a split, and named', async () => {
		const server = await serverOf();
		const hub = {endpoint: server.endpoint, cache: places.cache()};
		const read = async (path: string) =>
			(await opened(`hf://datasets/org/tiny/${path}`, hub)).queries;
		expect(await read('data/test.jsonl')).toBe('tq0 tq1 tq2 tq3');
		expect(await read('data')).toBe('aq0 aq1 aq2 bq0 bq1');
		expect(await read('data/train-*.jsonl')).toBe('aq0 aq1 aq2');
		expect(await read('test')).toBe('tq0 tq1 tq2 tq3');
		expect(await read('extra/validation')).toBe('x');
		const {dataset} = await opened('faq=hf://datasets/org/tiny/test', hub);
		expect(dataset.sets.map(({name}) => name)).toEqual(['faq']);
	});

	test('is taken from the cache the second time, offline too, and only when all is there', async () => {
		const server = await serverOf();
		const hub = {endpoint: server.endpoint, cache: places.cache()};
		await opened('hf://datasets/org/tiny', hub);
		const before = server.files.length;
		await opened('hf://datasets/org/tiny', hub);
		expect(server.files).toHaveLength(before);
		await server.close();
		const offline = {...hub, offline: true};
		expect((await opened('hf://datasets/org/tiny', offline)).dataset.length).toBe(5);
		await expect(opened('hf://datasets/org/tiny/test', offline)).rejects.toThrow(
			/^org\/tiny: expected its files at main in .*, got not all of them; offline nothing is/,
		);
		const warned = (await opened('hf://datasets/org/tiny', hub)).dataset.warnings;
		expect(warned.join()).toMatch(/what the cache has is used/);
		const snapshot = join(hub.cache, 'datasets--org--tiny', 'snapshots', commits.main);
		rmSync(join(snapshot, 'data', 'train-00000-of-00002.jsonl'));
		await expect(opened('hf://datasets/org/tiny', offline)).rejects.toMatchObject({
			code: 'FILE_NOT_FOUND',
		});
	});

	test('of a commit asks for nothing once it is there', async () => {
		const server = await serverOf();
		server.trees.set(commits.dev, new Map([['train.jsonl', lines('dev', 1)]]));
		const hub = {endpoint: server.endpoint, cache: places.cache()};
		const source = `hf://datasets/org/tiny@${commits.dev}`;
		expect((await opened(source, hub)).queries).toBe('devq0');
		expect((await opened('hf://datasets/org/tiny@dev', hub)).queries).toBe('devq0');
		const before = server.seen.length;
		expect((await opened(source, hub)).queries).toBe('devq0');
		expect(server.seen).toHaveLength(before);
	});

	test('keeps the index of a large file away from the snapshot', async () => {
		const server = await serverOf();
		vi.stubEnv('INBATCH_DATA_CACHE', places.cache());
		const hub = {endpoint: server.endpoint, cache: places.cache()};
		const dataset = await openDataset(['hf://datasets/org/tiny/test'], {hub, keepIndexFrom: 0});
		await dataset.close();
		const snapshot = join(hub.cache, 'datasets--org--tiny', 'snapshots', commits.main, 'data');
		expect(readdirSync(snapshot)).toEqual(['test.jsonl']);
		expect(existsSync(join(process.env['INBATCH_DATA_CACHE']!, 'indexes'))).toBe(true);
	});

	test('that is not there, private or without rows is refused as what it is', async () => {
		const server = await serverOf();
		const hub = {endpoint: server.endpoint, cache: places.cache()};
		await expect(opened('hf://datasets/org/other', hub)).rejects.toThrow(
			/^org\/other: expected a data set of this id at .*, got none; look at the spelling/,
		);
		await expect(opened('hf://datasets/org/tiny@no', hub)).rejects.toThrow(/got no such branch/);
		await expect(opened('hf://datasets/org/tiny/no', hub)).rejects.toThrow(
			/^org\/tiny: expected files of "no" as Parquet, JSON, CSV or TSV, got data\/test.jsonl, /,
		);
		server.refusal = {status: 403, headers: {'x-error-code': 'GatedRepo'}};
		await expect(opened('hf://datasets/org/tiny', hub)).rejects.toMatchObject({
			code: 'HUB_DENIED',
			message: expect.stringContaining(`${server.endpoint}/datasets/org/tiny`),
		});
	});
});

test.each([
	'hf://datasets/tiny',
	'hf://org/tiny',
	'hf://datasets/org/tiny/../x',
	'hf://datasets/org/ti ny',
	'hf://datasets/org/tiny@a@b',
])('%s is no data set', source => {
	expect(() => parseDataSetId(source)).toThrow(expect.objectContaining({code: 'OPTION_RANGE'}));
});

test('A revision with a slash is written as in addresses', () => {
	expect(parseDataSetId('hf://datasets/org/tiny@refs%2Fconvert%2Fparquet/default/train/')).toEqual({
		...{id: 'org/tiny', revision: 'refs/convert/parquet', kind: 'dataset', path: 'default/train'},
	});
});

describe('the files of a data set', () => {
	const choose = (names: string[], path = '') =>
		chooseDataFiles(names, {id: 'o/n', revision: 'main', kind: 'dataset', path});

	test('are all where no name says a split', () => {
		const {files} = choose(['b.jsonl', 'a.jsonl', '.hidden.jsonl', '_x/a.jsonl', 'notes.txt']);
		expect(files).toEqual(['a.jsonl', 'b.jsonl']);
	});

	test('are told by words of a name or of its folders, not by parts of words', () => {
		const names = ['train/0.parquet', 'test/0.parquet', 'training_set.parquet', 'trainer.parquet'];
		const {files, left} = choose(names);
		expect(files).toEqual(['train/0.parquet', 'training_set.parquet']);
		expect(left).toEqual(['trainer.parquet: left out, no file of train']);
		expect(choose(['en/train-0.csv', 'en/dev-0.csv', 'de/train-0.csv'], 'en').files).toEqual([
			'en/train-0.csv',
		]);
	});

	test('are of one format, and the others are named', () => {
		const {files, left} = choose(['train.jsonl', 'train-0.parquet', 'train-1.parquet']);
		expect(files).toEqual(['train-0.parquet', 'train-1.parquet']);
		expect(left).toEqual(['train.jsonl: left out beside files of parquet']);
	});

	test('without a split train are asked for', () => {
		expect(() => choose(['test.jsonl', 'dev.jsonl'])).toThrow(
			'o/n: expected files of a split for training as Parquet, JSON, CSV or TSV, got dev.jsonl, ' +
				'test.jsonl; name a file, a folder, a pattern or a split behind the name',
		);
	});
});
