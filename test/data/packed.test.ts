import {createHash} from 'node:crypto';
import {mkdirSync, readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {gzipSync} from 'node:zlib';
import {parquetWriteFile} from 'hyparquet-writer';
import {beforeEach, expect, onTestFinished, test, vi} from 'vitest';
import {type DatasetOptions, openDataset} from '../../dist/data/dataset.js';
import {temporaryFolder} from '../files/folder.js';

const {folder, put} = temporaryFolder();
const cache = join(folder, 'cache');

beforeEach(() => {
	vi.stubEnv('INBATCH_DATA_CACHE', cache);
});

async function open(path: string, options?: DatasetOptions) {
	const dataset = await openDataset([path], options);
	onTestFinished(() => dataset.close());
	return dataset;
}

const three = [
	{query: 'q1', positives: ['p1'], negatives: ['n1', 'm1']},
	{query: 'q2', positives: ['p2'], negatives: []},
	{query: '日本', positives: ['ü'], negatives: ['n3']},
];
const lines = three.map(record => JSON.stringify(record)).join('\n');
const csv = 'query,positive,negative_1,negative_2\nq1,p1,n1,m1\nq2,p2,,\n日本,ü,n3,\n';

test.each<[string, string]>([
	['lines', lines],
	['an array', JSON.stringify(three)],
	['CSV', csv],
	['tab-separated texts', 'what is q\tthe p\tan n\nwho is r\tthe s\tan m\n'],
])('%s packed by gzip read as they do unpacked', async (name, text) => {
	const plain = await open(put(`${name}.txt`, text));
	const packed = gzipSync(text);
	const path = put(`${name}.any`, packed);
	const dataset = await open(path);
	const records = Array.from({length: plain.length}, (_, record) => record);
	expect(await dataset.records(records)).toEqual(await plain.records(records));
	expect(dataset.files).toEqual([
		{
			...{name: path, path, rows: plain.length, bytes: packed.length},
			sha256: createHash('sha256').update(packed).digest('hex'),
		},
	]);
	const amount = `${Buffer.byteLength(text)} bytes`;
	const said = `${path}: read from a copy of ${amount} in ${cache} while this runs`;
	expect(dataset.warnings).toEqual([said]);
	const where = (await plain.locate([1]))[0]!.replace('.txt', '.any');
	expect(await dataset.locate([1])).toEqual([where]);
});

test('The copy has no name, so nothing is left of it', async () => {
	await open(put('nameless.gz', gzipSync(lines)));
	expect(readdirSync(cache)).toEqual([]);
});

test('Several members of gzip are one file', async () => {
	const path = put(
		'members.gz',
		Buffer.concat(lines.split('\n').map(line => gzipSync(`${line}\n`))),
	);
	expect((await open(path)).length).toBe(3);
});

test('A bad line of a packed file is named by its line', async () => {
	const path = put('bad.gz', gzipSync(`${lines}\n{"query":"q","pos":[""]}\n`));
	await expect(open(path)).rejects.toMatchObject({
		code: 'DATA_ROW',
		message: `${path}:4: expected "pos[0]" to hold a text, got an empty one`,
	});
});

test.each<[string, Uint8Array, RegExp]>([
	['A cut gzip file', gzipSync(lines.repeat(99)).subarray(0, 60), /a cut or damaged one/],
	['A gzip file with garbage inside', damaged(), /a cut or damaged one/],
	['gzip in gzip', gzipSync(gzipSync(lines)), /got gzip again inside; unpack it first$/],
	['Parquet in gzip', gzipSync('PAR1 and so on'), /got Parquet inside; unpack it first$/],
	['A cut Parquet file', Buffer.from('PAR1abcdPAR1'), /expected a whole Parquet file, got one/],
	['A zip archive', Buffer.from('PK\u0003\u0004 and so on'), /Parquet, got a zip archive$/],
	['Bytes of anything else', Buffer.from([1, 255, 254, 9]), /FORMAT|UTF-8/],
])('%s is refused', async (name, bytes, message) => {
	await expect(open(put(`${name}.bin`, bytes))).rejects.toMatchObject({
		code: 'FILE_FORMAT',
		message: expect.stringMatching(message),
	});
});

function damaged(): Buffer {
	const bytes = gzipSync(lines.repeat(50));
	return Buffer.from(bytes.map((byte, at) => (at === 30 ? byte ^ 0xff : byte)));
}

test('Without a cache that can be written the copy lies elsewhere, and that is said', async () => {
	vi.stubEnv('INBATCH_DATA_CACHE', join(put('occupied', 'x'), 'below'));
	const {warnings, length} = await open(put('elsewhere.gz', gzipSync(lines)));
	expect([length, warnings[0]!.includes('occupied')]).toEqual([3, false]);
});

function putParquet(name: string, columns: Parameters<typeof parquetWriteFile>[0]['columnData']) {
	const filename = join(folder, name);
	parquetWriteFile({filename, columnData: columns, rowGroupSize: 2});
	return filename;
}

const texts = (name: string, data: string[]) => ({name, data, type: 'STRING' as const});

test('Parquet is read over its row groups, by columns of any known name', async () => {
	const path = putParquet('pairs.bin', [
		texts('anchor', ['q1', 'q2', '日本']),
		texts('positive', ['p1', 'p2', 'ü']),
		texts('negative_1', ['n1', 'n2', 'n3']),
		{name: 'label', data: [1n, 0n, 2n], type: 'INT64'},
		{name: 'query_id', data: [1n, 2n ** 40n, 3n], type: 'INT64'},
		{name: 'score', data: [0.5, 0.25, 1], type: 'DOUBLE'},
		texts('extra', ['x', 'y', 'z']),
	]);
	const dataset = await open(path);
	expect(await dataset.records([2, 1])).toEqual([
		{
			...{query: '日本', positives: ['ü'], negatives: ['n3']},
			...{label: 2, queryId: '3', score: 1},
		},
		{
			...{query: 'q2', positives: ['p2'], negatives: ['n2']},
			...{label: 0, queryId: `${2 ** 40}`, score: 0.25},
		},
	]);
	expect(await dataset.locate([2])).toEqual([`${path}: row 3`]);
	expect(dataset.warnings.at(-1)).toBe(`${path}: fields not used: extra`);
	const bytes = readFileSync(path);
	const [{sha256}] = dataset.files as [{sha256: string}];
	expect(sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
});

test('Columns of Parquet may be mapped, and its bad rows are named', async () => {
	const path = putParquet('mapped.bin', [texts('title', ['a', ' ']), texts('body', ['b', 'c'])]);
	await expect(open(path, {map: {query: 'title', positive: 'body'}})).rejects.toMatchObject({
		code: 'DATA_ROW',
		message: `${path}: row 2: expected "title" to hold a text, got an empty one`,
	});
});

test('A pattern gives its files by name, and names what holds no records', async () => {
	mkdirSync(join(folder, 'many'));
	put('many/b.jsonl', lines);
	put('many/a.json.gz', gzipSync('{"query":"a","pos":"p"}\n'));
	put('many/c.jsonl', '{"unrelated": 1}\n');
	put('many/d.txt', lines);
	const dataset = await open(`set=${join(folder, 'many', '*.json*')}`);
	const names = dataset.files.map(({name, path, rows}) => [name, path, rows]);
	expect(names).toEqual([
		['set', join(folder, 'many', 'a.json.gz'), 1],
		['set', join(folder, 'many', 'b.jsonl'), 3],
	]);
	const left = `${join(folder, 'many', 'c.jsonl')}: left out, it is no file of records`;
	expect(dataset.warnings).toContain(left);
});

test.each([
	['{folder}/*.nothing', 'DATA_EMPTY', /expected files of records, got none$/],
	['shibing624/nli_zh', 'FILE_NOT_FOUND', /given as hf:\/\/datasets\/shibing624\/nli_zh/],
	['{folder}/no/such.jsonl', 'FILE_NOT_FOUND', /expected a file, got nothing there$/],
])('%s is refused as %s', async (path, code, message) => {
	await expect(open(path.replace('{folder}', folder))).rejects.toMatchObject({
		code,
		message: expect.stringMatching(message),
	});
});
