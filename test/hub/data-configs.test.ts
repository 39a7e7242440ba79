// What the card of a data set says of its files, and data sets in the shape of BEIR, from a hub on this
// machine.

import {rmSync} from 'node:fs';
import {join} from 'node:path';
import {gzipSync} from 'node:zlib';
import {parquetWriteBuffer} from 'hyparquet-writer';
import {describe, expect, onTestFinished, test} from 'vitest';
import {openDataset} from '../../dist/data/dataset.js';
import {configsOf} from '../../dist/hub/data-configs.js';
import {chooseDataFiles} from '../../dist/hub/data-files.js';
import {commits, HubServer, type Tree} from './hub-server.js';
import {hubPlaces} from './places.js';

const places = hubPlaces();

const card = `---
language: [en, de]
configs:
- config_name: english
  default: true
  data_files:
  - split: train
    path: parts/e-*.jsonl
  - split: test
    path: ["held/e.jsonl"]
- config_name: german
  data_dir: de
  data_files: rows.csv
- config_name: all
  data_files:
    train: ['parts/*.jsonl', de/rows.csv]
- config_name: bare
  data_dir: de/more
---
# A data set
`;

const names = [
	...['README.md', 'parts/e-0.jsonl', 'parts/e-1.jsonl', 'parts/o.jsonl', 'held/e.jsonl'],
	...['de/rows.csv', 'de/more/train.jsonl', 'de/more/test.jsonl'],
];

const choose = (path: string, head = card) =>
	chooseDataFiles(names, {id: 'o/n', revision: 'main', kind: 'dataset', path}, configsOf(head));

describe('configurations of a card', () => {
	test.each([
		['', ['parts/e-0.jsonl', 'parts/e-1.jsonl']],
		['test', ['held/e.jsonl']],
		['english/test', ['held/e.jsonl']],
		['german', ['de/rows.csv']],
		['all/train', ['de/rows.csv', 'parts/e-0.jsonl', 'parts/e-1.jsonl', 'parts/o.jsonl']],
		['bare', ['de/more/train.jsonl']],
		['bare/test', ['de/more/test.jsonl']],
		['parts/o.jsonl', ['parts/o.jsonl']],
		['parts', ['parts/e-0.jsonl', 'parts/e-1.jsonl', 'parts/o.jsonl']],
	])('say which files %j names', (path, files) => {
		expect(choose(path).files.toSorted()).toEqual(files);
	});

	test('without a default ask for the name of one', () => {
		expect(() => choose('', card.replace('default: true', 'default: false'))).toThrow(
			'o/n: expected one of its configurations behind the name, got english, german, all, bare',
		);
	});

	test('of another split than is asked for are refused', () => {
		expect(() => choose('english/validation')).toThrow('o/n: expected files of "english/valid');
	});

	test('are none of a card without a head or without any', () => {
		expect(configsOf('# A data set')).toEqual([]);
		expect(configsOf('---\nlicense: mit\n---\n')).toEqual([]);
	});
});

const rows = (list: readonly object[]) =>
	Buffer.from(list.map(row => `${JSON.stringify(row)}\n`).join(''));
const corpus = rows([
	{_id: 'd1', title: 'One', text: 'first'},
	{_id: 'd2', title: '', text: 'second'},
]);
const queries = rows([
	{_id: 'q1', text: 'what?'},
	{_id: 'q2', text: 'which?'},
]);
const tsv = Buffer.from('query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t0\nq2\td2\t2\n');
const qrels = rows([
	{'query-id': 'q1', 'corpus-id': 'd1', score: 1},
	{'query-id': 'q1', 'corpus-id': 'd2', score: 0},
	{'query-id': 'q2', 'corpus-id': 'd2', score: 2},
]);

const records = [
	{query: 'what?', positives: ['One first'], negatives: ['second'], queryId: 'q1'},
	{query: 'which?', positives: ['second'], negatives: [], queryId: 'q2'},
];

async function serve(tree: Record<string, Buffer | string>, judged?: Tree): Promise<object> {
	const files = Object.entries(tree).map(([name, bytes]) => [name, Buffer.from(bytes)] as const);
	const server = await HubServer.open(new Map(files));
	server.kind = 'dataset';
	if (judged) {
		server.others.set('org/tiny-qrels', commits['v1.0']);
		server.trees.set(commits['v1.0'], judged);
	}
	return {endpoint: server.endpoint, cache: places.cache()};
}

