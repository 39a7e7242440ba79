import {createHash} from 'node:crypto';
import {
	appendFileSync,
	chmodSync,
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	statSync,
	utimesSync,
	writeFileSync,
} from 'node:fs';
import {open as openFile} from 'node:fs/promises';
import {join} from 'node:path';
import {beforeEach, expect, onTestFinished, test, vi} from 'vitest';
import {Column} from '../../dist/data/columns.js';
import {type DatasetOptions, openDataset} from '../../dist/data/dataset.js';
import {temporaryFolder} from '../files/folder.js';

const {folder, put} = temporaryFolder();
let number = 0;
let home = '';

beforeEach(() => {
	home = join(folder, `${number++}`);
	mkdirSync(home);
	vi.stubEnv('INBATCH_DATA_CACHE', join(home, 'cache'));
});

const rows = Array.from({length: 500}, (_, n) => ({
	query: `query ${n}`,
	pos: [`passage ${n}`, `other ${n % 7}`],
	neg: n % 3 === 0 ? ['x', 'y'] : ['z'],
}));
const text = rows.map(row => JSON.stringify(row)).join('\n');
const putData = (content = text) => put(join(`${number - 1}`, 'pairs.jsonl'), content);

async function open(path: string, options: DatasetOptions = {}) {
	const dataset = await openDataset([path], {keepIndexFrom: 0, ...options});
	onTestFinished(() => dataset.close());
	return dataset;
}

/** Whether opening read an index, kept one, or did neither. */
async function course(path: string, options: DatasetOptions = {}): Promise<string[]> {
	const {warnings} = await open(path, options);
	return warnings.flatMap(warning => /: index (read|kept|not kept)/.exec(warning)?.[1] ?? []);
}

test('The second start reads the index and finds the same records', async () => {
	const path = putData();
	const first = await open(path);
	const second = await open(path);
	const place = join(home, '.pairs.jsonl.inbatch-index');
	expect(first.warnings).toEqual([`${path}: index kept in ${place}`]);
	expect(second.warnings).toEqual([`${path}: index read from ${place}`]);
	expect(second.files).toEqual(first.files);
	const wanted = [499, 0, 77];
	expect(await second.records(wanted)).toEqual(await first.records(wanted));
	expect(await second.locate([77])).toEqual([`${path}:78`]);
	const facts = (dataset: typeof first) =>
		rows.map((_, n) => [
			dataset.supply(n).positives,
			dataset.supply(n).negatives,
			dataset.hashes(n, [3])[0],
		]);
	expect(facts(second)).toEqual(facts(first));
});

test('JSON arrays and CSV keep their indices too', async () => {
	const array = put(join(`${number - 1}`, 'a.json'), JSON.stringify(rows));
	const table = put(join(`${number - 1}`, 'a.csv'), 'query,positive\na,b\nc,"d\ne"\n');
	for (const path of [array, table]) {
		const first = await open(path);
		expect(await course(path)).toEqual(['read']);
		expect(await (await open(path)).records([1])).toEqual(await first.records([1]));
	}
});

test('Small files, and records from memory, keep none', async () => {
	const path = putData();
	await openDataset([path]).then(dataset => dataset.close());
	await openDataset([rows], {keepIndexFrom: 0}).then(dataset => dataset.close());
	expect(readdirSync(home)).not.toContain('.pairs.jsonl.inbatch-index');
});

test('Fields not used are told each time', async () => {
	const path = putData('{"query":"a","pos":"b","x":1}\n');
	const said = (await open(path)).warnings.filter(warning => warning.includes('not used'));
	const again = (await open(path)).warnings.filter(warning => warning.includes('not used'));
	expect([said.length, again]).toEqual([1, said]);
});

test.each<[string, (path: string) => void]>([
	['grown', path => appendFileSync(path, '\n{"query":"new","pos":"p"}')],
	['touched', path => utimesSync(path, 1, 1)],
	['of another end, size and time kept', rewriteEnd],
])('The index of a file %s is made anew', async (_, change) => {
	const path = putData();
	await open(path);
	change(path);
	expect(await course(path)).toEqual(['kept']);
	expect(await course(path)).toEqual(['read']);
});

function rewriteEnd(path: string): void {
	const {atime, mtime} = statSync(path);
	utimesSync(path, atime, new Date(Math.floor(mtime.getTime() / 1000) * 1000));
	writeFileSync(path, text.replace('query 499', 'quary 499'));
	utimesSync(path, atime, mtime);
}

test('An index is used only for the reading that it was made for', async () => {
	const path = putData();
	expect(await course(path)).toEqual(['kept']);
	expect(await course(path, {kind: 'text'})).toEqual(['kept']);
	expect(await course(path, {map: {query: 'query'}})).toEqual(['kept']);
});

test('A check of records runs unless it ran before', async () => {
	const path = putData();
	let checked = 0;
	const expectKey = 'all';
	const check = () => {
		checked++;
	};
	expect(await course(path, {expect: check})).toEqual([]);
	expect(await course(path)).toEqual(['kept']);
	expect(await course(path, {expect: check, expectKey})).toEqual(['kept']);
	expect(await course(path, {expect: check, expectKey})).toEqual(['read']);
	expect(await course(path)).toEqual(['read']);
	expect(await course(path, {expect: check, expectKey: 'other'})).toEqual(['kept']);
	expect(checked).toBe(3 * rows.length);
});

test('A file of bad lines keeps no index', async () => {
	const path = putData(`${text}\n{"query":""}`);
	await expect(open(path)).rejects.toMatchObject({code: 'DATA_ROW'});
	await expect(open(path)).rejects.toMatchObject({code: 'DATA_ROW'});
	expect(readdirSync(home)).toEqual(['pairs.jsonl']);
});

