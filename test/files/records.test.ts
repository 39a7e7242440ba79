import {expect, test} from 'vitest';
import {readRecords} from '../../dist/files/records.js';
import {collect, temporaryFolder} from './folder.js';

const {put} = temporaryFolder();
const rows = [
	{a: 'one', b: '1'},
	{a: 'two\u2028"x"', b: '2'},
];

const valuesOf = async (path: string) => (await collect(readRecords(path))).map(({value}) => value);

test('The same rows come out of every format', async () => {
	const lines = put('lines', rows.map(row => JSON.stringify(row)).join('\r\n'));
	const array = put('array', JSON.stringify(rows, null, 1));
	const csv = put('csv', 'a,b\none,1\n"two\u2028""x""",2\n');
	const tsv = put('tsv', 'a\tb\none\t1\ntwo\u2028"x"\t2\n');
	for (const path of [lines, array, csv, tsv]) expect(await valuesOf(path)).toEqual(rows);
});

test('A row says where it stands', async () => {
	const path = put('where', '\n{"a": 1}\n\n{"a": 2}\n');
	const found = (await collect(readRecords(path))).map(({where}) => where);
	expect(found).toEqual([`${path}:2`, `${path}:4`]);
	const array = put('array', '[{"a": 1},\n{"a": 2}]');
	const elements = (await collect(readRecords(array))).map(({where}) => where);
	expect(elements).toEqual([`${array}:1: element 1`, `${array}:2: element 2`]);
});

test('Broken JSON is refused by its line, in one line', async () => {
	const path = put('broken', '{"a": 1}\n{"a":\n');
	await expect(valuesOf(path)).rejects.toMatchObject({
		code: 'FILE_FORMAT',
		message: expect.stringMatching(/broken:2: expected a whole JSON value, got [^\n]*$/),
	});
});

test('One value over several lines is refused as what it is', async () => {
	const path = put('indented', `\n${JSON.stringify({data: rows}, null, 2)}`);
	await expect(valuesOf(path)).rejects.toThrow(
		`${path}:2: expected a whole record on each line, or one array of records, got an object that`,
	);
});

test.each([
	['{"a": 1, "b": 2, "a": 3}', '"a"'],
	['{"a": [{"c": 1}, {"c" : 1,"c"\t: 1}]}', '"c"'],
	['{"a": 1, "\\u0061": 1}', '"\\u0061"'],
	['{"": 1, "": 1}', '""'],
	['{"__proto__": 1, "__proto__": 2}', '"__proto__"'],
	['{"1": "a \\": b", "1": 2}', '"1"'],
])('A record that says %s is refused by its line and the key', async (record, key) => {
	const path = put('twice', `{"a": 1}\n${record}\n`);
	const message = `${path}:2: expected every key once, got ${key} twice; keep one of them`;
	await expect(valuesOf(path)).rejects.toMatchObject({code: 'DATA_ROW', message});
	const array = put('array', `[{"a": 1},\n${record}]`);
	await expect(valuesOf(array)).rejects.toMatchObject({code: 'DATA_ROW'});
});

test('Keys that only look alike, and colons in texts, are no repeats', async () => {
	const records = [
		{a: {a: [{a: 1}, {a: 2}]}, b: 'a": 1, "a": 2', '"a"': ':', A: 1, 'a:': 1, c: ['a', 'a']},
		{'a\\': '\\', 'a\\\\': '":":', '': {'': ''}},
	];
	const path = put('alike', records.map(record => JSON.stringify(record)).join('\n'));
	expect(await valuesOf(path)).toEqual(records);
});

test('Plain text and an empty file have no rows', async () => {
	await expect(valuesOf(put('text', '\njust words\n'))).rejects.toMatchObject({
		code: 'FILE_FORMAT',
		message: expect.stringMatching(/text:2: expected JSON lines/),
	});
	await expect(valuesOf(put('empty', ' \n'))).rejects.toMatchObject({code: 'FILE_EMPTY'});
});
