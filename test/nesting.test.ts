// The guard before JSON.parse: what it refuses at once, and that it changes nothing else.

import {describe, expect, test} from 'vitest';
import {parseJsonText} from '../dist/nesting.js';

describe('parseJsonText', () => {
	test('refuses a text of open brackets at once, where JSON.parse takes minutes', () => {
		for (const bracket of ['[', '{"a":', '["]",']) {
			const text = bracket.repeat(2 ** 24);
			expect(() => parseJsonText(text)).toThrow('more than 1048576 levels of nesting');
		}
	});

	test('parses what JSON.parse does, brackets in strings among it', () => {
		const value = {a: ['['.repeat(2 ** 21), '\\"[', '\\'], '{': [{}, [[]]]};
		expect(parseJsonText(JSON.stringify(value))).toEqual(value);
		expect(() => parseJsonText('[1')).toThrow(SyntaxError);
	});
});