async function read(source: string, hub: object) {
	const dataset = await openDataset([source], {hub});
	onTestFinished(() => dataset.close());
	return {dataset, found: await dataset.records([...Array(dataset.length).keys()])};
}

const parquet = (list: Readonly<Record<string, string>>[]) =>
	Buffer.from(
		parquetWriteBuffer({
			columnData: Object.keys(list[0]!).map(name => ({
				name,
				data: list.map(row => row[name]!),
				type: 'STRING' as const,
			})),
		}),
	);

describe('a data set in the shape of BEIR', () => {
	test.each([
		['files', {'corpus.jsonl': corpus, 'queries.jsonl': queries, 'qrels/train.tsv': tsv}],
		[
			'packed files',
			{
				...{'corpus.jsonl.gz': gzipSync(corpus), 'queries.jsonl.gz': gzipSync(queries)},
				'qrels/train.jsonl.gz': gzipSync(qrels),
			},
		],
		[
			'folders',
			{
				'corpus/corpus-00000-of-00001.parquet': parquet([
					{_id: 'd1', title: 'One', text: 'first'},
					{_id: 'd2', title: '', text: 'second'},
				]),
				'queries/queries.jsonl': queries,
				'qrels/train-00000.jsonl': qrels,
				'qrels/test-00000.jsonl': rows([{'query-id': 'q9', 'corpus-id': 'd9', score: 1}]),
			},
		],
		[
			'configurations',
			{
				'a.jsonl': corpus,
				'b.jsonl': queries,
				'c.jsonl': qrels,
				'README.md':
					'---\nconfigs:\n- config_name: corpus\n  data_files: a.jsonl\n' +
					'- config_name: queries\n  data_files: [{split: queries, path: b.jsonl}]\n' +
					'- config_name: default\n  data_files: [{split: train, path: c.jsonl}]\n---\n',
			},
		],
	])('is read from %s', async (_, tree) => {
		const {found} = await read('hf://datasets/org/tiny', await serve(tree));
		expect(found).toMatchObject(records);
	});

	test('takes the judgements of a data set beside it, from the cache too', async () => {
		const tree = {'corpus.jsonl': corpus, 'queries.jsonl': queries};
		const hub = await serve(tree, new Map([['train.tsv', tsv]]));
		const {found, dataset} = await read('hf://datasets/org/tiny', hub);
		expect(found).toMatchObject(records);
		expect(dataset.warnings.join('\n')).toContain('judgements of org/tiny-qrels are used');
		const offline = {...hub, offline: true};
		expect((await read('hf://datasets/org/tiny', offline)).found).toMatchObject(records);
		await expect(read('hf://datasets/org/tiny/test', hub)).rejects.toThrow(
			'expected judgements in it, or in the data set org/tiny-qrels, got none',
		);
	});

	test('of a folder of languages is named by it, and by a split', async () => {
		const tree = {
			...{'de/corpus.jsonl': corpus, 'de/queries.jsonl': queries, 'de/qrels/test.tsv': tsv},
			'fr/corpus.jsonl': corpus,
		};
		const hub = await serve(tree);
		expect((await read('hf://datasets/org/tiny/de/test', hub)).found).toMatchObject(records);
		await expect(read('hf://datasets/org/tiny/de', hub)).rejects.toThrow(
			'org/tiny: expected judgements to train on, got de/qrels/test.tsv; name another split',
		);
	});

	test.each([
		['{"query-id":"q1","score":1}\n', ':1: expected "corpus-id" to be a string'],
		['{"query-id":"q1","corpus-id":"d1","score":"x"}\n', ':1: expected "score" to be a whole'],
		['{"query-id":"q1","corpus-id":"d7","score":1}\n', ': expected judged queries, got 1, each'],
	])('with the judgement %j is refused', async (line, message) => {
		const tree = {'corpus.jsonl': corpus, 'queries.jsonl': queries, 'qrels/train.jsonl': line};
		await expect(read('hf://datasets/org/tiny', await serve(tree))).rejects.toThrow(message);
	});

	test('without its card in the cache is not all there', async () => {
		const tree = {'README.md': card, 'parts/e-0.jsonl': '{"query":"q","pos":"p"}\n'};
		const hub = (await serve(tree)) as {cache: string};
		await read('hf://datasets/org/tiny', hub);
		const snapshot = join(hub.cache, 'datasets--org--tiny', 'snapshots', commits.main);
		rmSync(join(snapshot, 'README.md'));
		await expect(read('hf://datasets/org/tiny', {...hub, offline: true})).rejects.toThrow(
			'got not all of them; offline nothing is downloaded',
		);
	});
});
