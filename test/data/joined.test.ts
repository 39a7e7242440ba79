import {existsSync, mkdirSync, readFileSync} from 'node:fs';
import {join, resolve} from 'node:path';
import {gzipSync} from 'node:zlib';
import {beforeEach, expect, onTestFinished, test, vi} from 'vitest';
import {openDataset} from '../../dist/data/dataset.js';
import {temporaryFolder} from '../files/folder.js';

const {folder, put} = temporaryFolder();
const shared = resolve(process.env.INBATCH_SHARED ?? '../shared', 'data');

beforeEach(() => {
	vi.stubEnv('INBATCH_DATA_CACHE', join(folder, 'cache'));
});

async function open(path: string) {
	const dataset = await openDataset([path]);
	onTestFinished(() => dataset.close());
	return dataset;
}

/** Writes files into a folder of their own. */
function putAll(name: string, files: Record<string, string | Uint8Array>): string {
	for (const [file, text] of Object.entries(files)) {
		mkdirSync(join(folder, name, file, '..'), {recursive: true});
		put(join(name, file), text);
	}

	return join(folder, name);
}

const collection = '0\tzero\n1\tone\n7\tseven and more\n';
const queries = '12\ttwelve\n13\tthirteen\n';

test.each<[string, Record<string, string | Uint8Array>]>([
	['plain', {'collection.tsv': collection, 'queries.train.tsv': queries}],
	['packed', {'collection.tsv.gz': gzipSync(collection), 'queries.tsv.gz': gzipSync(queries)}],
])('Triples of MS MARCO by ids get their texts from %s files beside them', async (name, files) => {
	const home = putAll(name, {...files, 'ids.tsv': '12\t7\t0\n13\t1\t7\n12\t0\t1\n'});
	const dataset = await open(join(home, 'ids.tsv'));
	const record = {query: 'twelve', queryId: '12'};
	expect(await dataset.records([0, 2])).toEqual([
		{
			...record,
			positives: ['seven and more'],
			negatives: ['zero'],
			positiveIds: ['7'],
			negativeIds: ['0'],
		},
		{...record, positives: ['zero'], negatives: ['one'], positiveIds: ['0'], negativeIds: ['1']},
	]);
	expect(await dataset.locate([1])).toEqual([`${join(home, 'ids.tsv')}:2`]);
	expect(dataset.files[0]!.rows).toBe(3);
});

test('Triples of texts have no header', async () => {
	const path = put(
		'triples.tsv',
		'\uFEFFwhat is a\tA is it\tB is not\r\nwho is "x"\tX is\tY is\r\n',
	);
	expect(await (await open(path)).records([0, 1])).toEqual([
		{query: 'what is a', positives: ['A is it'], negatives: ['B is not']},
		{query: 'who is "x"', positives: ['X is'], negatives: ['Y is']},
	]);
});

