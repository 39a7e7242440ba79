// The lists of planted faults belong to the kernels as they are; `npm run faults` plants them.

import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {faultLists, planted} from '../../scripts/faults/lists.mjs';
import {choiceOf, switched} from '../../scripts/faults/switches.mjs';
import {kindOf} from '../../scripts/faults/verdict.mjs';

const root = join(import.meta.dirname, '../..');
const textOf = (file: string): string => readFileSync(join(root, file), 'utf8');
const lists = faultLists();

test.each(lists)('the faults of $name can be planted', ({source, faults}) => {
	const text = textOf(source);
	const impossible = faults.filter(fault => {
		const faulty = planted(text, fault);
		return faulty === undefined || faulty === text;
	});
	expect(impossible).toEqual([]);
	expect(faults).not.toEqual([]);
});

test.each(lists)('the tests of $name exist', ({faults}) => {
	const files = faults.flatMap(({tests}) => tests);
	expect(files.filter(file => !existsSync(join(root, file)))).toEqual([]);
	expect(faults.every(({tests}) => tests.length > 0)).toBe(true);
});

test('every file with a kernel has planted faults', () => {
	const names = readdirSync(join(root, 'native/cuda'));
	const sources = names.filter(name => textOf(`native/cuda/${name}`).includes('\n__global__ '));
	const listed = new Set(lists.map(({name}) => name));
	expect(sources.filter(name => !listed.has(name))).toEqual([]);
});

test('what stands in a source twice, or not at all, is not planted', () => {
	expect(planted('a b a', {from: 'b', to: 'c'})).toBe('a c a');
	expect(planted('a b a', {from: 'a', to: 'c'})).toBeUndefined();
	expect(planted('a b a', {from: 'd', to: 'c'})).toBeUndefined();
	expect(planted('a b a', {from: '', to: 'c'})).toBeUndefined();
});

const source = `
  const int last = count(x[i], y) - 1;
  if (last < 0) return;
  for (int j = 0; j <= last; ++j) sum += row[j];
  __syncthreads();  // written -> read
  launch({blocks, 4});
`;

test.each([
	['  __syncthreads();  // written -> read', '', '{ if (planted_fault(7)) {'],
	['  if (last < 0) return;', '', '} else {  if (last < 0) return;'],
	['j <= last;', 'j < last;', '(planted_fault(7) ? (j < last) : (j <= last));'],
	['x[i], y)', 'x[i + 1], y)', 'count(x[ (planted_fault(7) ? (i + 1) : (i))], y)'],
	['y) - 1;', 'y);', '(planted_fault(7) ? (count(x[i], y)) : (count(x[i], y) - 1));'],
	['blocks, 4', 'blocks, 8', '(planted_fault(7) ? (8) : (4))'],
])('%j in the place of which stands %j becomes a choice', (from, to, expected) => {
	const fault = {from, to, number: 7};
	expect(switched(source, [fault]).text).toContain(expected);
});

test('faults that overlap are not chosen between in one build', () => {
	const faults = ['j < last', 'j <= last + 1'].map((to, number) => ({
		from: 'j <= last',
		to,
		number,
	}));
	expect(switched(source, faults).chosen).toEqual([faults[0]]);
});

test('a fault that is neither a statement nor an expression is no choice', () => {
	const fault = {from: 'if (last < 0) return;\n  for (', to: 'for (', number: 7};
	expect(choiceOf(source, fault)).toBeUndefined();
});

test.each([
	['AssertionError: expected 2 to be 3', 'wrong values'],
	['EngineError: card: race, write after read: byte 0 of shared memory', 'race'],
	['EngineError: card: deadlock:\n  1 threads wait at mbarrier_wait', 'deadlock'],
	['EngineError: card: read of unwritten bytes: byte 4', 'unwritten bytes'],
	['EngineError: card: write of 4 bytes outside any allocation', 'outside memory'],
])('the text %j is of the kind %s', (text, kind) => {
	expect(kindOf(text)).toBe(kind);
});
