import {expect, test} from 'vitest';
import {displayWidth, formatTable} from '../../dist/files/table.js';

test('names stand left and numbers right, two spaces apart', () => {
	const table = formatTable([
		['set', 'nDCG@10', 'MRR'],
		['scifact', '0.6451', '0.6047'],
	]);
	expect(table).toBe('set      nDCG@10     MRR\nscifact   0.6451  0.6047');
});

test('columns can be aligned by hand', () => {
	const rows = [
		['a', 'bb', 'c'],
		['aaa', 'b', 'ccc'],
	];
	expect(formatTable(rows, {align: ['right', 'left']})).toBe('  a  bb    c\naaa  b   ccc');
});

test('no line ends in spaces, and rows may be short', () => {
	expect(formatTable([['a'], [], ['bbb', '1'], ['c', '']])).toBe('a\n\nbbb  1\nc');
});

test('columns stay in line below wide and combining characters', () => {
	const lines = formatTable([
		['中文', '1'],
		['e\u0301te', '2'],
		['🚲', '3'],
	]).split('\n');
	expect(new Set(lines.map(displayWidth))).toEqual(new Set([7]));
});

test('nothing is an empty text', () => {
	expect(formatTable([])).toBe('');
});