test.each<[string, Record<string, string>, string, RegExp]>([
	[
		'An id without a text',
		{
			'collection.tsv': collection,
			'queries.tsv': queries,
			'ids.tsv': '12\t7\t0\n14\t1\t0\n12\t9\t0\n',
		},
		'DATA_ROW',
		/ids.tsv:2: expected the id of a query, got 14, which has no text; 2 bad lines in all, also .*ids.tsv:3: expected the id of a passage, got 9/,
	],
	[
		'A line of other cells',
		{
			'collection.tsv': collection,
			'queries.tsv': queries,
			'ids.tsv': '12\t7\t0\n12\t7\n12\t7\t1\n',
		},
		'DATA_ROW',
		/ids.tsv:2: expected 3 cells as in the first line, got 2$/,
	],
	[
		'A collection of another form',
		{'collection.tsv': '0\ta\tb\n', 'queries.tsv': queries, 'ids.tsv': '12\t7\t0\n'},
		'FILE_FORMAT',
		/collection.tsv:1: expected 2 cells as in the first line, got 3$/,
	],
	[
		'No collection',
		{'queries.tsv': queries, 'ids.tsv': '12\t7\t0\n'},
		'FILE_NOT_FOUND',
		/collection.tsv beside/,
	],
	[
		'No queries',
		{'collection.tsv': collection, 'ids.tsv': '12\t7\t0\n'},
		'FILE_NOT_FOUND',
		/queries.tsv beside/,
	],
	[
		'A header of unknown names',
		{'ids.tsv': 'title\tbody\na b\tc d\n'},
		'DATA_ROW',
		/:2: expected a "query", got only "title", "body"/,
	],
	[
		'A table of texts and numbers',
		{'ids.tsv': 'what is a\tA is it\t1\nwho is b\tB is she\t0.5\n'},
		'FILE_FORMAT',
		/ids.tsv:1: expected JSON lines, a JSON array, or CSV or TSV with a header/,
	],
	[
		'An empty cell',
		{'ids.tsv': 'what is a\tA is\t \nb c\td e\tf g\n'},
		'DATA_ROW',
		/ids.tsv:1: expected "\[2\]" to hold a text/,
	],
])('%s is refused', async (name, files, code, message) => {
	const home = putAll(name, files);
	await expect(open(join(home, 'ids.tsv'))).rejects.toMatchObject({
		code,
		message: expect.stringMatching(message),
	});
});

const beir = {
	'corpus.jsonl':
		'{"_id":"d1","title":"T","text":"x"}\n{"_id":2,"title":"","text":"y"}\n{"_id":"d3","text":"z"}\n',
	'queries.jsonl': '{"_id":"q1","text":"one"}\n{"_id":"q2","text":"two"}\n',
};

test('A folder of BEIR is its judged queries, in the order of the judgements', async () => {
	const qrels = 'query-id\tcorpus-id\tscore\nq2\td3\t1\nq1\td1\t2\nq1\t2\t0\nq2\td1\t3\n';
	const home = putAll('beir', {...beir, 'qrels/train.tsv': qrels, 'qrels/test.tsv': 'x'});
	const dataset = await open(home);
	expect(await dataset.records([0, 1])).toEqual([
		{
			...{query: 'two', queryId: 'q2', positives: ['z', 'T x'], negatives: []},
			...{positiveIds: ['d3', 'd1'], positiveScores: [1, 3], negativeIds: [], negativeScores: []},
		},
		{
			...{query: 'one', queryId: 'q1', positives: ['T x'], negatives: ['y']},
			...{positiveIds: ['d1'], positiveScores: [2], negativeIds: ['2'], negativeScores: [0]},
		},
	]);
	const train = join(home, 'qrels', 'train.tsv');
	expect(await dataset.locate([1])).toEqual([`${train}:3`]);
	expect(dataset.warnings[0]).toBe(
		`${home}: a retrieval set, trained on the judgements of ${train}`,
	);
});

test('What has no text or no positive is left out and counted', async () => {
	const qrels = 'query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td9\t1\nq2\td1\t0\nq9\td1\t1\n';
	const home = putAll('partial', {...beir, 'qrels_train.tsv': qrels});
	const {length, warnings} = await open(home);
	expect([length, ...warnings.slice(1, 3)]).toEqual([
		1,
		`${join(home, 'qrels_train.tsv')}: 1 documents left out: not in corpus.jsonl`,
		`${join(home, 'qrels_train.tsv')}: 2 queries left out: no text, or no document above grade 0`,
	]);
});

