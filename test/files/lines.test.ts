import {open} from 'node:fs/promises';
import {Readable} from 'node:stream';
import {expect, test} from 'vitest';
import {readLines} from '../../dist/files/lines.js';
import {collect, temporaryFolder} from './folder.js';

const {folder, put} = temporaryFolder();

const textsOf = async (source: Parameters<typeof readLines>[0]) =>
	(await collect(readLines(source))).map(line => line.text);

test('The last line needs no newline and gives no empty line with one', async () => {
	expect(await textsOf(put('a', 'one\ntwo'))).toEqual(['one', 'two']);
	expect(await textsOf(put('b', 'one\ntwo\n'))).toEqual(['one', 'two']);
	expect(await textsOf(put('c', 'one\n\n'))).toEqual(['one', '']);
	expect(await textsOf(put('d', ''))).toEqual([]);
});

test('A byte order mark and the \\r of CRLF are dropped', async () => {
	expect(await textsOf(put('bom', '\uFEFFone\r\ntwo\r\n'))).toEqual(['one', 'two']);
});

test('U+2028, U+2029, U+0085 and a lone \\r are text', async () => {
	const line = 'a\u2028b\u2029c\u0085d\re';
	expect(await textsOf(put('separators', `${line}\nx\n`))).toEqual([line, 'x']);
});

test('Offset and length are the bytes of the text in the file', async () => {
	const path = put('offsets', '\uFEFFä\r\nbé\n\n日本');
	const lines = await collect(readLines(path));
	const file = await open(path);
	for (const {offset, length, text} of lines) {
		const {buffer} = await file.read(Buffer.alloc(length), 0, length, offset);
		expect(buffer.toString()).toBe(text);
	}

	await file.close();
	expect(lines.map(({number, offset, length}) => [number, offset, length])).toEqual([
		[1, 3, 2],
		[2, 7, 3],
		[3, 11, 0],
		[4, 12, 6],
	]);
});

test('Reading can start at a line in the middle', async () => {
	const path = put('start', 'one\ntwo\nthree\n');
	const lines = await collect(readLines(path, {start: {offset: 4, number: 2}}));
	expect(lines.map(({number, offset, text}) => [number, offset, text])).toEqual([
		[2, 4, 'two'],
		[3, 8, 'three'],
	]);
});

test('A line of 10 MB is one line, whole', async () => {
	const long = 'x日'.repeat(2_500_000);
	const lines = await collect(readLines(put('long', `a\n${long}\nb`)));
	expect(lines.map(line => line.text.length)).toEqual([1, long.length, 1]);
	expect(lines[1]!.text).toBe(long);
});

test('A line beyond 64 MB is refused by its number', async () => {
	const part = Buffer.alloc(2 ** 20, 'x');
	const source = Readable.from([Buffer.from('a\n'), ...Array(65).fill(part)]);
	await expect(textsOf(source)).rejects.toMatchObject({
		code: 'FILE_FORMAT',
		message: expect.stringMatching(/^input:2: expected at most 67108864 bytes/),
	});
});

test('Bytes that are not UTF-8 are refused by path, line and position', async () => {
	const path = put('latin', Buffer.from('one\ntw\xf6\n', 'latin1'));
	await expect(textsOf(path)).rejects.toMatchObject({
		code: 'FILE_FORMAT',
		message: expect.stringMatching(
			new RegExp(`^${path}:2: expected UTF-8, got the byte 0xf6 at position 6 `),
		),
	});
});

test('Compressed and UTF-16 files are called what they are', async () => {
	const gzip = put('gzip', Buffer.from([0x1f, 0x8b, 8, 0, 0, 0]));
	const wide = put('wide', Buffer.from('\uFEFFab', 'utf16le'));
	await expect(textsOf(gzip)).rejects.toThrow(/got gzip data/);
	await expect(textsOf(wide)).rejects.toThrow(/got UTF-16/);
});

test('A character cut by a piece of the stream is put together', async () => {
	const bytes = Buffer.from('a€\n€b');
	const single = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
	expect(await textsOf(Readable.from(single))).toEqual(['a€', '€b']);
});

test('200000 lines come in bounded batches', async () => {
	const path = put('many', Array.from({length: 200_000}, (_, n) => `line ${n}\n`).join(''));
	let seen = 0;
	let largest = 0;
	for await (const batch of readLines(path)) {
		expect(batch[0]!.text).toBe(`line ${seen}`);
		seen += batch.length;
		largest = Math.max(largest, batch.length);
	}

	expect(seen).toBe(200_000);
	expect(largest).toBeLessThan(20_000);
});

test('An abort ends the reading with the reason of the signal', async () => {
	const reason = new Error('enough');
	const path = put('abort', 'a\nb\n');
	const lines = readLines(path, {signal: AbortSignal.abort(reason)});
	await expect(collect(lines)).rejects.toBe(reason);
});

test('What is not there or not a file has a code', async () => {
	await expect(textsOf(`${folder}/nothing`)).rejects.toMatchObject({code: 'FILE_NOT_FOUND'});
	await expect(textsOf(folder)).rejects.toMatchObject({code: 'FILE_UNREADABLE'});
});
