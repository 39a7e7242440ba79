import {createHash} from 'node:crypto';
import {appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {expect, onTestFinished, test} from 'vitest';
import {openDataset} from '../../dist/data/dataset.js';
import {type DataSource, sourcesOf} from '../../dist/data/sources.js';
import {temporaryFolder} from '../files/folder.js';

const {folder, put} = temporaryFolder();
const shared = resolve(process.env.INBATCH_SHARED ?? '../shared', 'data');

async function open(...sources: DataSource[]) {
	const dataset = await openDataset(sources);
	onTestFinished(() => dataset.close());
	return dataset;
}

const numbers = (length: number) => Array.from({length}, (_, n) => n);

async function all(...sources: DataSource[]) {
	const dataset = await open(...sources);
	return dataset.records(numbers(dataset.length));
}

const three = [
	{query: 'q1', positives: ['p1'], negatives: ['a', 'b']},
	{query: 'q2 "x", y', positives: ['p2\u2028z'], negatives: ['c']},
	{query: 'ü3', positives: ['日本'], negatives: []},
];

const lines = three
	.map(({query, positives, negatives}) =>
		JSON.stringify({query, pos_doc: positives[0], neg_doc: negatives}),
	)
	.join('\n');

test('Every layout of the same records gives the same records', async () => {
	const tuples = three.map(({query, positives, negatives}) => [query, ...positives, ...negatives]);
	const csv =
		'anchor,positive,negative_1,negative_2\r\nq1,p1,a,b\r\n"q2 ""x"", y",p2\u2028z,c,\r\nü3,日本,,\r\n';
	const layouts = [
		put('lines.jsonl', lines),
		put('newline.jsonl', `${lines}\n`),
		put('bom.jsonl', `\uFEFF${lines.replaceAll('\n', '\r\n\r\n')}\r\n`),
		put('array.json', `[${lines.replaceAll('\n', ', ')}]`),
		put('indented.json', JSON.stringify(three, null, '\t')),
		put('tuples.jsonl', tuples.map(tuple => JSON.stringify(tuple)).join('\n')),
		put('tuples.json', JSON.stringify(tuples)),
		put('table.csv', csv),
		put('wrong-name.tsv', csv),
		put(
			'table.tsv',
			'question\tanswer\tneg_1\tneg_2\nq1\tp1\ta\tb\nq2 "x", y\tp2\u2028z\tc\t\nü3\t日本\t\t\n',
		),
	];
	for (const path of layouts) expect(await all(path)).toEqual(three);
});

test('Records in memory and from a stream are data too', async () => {
	async function* stream() {
		yield* three;
	}

	expect(await all(three)).toEqual(three);
	expect(await all(new Set(three))).toEqual(three);
	expect(await all(stream())).toEqual(three);
	expect(await all([['q', 'p', 'n']])).toEqual([{query: 'q', positives: ['p'], negatives: ['n']}]);
});

test('Records in memory leave no file behind', async () => {
	const before = readdirSync(tmpdir()).filter(name => name.startsWith('inbatch-'));
	await open(three);
	const now = readdirSync(tmpdir()).filter(name => name.startsWith('inbatch-'));
	expect(now).toEqual(before);
});

test('Records come in the order asked for, from several files', async () => {
	const first = put('first.jsonl', lines);
	const second = put('second.json', JSON.stringify(three));
	const dataset = await open(first, `more=${second}`, three);
	expect(dataset.length).toBe(9);
	const found = await dataset.records(Uint32Array.of(8, 0, 4, 4, 2));
	expect(found).toEqual([three[2], three[0], three[1], three[1], three[2]]);
	expect(dataset.files.map(({name, path, rows}) => [name, path, rows])).toEqual([
		[first, first, 3],
		['more', second, 3],
		['records', 'records', 3],
	]);
});

test('A file is described by its checksum and size', async () => {
	const path = put('described.jsonl', lines);
	const {files} = await open(path);
	const bytes = readFileSync(path);
	expect(files[0]!.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
	expect(files[0]!.bytes).toBe(bytes.length);
});

test('A path with an equals sign is a path if there is such a file', async () => {
	const path = put('a=b', lines);
	const {files} = await open(path);
	expect(files[0]!.path).toBe(path);
});

test('A folder gives its data files by name and names the others', async () => {
	const home = join(folder, 'folder');
	mkdirSync(join(home, 'inner'), {recursive: true});
	put('folder/b.jsonl', '{"query": "b", "pos": "p"}');
	put('folder/a.csv', 'query,positive\na,p\n');
	put('folder/README.md', '# Data, and more\n');
	put('folder/info.json', '{\n  "query": "of a person"\n}\n');
	put('folder/corpus.jsonl', '{"_id": "1", "text": "x"}\n');
	put('folder/image.png', Buffer.from([0x89, 0x50, 0x4e, 0x47]));
	put('folder/empty', '');
	put('folder/.hidden', 'x');
	const dataset = await open(`set=${home}`);
	const records = await dataset.records([0, 1]);
	expect(records.map(({query}) => query)).toEqual(['a', 'b']);
	expect(dataset.files.map(({name}) => name)).toEqual(['set', 'set']);
	const left = ['README.md', 'corpus.jsonl', 'empty', 'image.png', 'info.json', 'inner'];
	expect(dataset.warnings).toEqual(
		left.map(name => `${join(home, name)}: left out, it is no file of records`),
	);
});

test('A folder whose data file is broken is refused, not half read', async () => {
	mkdirSync(join(folder, 'broken'));
	put('broken/a.jsonl', '{"query": "a", "pos": "p"}');
	put('broken/b.jsonl', '{"query": "a", "pos":\n');
	await expect(all(join(folder, 'broken'))).rejects.toMatchObject({code: 'DATA_ROW'});
});

test('Fields that are not used are told once per file', async () => {
	const path = put(
		'fields.jsonl',
		'{"query":"a","pos":"b","x":1}\n{"query":"a","pos":"b","x":2,"y":{}}\n',
	);
	const {warnings} = await open(path);
	expect(warnings).toEqual([`${path}: fields not used: x, y`]);
});

test('Prompts that records bring are told, each once', async () => {
	const row = (n: number, prompt: string) => ({query: `q${n}`, positive: `p${n}`, prompt});
	const rows = [row(1, 'Find:\n'), row(2, ''), row(3, 'Find:\n')];
	const path = put('prompted', rows.map(each => JSON.stringify(each)).join('\n'));
	const {warnings} = await open(path);
	expect(warnings).toEqual([`${path}: prompts of its own before queries: "Find:\\n", ""`]);
});

test('An id of two different texts is told', async () => {
	const rows = [
		{query: 'a', pos: 'b', query_id: 1, doc_id: 'd'},
		{query: 'a', pos: 'b', query_id: 1, doc_id: 'd'},
		{query: 'c', pos: 'd', query_id: '1', doc_id: 'e'},
		{query: 'e', pos: 'f', query_id: 2, doc_id: 'd'},
	];
	const path = put('ids.jsonl', rows.map(row => JSON.stringify(row)).join('\n'));
	const {warnings} = await open(path);
	const times = '2 times an id stands for a second text';
	expect(warnings).toEqual([`${path}: ${times}, first at ${path}:3: query "1"`]);
});

test('All bad lines are counted, the first five quoted, before anything else happens', async () => {
	const bad = [
		'{"query": ["a"], "pos": "b"}',
		'{"query": "a", "pos":',
		'{"query": "a"}',
		'{"query": "a", "pos": ""}',
		'5',
		'{"query": "", "pos": "p"}',
		'{"query": "a", "pos": []}',
	];
	const path = put('bad.jsonl', `${lines}\n\n${bad.join('\n')}\n${lines}\n`);
	const refusal = await all(path).catch(error => error);
	expect(refusal.code).toBe('DATA_ROW');
	expect(refusal.message).toMatch(
		new RegExp(
			`^${path}:5: expected "query" to be a string, got an array; 7 bad lines in all, also ${path}:6: `,
		),
	);
	expect(refusal.message).toContain(`${path}:9: expected an object, got a number`);
	expect(refusal.message).not.toContain(`${path}:10`);
	expect(refusal.message).not.toContain('\n');
});

test('One bad line is one sentence', async () => {
	const path = put('one.jsonl', `${lines}\n{"query": ["a"], "pos": "b"}\n`);
	await expect(all(path)).rejects.toMatchObject({
		message: `${path}:4: expected "query" to be a string, got an array`,
	});
});

test.each<[string, string | Uint8Array, RegExp]>([
	['bad.csv', 'query,positive\na,b\na\n', /bad.csv:3: expected 2 cells as in the header, got 1$/],
	[
		'bad.json',
		'[{"query": "a", "pos": "b"},\n{"query": 1, "pos": "b"}]',
		/bad.json:2: element 2: expected "query"/,
	],
	['memory', '', /records:2: expected "pos" to be a string, got a number$/],
])('A bad row of %s is named by its place', async (name, text, message) => {
	const sources = {
		memory: [
			{query: 'a', pos: 'b'},
			{query: 'a', pos: 1},
		],
	} as Record<string, DataSource>;
	await expect(all(sources[name] ?? put(name, text))).rejects.toMatchObject({
		code: 'DATA_ROW',
		message: expect.stringMatching(message),
	});
});

test.each<[string, () => DataSource, string]>([
	['An empty file', () => put('none', ''), 'FILE_EMPTY'],
	['A file of blank lines', () => put('none', '\n \n'), 'FILE_EMPTY'],
	['An empty array in a file', () => put('none', '[ ]'), 'FILE_EMPTY'],
	['An empty array', () => [], 'DATA_EMPTY'],
	['A folder without data', () => join(folder, 'vacant'), 'DATA_EMPTY'],
	['Plain text', () => put('none', 'just text\nand more\n'), 'FILE_FORMAT'],
	['A binary file', () => put('none', Buffer.from([0, 1, 2, 255, 254])), 'FILE_FORMAT'],
	[
		'Bad UTF-8 in a line',
		() => put('none', Buffer.from('{"query":"\xff","pos":"b"}', 'latin1')),
		'FILE_FORMAT',
	],
	['A cut array', () => put('none', '[{"query":"a","pos":"b"},'), 'FILE_FORMAT'],
	['A missing file', () => join(folder, 'nothing'), 'FILE_NOT_FOUND'],
	['A missing named file', () => `a=${join(folder, 'nothing')}`, 'FILE_NOT_FOUND'],
	['A device', () => '/dev/null', 'FILE_UNREADABLE'],
	['A number that is none', () => [{query: 'a', pos: 'b', score: Number.NaN}], 'DATA_ROW'],
	[
		'A record that holds itself',
		() => [
			Object.assign(
				{query: 'a'},
				{
					get pos() {
						return this;
					},
				},
			),
		],
		'DATA_ROW',
	],
])('%s is refused', async (_, source, code) => {
	mkdirSync(join(folder, 'vacant'), {recursive: true});
	await expect(all(source())).rejects.toMatchObject({code});
});

test('No sources at all are refused', async () => {
	await expect(openDataset([])).rejects.toMatchObject({code: 'DATA_EMPTY'});
});

test('The error of a stream is its own', async () => {
	const failure = new Error('the stream broke');
	async function* stream() {
		yield three[0]!;
		throw failure;
	}

	await expect(all(stream())).rejects.toBe(failure);
});

test('Rows are located by path and line, and elements by number too', async () => {
	const path = put('located.jsonl', `\n${lines}\n`);
	const array = put('located.json', `[\n{"query": "a", "pos": "b"}, {"query": "a", "pos": "b"}]`);
	const dataset = await open(path, array);
	expect(await dataset.locate([2, 0, 4, 3])).toEqual([
		`${path}:4`,
		`${path}:2`,
		`${array}:2: element 2`,
		`${array}:2: element 1`,
	]);
});

test('The index knows how many texts a record has, and which are equal', async () => {
	const dataset = await open([
		{query: 'a', pos: ['b', 'c'], neg: ['d', 'e', 'f']},
		{query: 'f', pos: ['a']},
	]);
	expect([dataset.supply(0).positives, dataset.supply(0).negatives]).toEqual([2, 3]);
	expect([dataset.supply(1).positives, dataset.supply(1).negatives]).toEqual([1, 0]);
	expect(dataset.hashes(1, [0])[0]).toBe(dataset.hashes(0, [5])[0]);
	expect(dataset.hashes(1, [1])[0]).toBe(dataset.hashes(0, [0])[0]);
	expect(new Set(numbers(6).map(text => dataset.hashes(0, [text])[0])).size).toBe(6);
});

test('A record of 10 MB is one record', async () => {
	const long = 'word '.repeat(2_000_000).trim();
	const path = put('long.jsonl', `${lines}\n${JSON.stringify({query: 'q', pos: long})}\n${lines}`);
	const dataset = await open(path);
	const [record] = await dataset.records([3]);
	expect([dataset.length, record!.positives[0] === long]).toEqual([7, true]);
});

test('200000 rows are at hand by number', async () => {
	const rows = numbers(200_000).map(n => `{"query":"query ${n}","pos":"passage ${n}"}\n`);
	const dataset = await open(put('many.jsonl', rows.join('')));
	const wanted = numbers(1000).map(n => (n * 7919) % 200_000);
	const found = await dataset.records(wanted);
	expect(dataset.length).toBe(200_000);
	expect(found.map(({query}) => query)).toEqual(wanted.map(n => `query ${n}`));
});

test('A file that changes after it was opened is refused', async () => {
	const path = put('changing.jsonl', lines);
	const dataset = await open(path);
	appendFileSync(path, '\n');
	await expect(dataset.records([0])).rejects.toMatchObject({code: 'FILE_UNREADABLE'});
});

test('After close there is nothing to read, and closing twice is fine', async () => {
	const dataset = await openDataset([three]);
	await dataset.close();
	await dataset.close();
	await expect(dataset.records([0])).rejects.toMatchObject({code: 'DISPOSED'});
});

test('An abort ends the opening with the reason of the signal', async () => {
	const reason = new Error('enough');
	const opening = openDataset([put('abort.jsonl', lines)], {signal: AbortSignal.abort(reason)});
	await expect(opening).rejects.toBe(reason);
});

test('What a user gives as data is one source or a list of paths', () => {
	expect(sourcesOf('a')).toEqual(['a']);
	expect(sourcesOf(['a', 'b'])).toEqual(['a', 'b']);
	expect(sourcesOf(three)).toEqual([three]);
	expect(sourcesOf([['q', 'p']])).toEqual([[['q', 'p']]]);
	expect(() => sourcesOf(5)).toThrow(expect.objectContaining({code: 'OPTION_TYPE'}));
	expect(() => sourcesOf({query: 'q'})).toThrow(expect.objectContaining({code: 'OPTION_TYPE'}));
});

test.skipIf(!existsSync(shared)).each([
	['squad/train.jsonl', 18948, 18948, 0],
	['medquad/train.jsonl', 3000, 3000, 0],
	['nli/snli_dev_triplets.jsonl', 2951, 2951, 2951],
	['zh/cmrc2018/train.jsonl', 1755, 1755, 0],
	['seed_examples/rag-retrieval/t2rank_100.jsonl', 100, 505, 1500],
	['seed_examples/rag-retrieval/lmsft.jsonl', 2, 4, 0],
	['seed_examples/itrex_embedding_finetune/example.jsonl', 10, 10, 0],
	['seed_examples/itrex_embedding_finetune/augmented_example.jsonl', 10, 10, 50],
	['seed_examples/flagembedding/toy_finetune_data.jsonl', 10, 10, 70],
	['seed_examples/flagembedding/embedder/example_data/retrieval', 30, 30, 1239],
	['seed_examples/flagembedding/llm_embedder_toy/qa.json', 8, 8, 800],
])(
	'%s has %d records, %d positives, %d negatives (needs the shared data)',
	async (path, ...counts) => {
		const dataset = await open(join(shared, path));
		const records = numbers(dataset.length);
		const positives = records.reduce((sum, record) => sum + dataset.supply(record).positives, 0);
		const negatives = records.reduce((sum, record) => sum + dataset.supply(record).negatives, 0);
		expect([dataset.length, positives, negatives]).toEqual(counts);
	},
);
