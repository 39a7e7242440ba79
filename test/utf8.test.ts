// Bytes that are not UTF-8 are refused by the byte that does not fit.

import {expect, test} from 'vitest';
import {decodeUtf8} from '../dist/utf8.js';

test('UTF-8 is text, replacement characters and byte order marks included', () => {
	const text = '\uFEFFa\uFFFDé\u{1F600}';
	expect(decodeUtf8(Buffer.from(text), 'here')).toBe(text);
});

test.each([
	['a byte of Latin-1', [0x63, 0x61, 0x66, 0xe9, 0x0a], '0xe9 at position 3'],
	['a byte that never begins a character', [0x61, 0x80], '0x80 at position 1'],
	['a character cut by another', [0x61, 0xef, 0xbf, 0x41], '0xef at position 1'],
	['a character cut by the end', [0x61, 0xe2, 0x82], '0xe2 at position 1'],
	['a surrogate', [0x61, 0x62, 0xed, 0xa0, 0x80], '0xed at position 2'],
	['an overlong character', [0xc0, 0xaf], '0xc0 at position 0'],
	['a bad byte behind a replacement character', [0xef, 0xbf, 0xbd, 0xff], '0xff at position 3'],
])('%s is refused by its place', (_, bytes, got) => {
	expect(() => decodeUtf8(Buffer.from(bytes), 'here')).toThrow(
		`here: expected UTF-8, got the byte ${got} (from 0); convert the file to UTF-8 text`,
	);
});

test('the place counts from the begin of the file, and the code is that of the reader', () => {
	const refused = () => decodeUtf8(Buffer.from([0xff]), 'x', {offset: 99, code: 'MODEL_CONFIG'});
	expect(refused).toThrow(expect.objectContaining({code: 'MODEL_CONFIG'}));
	expect(refused).toThrow('position 99');
});

test('the place is found in a text of 10 MB', () => {
	const bytes = Buffer.alloc(10_000_000, 'a');
	bytes[9_999_998] = 0xff;
	expect(() => decodeUtf8(bytes, 'here')).toThrow('position 9999998');
});

test('other formats are named at the begin of a file, and nowhere else', () => {
	const refused = (bytes: number[], offset: number) => () =>
		decodeUtf8(Buffer.from(bytes), 'x', {offset});
	expect(refused([0xff, 0xfe, 0x61, 0], 0)).toThrow('x: expected UTF-8, got UTF-16; convert');
	expect(refused([0x1f, 0x8b, 8, 0xff], 0)).toThrow('x: expected UTF-8, got gzip data; convert');
	expect(refused([0xff, 0xfe], 2)).toThrow('x: expected UTF-8, got the byte 0xff at position 2');
	expect(refused([0x1f, 0x8b], 2)).toThrow('x: expected UTF-8, got the byte 0x8b at position 3');
});