test.each<[string, Record<string, string>, string, RegExp]>([
	[
		'Judgements of a test alone',
		{...beir, 'qrels/test.tsv': 'a\tb\tc\n'},
		'FILE_NOT_FOUND',
		/got qrels\/test.tsv$/,
	],
	[
		'A bad judgement',
		{...beir, 'qrels.tsv': 'a\tb\tc\nq1\td1\n'},
		'DATA_ROW',
		/qrels.tsv:2: expected a query, a document and a grade/,
	],
	[
		'A document without a text',
		{...beir, 'corpus.jsonl': '{"_id":"d1"}\n', 'qrels.tsv': 'a\tb\tc\nq1\td1\t1\n'},
		'DATA_ROW',
		/corpus.jsonl:1: expected "text" to be a string, got none/,
	],
	[
		'A document of a number',
		{...beir, 'corpus.jsonl': '{"_id":"d1","text":7}\n', 'qrels.tsv': 'a\tb\tc\nq1\td1\t1\n'},
		'DATA_ROW',
		/corpus.jsonl:1: expected "text" to be a string, got a number/,
	],
	[
		'A title of a number',
		{...beir, 'corpus.jsonl': '{"_id":"d1","text":"x","title":7}\n', 'qrels.tsv': 'q1\td1\t1\n'},
		'DATA_ROW',
		/corpus.jsonl:1: expected "title" to be a string, got a number/,
	],
	[
		'An empty document',
		{...beir, 'corpus.jsonl': '{"_id":"d1","text":""}\n', 'qrels.tsv': 'a\tb\tc\nq1\td1\t1\n'},
		'DATA_ROW',
		/qrels.tsv:2: expected the text of "positives\[0\]" to hold a text/,
	],
])('%s in a folder of BEIR is refused', async (name, files, code, message) => {
	await expect(open(putAll(name, files))).rejects.toMatchObject({
		code,
		message: expect.stringMatching(message),
	});
});

test.skipIf(!existsSync(shared))(
	'SciFact to train on has the queries and judgements of its file (needs the shared data)',
	async () => {
		const home = join(shared, 'scifact');
		const dataset = await open(home);
		const rows = readFileSync(join(home, 'qrels_train.tsv'), 'utf8').trim().split('\n').slice(1);
		const queries = new Set(rows.map(row => row.split('\t')[0]));
		const records = Array.from({length: dataset.length}, (_, record) => record);
		const positives = records.reduce((sum, record) => sum + dataset.supply(record).positives, 0);
		expect([dataset.length, positives]).toEqual([queries.size, rows.length]);
	},
);

const distilled = '{"query":"a"}\n{"query":"b"}\n';

test.each(['teacher_embedding_dim', 'teacher_emebedding_dim', 'teatch_emebedding_dim'])(
	'Settings of RAG-Retrieval name texts and vectors of width %s',
	async name => {
		const yaml = `# Data\ntrain_dataset: "t.jsonl"\ntrain_dataset_vec: v.mmap\n${name}: 7\nlr: 1e-4\n`;
		const home = putAll(name, {'s.yaml': yaml, 't.jsonl': distilled, 'v.mmap': 'x'});
		const dataset = await openDataset([join(home, 's.yaml')], {kind: 'text'});
		onTestFinished(() => dataset.close());
		expect(dataset.teacher).toEqual({path: join(home, 'v.mmap'), width: 7});
		expect([dataset.length, dataset.files[0]!.path]).toEqual([2, join(home, 't.jsonl')]);
		expect(dataset.warnings).toEqual([
			`${join(home, 's.yaml')}: settings not used, give them as options: lr`,
		]);
		const both = openDataset([join(home, 's.yaml'), join(home, 't.jsonl')], {kind: 'text'});
		await expect(both).rejects.toMatchObject({code: 'OPTION_CONFLICT'});
	},
);

test.each([
	['train_dataset: [a, b]\n', /expected "train_dataset" to be a path, got an array$/],
	['train_dataset: a\ntrain_dataset_vec: v\n', /"teacher_embedding_dim" to be the columns/],
	['train_dataset: a\ntrain_dataset_vec: v\nteacher_embedding_dim: 0\n', /above 0, got 0$/],
	['train_dataset: "a\n', /expected settings in YAML or JSON, got other text/],
])('The settings %j are refused', async (yaml, message) => {
	await expect(open(put('settings.yaml', yaml))).rejects.toMatchObject({
		code: 'FILE_FORMAT',
		message: expect.stringMatching(message),
	});
});
