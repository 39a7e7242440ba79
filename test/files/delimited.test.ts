import {expect, test} from 'vitest';
import {readDialect, readRows, recordOf} from '../../dist/files/delimited.js';
import {collect, temporaryFolder} from './folder.js';

const {put} = temporaryFolder();

async function recordsOf(text: string) {
	const path = put('data', text);
	const dialect = await readDialect(path);
	const rows = await collect(readRows(path, dialect));
	return rows.map(row => recordOf(row.text, dialect, `${path}:${row.number}`));
}

test('CSV cells may hold commas, quotes and newlines in quotes', async () => {
	const text = 'a,b,c\r\n1,"x, ""y""","two\r\nlines"\r\n"",plain 5" disk,"last"\r\n';
	expect(await recordsOf(text)).toEqual([
		{a: '1', b: 'x, "y"', c: 'two\r\nlines'},
		{b: 'plain 5" disk', c: 'last'},
	]);
});

test('A quoted cell may begin, span and end lines in any column', async () => {
	const text = 'a,b\n"one\n\n""two""\n",x\ny,"three\nfour"\n"p","q"\n';
	expect(await recordsOf(text)).toEqual([
		{a: 'one\n\n"two"\n', b: 'x'},
		{a: 'y', b: 'three\nfour'},
		{a: 'p', b: 'q'},
	]);
});

test('TSV keeps quotes that stand in the text', async () => {
	const text = 'a\tb\n"Hello."\tsay "hi"\n"open\t5"\n';
	expect(await recordsOf(text)).toEqual([
		{a: '"Hello."', b: 'say "hi"'},
		{a: '"open', b: '5"'},
	]);
});

test('TSV loses quotes that a program put around cells with quotes', async () => {
	const text = 'a\tb\n"He said ""hi"""\tx\n';
	expect(await recordsOf(text)).toEqual([{a: 'He said "hi"', b: 'x'}]);
});

test('TSV with a quoted header is quoted like CSV', async () => {
	const text = '"a"\t"b"\n"x\ty"\t"two\nlines"\n';
	expect(await recordsOf(text)).toEqual([{a: 'x\ty', b: 'two\nlines'}]);
});

test('Rows know the line and the bytes they stand at', async () => {
	const text = '\uFEFFa,b\n\n"é\n",1\n2,3\n';
	const path = put('places', text);
	const rows = await collect(readRows(path, await readDialect(path)));
	const bytes = Buffer.from(text);
	expect(rows.map(row => row.number)).toEqual([3, 5]);
	const cut = rows.map(({offset, length}) => bytes.toString('utf8', offset, offset + length));
	expect(cut).toEqual(['"é\n",1', '2,3']);
	expect(rows.map(row => row.text)).toEqual(cut);
});

test('A byte order mark, blank lines and a missing last newline do no harm', async () => {
	expect(await recordsOf('\uFEFFa,b\n1,2\n\n3,4')).toEqual([
		{a: '1', b: '2'},
		{a: '3', b: '4'},
	]);
});

test.each([
	['too few cells', 'a,b\n1\n', /:2: expected 2 cells as in the header, got 1$/],
	['too many cells', 'a\tb\n1\t2\n1\t2\t3\n', /:3: expected 2 cells as in the header, got 3$/],
	['a quote never closed', 'a,b\n1,"2\n3,4\n', /:2: expected a closing quote/],
	['text behind a quote', 'a,b\n1,"2"x\n', /:2: expected a separator after a closing quote/],
	['a name twice', 'a,a\n1,2\n', /:1: expected a header of distinct names/],
])('%s is refused by its line', async (_, text, message) => {
	await expect(recordsOf(text)).rejects.toMatchObject({
		code: 'FILE_FORMAT',
		message: expect.stringMatching(message),
	});
});

test('A column named __proto__ is a column', async () => {
	const [record] = await recordsOf('__proto__,b\n1,2\n');
	expect(Object.entries(record!)).toEqual([
		['__proto__', '1'],
		['b', '2'],
	]);
});

test('Many quoted cells in one line need no recursion', async () => {
	const cells = Array.from({length: 200_000}, (_, n) => (n % 2 ? '"x"' : 'y'));
	const header = cells.map((_, n) => `c${n}`).join(',');
	const [record] = await recordsOf(`${header}\n${cells.join(',')}\n`);
	expect(Object.keys(record!)).toHaveLength(200_000);
});