test('A read-only folder keeps its indices in the cache, which is said', async () => {
	const path = putData();
	// The administrator may write everywhere: something in the way stands for what he may not do.
	mkdirSync(join(home, '.pairs.jsonl.inbatch-index', 'in the way'), {recursive: true});
	const {warnings} = await open(path);
	const place = join(home, 'cache', 'indexes');
	expect(warnings[0]).toMatch(`${path}: index kept in ${place}`);
	expect(warnings[0]).toMatch(/, since beside the file it cannot be \(E[A-Z]+\)$/);
	expect(await course(path)).toEqual(['read']);
});

test('Where no index can be kept the data are read all the same', async () => {
	const path = putData();
	mkdirSync(join(home, '.pairs.jsonl.inbatch-index', 'in the way'), {recursive: true});
	writeFileSync(join(home, 'cache'), '');
	chmodSync(path, 0o444);
	expect(await course(path)).toEqual(['not kept']);
});

const header = (bytes: Buffer) => bytes.indexOf(0x0a, 20) + 1;

test.each<[string, (bytes: Buffer) => Buffer]>([
	['empty', () => Buffer.alloc(0)],
	['cut', bytes => bytes.subarray(0, -9)],
	['cut in its header', bytes => bytes.subarray(0, 60)],
	['of another kind', bytes => Buffer.from(`${bytes}`.replace('index 1', 'index 9'))],
	['without JSON', bytes => Buffer.from(bytes.toString('latin1').replace('{', '}'), 'latin1')],
	['without columns', bytes => replaced(bytes, '"columns"', '"calumns"')],
	['of another number', bytes => flipped(bytes, header(bytes) + 14)],
	['of another hash', bytes => flipped(bytes, bytes.length - 50)],
	['of numbers out of the file, and whole', outside],
	['of a negative length', bytes => replaced(bytes, '"length":500', '"length":-50')],
	['of too many records', bytes => replaced(bytes, '"length":500', '"length":9e9')],
])('An index that is %s is made anew', async (_, change) => {
	const path = putData();
	await open(path);
	const place = join(home, '.pairs.jsonl.inbatch-index');
	writeFileSync(place, change(readFileSync(place)));
	expect(await course(path)).toEqual(['kept']);
	expect(await course(path)).toEqual(['read']);
});

/** The second record is moved out of the file, and the checksum is made to fit. */
function outside(bytes: Buffer): Buffer {
	const begin = header(bytes);
	const columns = Buffer.from(bytes.subarray(begin, -32));
	columns.writeDoubleLE(1e9, 8);
	const digest = createHash('sha256').update(columns).digest();
	return Buffer.concat([bytes.subarray(0, begin), columns, digest]);
}

function replaced(bytes: Buffer, from: string, to: string): Buffer {
	return Buffer.from(bytes.toString('latin1').replaceAll(from, to), 'latin1');
}

function flipped(bytes: Buffer, at: number): Buffer {
	return Buffer.from(bytes.map((byte, place) => (place === at ? byte ^ 0xff : byte)));
}

test('A file that changes while it is read is refused and keeps no index', async () => {
	const path = putData();
	let isFirst = true;
	const change = () => {
		if (isFirst) appendFileSync(path, '\n');
		isFirst = false;
	};
	await expect(open(path, {expect: change, expectKey: 'x'})).rejects.toMatchObject({
		code: 'FILE_UNREADABLE',
	});
	expect(readdirSync(home)).toEqual(['pairs.jsonl']);
});

test('Nothing but the index is left beside the data', async () => {
	const path = putData();
	await open(path);
	expect(readdirSync(home).sort()).toEqual(['.pairs.jsonl.inbatch-index', 'pairs.jsonl']);
	expect(existsSync(join(home, 'cache'))).toBe(false);
});

test('A column of even steps takes no room, and what breaks them is kept', async () => {
	const column = new Column(Float64Array);
	for (let n = 0; n < 70_000; n++) column.push(5 + 3 * n);
	expect([[...column.pieces()].length, column.facts().even]).toEqual([0, {first: 5, step: 3}]);
	column.push(1);
	column.push(2);
	const numbers = [0, 1, 65_535, 65_536, 69_999, 70_000, 70_001];
	const expected = [5, 8, 5 + 3 * 65_535, 5 + 3 * 65_536, 5 + 3 * 69_999, 1, 2];
	expect(numbers.map(n => column.at(n))).toEqual(expected);
	const path = put('column', Buffer.concat([new Uint8Array(3), ...column.pieces()]));
	const handle = await openFile(path);
	onTestFinished(() => handle.close());
	const again = Column.of(Float64Array, column.facts(), {handle, begin: 3});
	expect(numbers.map(n => again.at(n))).toEqual(expected);
	expect(Buffer.concat([...again.pieces()])).toEqual(Buffer.concat([...column.pieces()]));
});

test('A column on the disk is the column in memory', async () => {
	const handle = await openFile(put('store', ''), 'r+');
	onTestFinished(() => handle.close());
	const stored = new Column(Uint32Array, {handle, begin: 0});
	const held = new Column(Uint32Array);
	const numbers = Array.from({length: 2 ** 18 + 5}, (_, n) => (n * 2654435761) % 2 ** 32);
	for (const value of numbers) stored.push(value);
	for (const value of numbers) held.push(value);
	const places = [...numbers.keys()].map(n => (n * 40_503) % numbers.length);
	expect(places.every(place => stored.at(place) === held.at(place))).toBe(true);
	expect(Buffer.concat([...stored.pieces()]).equals(Buffer.concat([...held.pieces()]))).toBe(true);
});
