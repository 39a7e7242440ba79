import {expect, test} from 'vitest';
import {Column, HashTable} from '../../dist/data/columns.js';

test('A column gives back what was pushed, across its chunks', () => {
	const column = new Column(Float64Array);
	for (let n = 0; n < 200_000; n++) column.push(n * 2 ** 20);
	expect(column.length).toBe(200_000);
	for (const n of [0, 65_535, 65_536, 131_072, 199_999]) expect(column.at(n)).toBe(n * 2 ** 20);
});

test('A table agrees with a Map', () => {
	const table = new HashTable();
	const map = new Map<number, number>();
	for (let n = 0; n < 100_000; n++) {
		const key = ((n * 2_654_435_761) % 50_021) * 2 ** 21 + 1;
		table.set(key, n);
		map.set(key, n);
	}

	for (const [key, value] of map) expect(table.get(key)).toBe(value);
	expect(table.get(3)).toBeUndefined();
});

test('A table forgets only what is not needed', () => {
	const table = new HashTable(value => value >= 90_000);
	for (let n = 1; n <= 100_000; n++) table.set(n, n);
	for (let n = 90_000; n <= 100_000; n++) expect(table.get(n)).toBe(n);
});
