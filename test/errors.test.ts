// Errors are one line, whatever stands in the files that they speak of.

import {expect, test} from 'vitest';
import {EngineError} from '../dist/errors.js';

const messageOf = (text: string) => new EngineError('DATA_ROW', text).message;

test('Line breaks become blanks', () => {
	expect(messageOf('a: expected x,\r\n\tgot y\u2028z')).toBe('a: expected x, got y z');
});

test('What would talk to a terminal or turn text around is written out', () => {
	expect(messageOf('got "\x1B[2J\x00\x9B\u202E"')).toBe('got "\\u001b[2J\\u0000\\u009b\\u202e"');
});

test('A very long message keeps its begin and its end', () => {
	const message = messageOf(`begin ${'x'.repeat(1_000_000)} end`);
	expect(message).toMatch(/^begin x+ … x+ end$/);
	expect(message.length).toBeLessThan(2100);
});
