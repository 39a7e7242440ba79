// Exact search, held to sorting all scores.

import {describe, expect, test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {onEveryCard, onEveryDevice, sameBitsOnCards} from '../support/cards.js';
import {onEveryPath, sameBitsEverywhere} from '../support/kernel-paths.js';
import {grid, matrixOf, normals, randomMatrix, rowsOf, zeros} from '../support/matrix.js';
import {dotOfRows} from '../support/oracle.js';
import {newDevice} from '../support/run-op.js';
import {cut, eighths, expectSame, search, sorted, whole} from '../support/searches.js';
import {expectClose} from '../support/tolerance.js';

type Sizes = {corpus: number[]; width: number[]; count: number[]; k: number[]};

const finding = (of: Sizes) => (device: NativeDevice) => {
	const {corpus: corpora, width: widths, ...asked} = of;
	test.each(grid({corpus: corpora, width: widths}))(
		'finds the best of $corpus rows, $width wide',
		async ({corpus, width}) => {
			const rows = eighths(corpus, width, 1);
			for (const {count, k} of grid(asked)) {
				const queries = eighths(count, width, 2);
				expectSame(await search(device, queries, whole(rows), k), sorted(queries, rows, k));
			}
		},
	);
};

onEveryPath(
	'search',
	finding({
		corpus: [1, 17, 64, 97, 1000],
		width: [1, 7, 26],
		count: [1, 6, 7, 33],
		k: [1, 3, 10, 100],
	}),
);
onEveryCard('search', finding({corpus: [1, 97, 400], width: [1, 26], count: [1, 67], k: [1, 150]}));

// A block has several tiles of 64 rows, and all of each beat those before.
onEveryCard('search', device => {
	test('takes in more hits than may wait', async () => {
		const [query, rows] = [matrixOf(1, 2, () => 1), matrixOf(3100, 2, at => at)];
		expectSame(await search(device, query, whole(rows), 70), sorted(query, rows, 70));
	});
});

const many = [
	{count: 300, k: 10},
	{count: 600, k: 3},
	{count: 230, k: 5000},
];
const fewer = [{count: 200, k: 3}];

const asking = (of: typeof many) => (device: NativeDevice) => {
	test.each(of)('finds the $k best for $count queries', async ({count, k}) => {
		const [queries, rows] = [eighths(count, 7, 3), eighths(97, 7, 4)];
		expectSame(await search(device, queries, whole(rows), k), sorted(queries, rows, k));
	});
};

onEveryPath('search', asking(many));
onEveryCard('search', asking([...fewer, {count: 3, k: 5000}]));

onEveryDevice('search', device => {
	test('gives equal scores in the order of their ids, whatever the order of the slices', async () => {
		const [queries, few] = [eighths(7, 26, 5), eighths(9, 26, 6)];
		const rows = matrixOf(900, 26, at => few.values[at % few.values.length]!);
		const expected = sorted(queries, rows, 150);
		for (const seed of [1, 2]) {
			expectSame(await search(device, queries, cut(rows, seed), 150), expected);
		}
	});

	test.each([1, 26, 384])('has scores as close as float32 allows, %i wide', async width => {
		const random = normals(width);
		const [queries, rows] = [randomMatrix(9, width, random), randomMatrix(700, width, random)];
		const {scores, ids} = await search(device, queries, whole(rows), 20);
		expectClose(scores, round => sorted(queries, rows, 20, round).scores);
		expectClose(scores, round =>
			matrixOf(9, 20, at => dotOfRows(queries, Math.floor(at / 20), rows, ids.values[at]!, round)),
		);
	});

	test('never takes a score that is NaN or minus infinity', async () => {
		const rows = matrixOf(4, 2, at => [1, 1, Number.NaN, 1, -Infinity, 1, Infinity, 1][at]!);
		const queries = matrixOf(2, 2, at => [1, 1, 1, Number.NaN][at]!);
		const {scores, ids} = await search(device, queries, whole(rows), 3);
		const none = -Infinity;
		expect([...ids.values]).toEqual([3, 0, -1, -1, -1, -1]);
		expect([...scores.values]).toEqual([Infinity, 2, none, none, none, none]);
	});

	test('leaves the result as it is for an empty slice or no queries', async () => {
		const [queries, rows] = [eighths(3, 7, 9), eighths(20, 7, 10)];
		const expected = await search(device, queries, whole(rows), 5);
		const slices = [{rows: zeros(0, 7), base: 0}, ...whole(rows), {rows: zeros(0, 7), base: 20}];
		expectSame(await search(device, queries, slices, 5), expected);
		expect((await search(device, zeros(0, 7), whole(rows), 5)).ids.values).toEqual(
			new Float64Array(0),
		);
	});

	test('numbers rows up to the largest id', async () => {
		const base = 2 ** 31 - 3;
		const rows = eighths(3, 7, 11);
		const {ids} = await search(device, rowsOf(rows, 0, 1), [{rows, base}], 3);
		expect([...ids.values].sort()).toEqual([base, base + 1, base + 2]);
	});
});

type Pairs = {count: number; corpus: number; width: number; alone: number[]};

const pairing = (of: Pairs) => (device: NativeDevice) => {
	test('gives a pair the same bits among any queries and in any slice', async () => {
		const random = normals(7);
		const queries = randomMatrix(of.count, of.width, random);
		const rows = randomMatrix(of.corpus, of.width, random);
		const all = await search(device, queries, whole(rows), 20);
		expectSame(await search(device, queries, cut(rows, 4), 20), all);
		for (const query of of.alone) {
			const alone = await search(device, rowsOf(queries, query, query + 1), cut(rows, query), 20);
			expectSame(alone, {
				scores: rowsOf(all.scores, query, query + 1),
				ids: rowsOf(all.ids, query, query + 1),
			});
		}
	});
};

onEveryPath('search', pairing({count: 300, corpus: 700, width: 384, alone: [0, 1, 255, 256, 299]}));
onEveryCard('search', pairing({count: 70, corpus: 300, width: 33, alone: [0, 64, 69]}));

sameBitsEverywhere('search', async device => {
	const random = normals(8);
	const [queries, rows] = [randomMatrix(33, 384, random), randomMatrix(3000, 384, random)];
	const {scores, ids} = await search(device, queries, cut(rows, 5), 100);
	return [scores, ids];
});
sameBitsOnCards('search', async device => {
	const {scores, ids} = await search(device, eighths(67, 26, 8), cut(eighths(400, 26, 9), 5), 33);
	return [scores, ids];
});

describe('search', () => {
	const device = newDevice(2);

	const wrong = [
		['a corpus of another width', 8, 0, 'corpus of 7 columns, got 8'],
		['ids beyond 31 bits', 7, 2 ** 31 - 19, 'ids from 0 to 2147483647'],
		['ids below zero', 7, -1, 'ids from 0 to 2147483647'],
	] as const;

	test.each(wrong)('refuses %s', async (_, width, base, sentence) => {
		const slices = [{rows: eighths(20, width, 12), base}];
		await expect(search(device, eighths(3, 7, 13), slices, 5)).rejects.toThrow(sentence);
	});
});
