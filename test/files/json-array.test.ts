import {Readable} from 'node:stream';
import {expect, test} from 'vitest';
import {readJsonArray} from '../../dist/files/json-array.js';
import {collect, temporaryFolder} from './folder.js';

const {put} = temporaryFolder();

const tricky = [
	{text: 'brackets ]}[{ and "quotes" \\ and \\" too'},
	{nested: {list: [1, [2, {three: 3}]], empty: {}}},
	['a', 'b'],
	{unicode: '\u2028 日本 😀'},
];

const valuesOf = async (source: Parameters<typeof readJsonArray>[0]) =>
	(await collect(readJsonArray(source))).map(element => JSON.parse(element.text));

test('Elements come out as they went in, compact or indented', async () => {
	expect(await valuesOf(put('compact', JSON.stringify(tricky)))).toEqual(tricky);
	expect(await valuesOf(put('indented', JSON.stringify(tricky, null, '\t')))).toEqual(tricky);
	expect(await valuesOf(put('bom', `\uFEFF \r\n${JSON.stringify(tricky)}\n`))).toEqual(tricky);
	expect(await valuesOf(put('empty', ' [ \n ] '))).toEqual([]);
});

test('Elements cut anywhere by the pieces of a stream are whole', async () => {
	const bytes = Buffer.from(`\uFEFF${JSON.stringify(tricky, null, 2)}`);
	const single = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
	expect(await valuesOf(Readable.from(single))).toEqual(tricky);
});

test('An element knows its bytes, its number and its line', async () => {
	const text = '[\n{"a": "é"},\n\n{"b": 2}\n]';
	const elements = await collect(readJsonArray(put('places', text)));
	const bytes = Buffer.from(text);
	const cut = elements.map(({offset, length}) => bytes.toString('utf8', offset, offset + length));
	expect(cut).toEqual(['{"a": "é"}', '{"b": 2}']);
	expect(elements.map(({number, line}) => [number, line])).toEqual([
		[1, 2],
		[2, 4],
	]);
});

test.each([
	['a cut file', '[{"a": 1}, {"b"'],
	['an array without its end', '[{"a": 1}'],
	['a comma too many', '[{"a": 1},]'],
	['a comma missing', '[{"a": 1} {"b": 2}]'],
	['text behind the array', '[{"a": 1}] {'],
	['a string as element', '["a"]'],
	['a number as element', '[{}, 5]'],
	['no array', '{"a": 1}'],
	['nothing', ''],
])('%s is refused', async (_, text) => {
	await expect(valuesOf(put('bad', text))).rejects.toMatchObject({code: 'FILE_FORMAT'});
});

test('The refusal names the line', async () => {
	const path = put('line', '[\n{"a": 1}\n{"b": 2}\n]');
	await expect(valuesOf(path)).rejects.toThrow(`${path}:3: expected "," or "]", got "{"`);
});

test('Deep nesting is followed without recursion', async () => {
	const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
	const elements = await collect(readJsonArray(put('deep', `[${deep}]`)));
	expect(elements.map(element => element.length)).toEqual([deep.length]);
});
