// Exact search in 16 bits, which only cards have: the tensor cores of Ampere and of Hopper.

import {describe, expect, test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {onEveryCard, sameBitsOnCards, useCapability} from '../support/cards.js';
import {
	asBf16,
	grid,
	type Matrix,
	matrixOf,
	normals,
	randomMatrix,
	rowsOf,
	zeros,
} from '../support/matrix.js';
import {dotOfRows} from '../support/oracle.js';
import {newDevice} from '../support/run-op.js';
import {cut, eighths, expectSame, search, sorted, whole} from '../support/searches.js';
import {expectClose} from '../support/tolerance.js';

const short = (rows: number, width: number, seed: number) => asBf16(eighths(rows, width, seed));

/** One query, and rows that score so many; 256 a + b is exact, and so are a and b in 16 bits. */
function scoring(scores: readonly number[]): {query: Matrix; rows: Matrix} {
	const width = 8;
	const query = asBf16(matrixOf(1, width, at => [256, 1][at] ?? 0));
	const parts = scores.map(score => [Math.trunc(score / 256), score % 256]);
	const rows = matrixOf(
		scores.length,
		width,
		at => parts[Math.floor(at / width)]![at % width] ?? 0,
	);
	return {query, rows: asBf16(rows)};
}

const searches = (widths: readonly number[]) => (device: NativeDevice) => {
	test.each(grid({corpus: [1, 97, 550], width: widths}))(
		'finds the best of $corpus rows, $width wide',
		async ({corpus, width}) => {
			const rows = short(corpus, width, 1);
			for (const [count, k] of [
				[1, 150],
				[70, 1],
				[200, 3],
			] as const) {
				const queries = short(count, width, 2);
				expectSame(await search(device, queries, whole(rows), k), sorted(queries, rows, k));
			}
		},
	);

	// Tiles of a block are 384 rows apart: of every other one half, or all, pass what came before.
	test.each([1, 70])('takes in more hits than may wait, %i best', async k => {
		const rising = Array.from({length: 2900}, (_, id) => id);
		const halved = rising.map(id => ((id + 640) % 768 < 384 && id % 128 < 64 ? -1 : id));
		for (const scores of [rising, halved]) {
			const {query, rows} = scoring(scores);
			expectSame(await search(device, query, whole(rows), k), sorted(query, rows, k));
		}
	});

	test('gives equal scores in the order of their ids, whatever the order of the slices', async () => {
		const [queries, few] = [short(7, 24, 5), eighths(9, 24, 6)];
		const rows = asBf16(matrixOf(900, 24, at => few.values[at % few.values.length]!));
		const expected = sorted(queries, rows, 150);
		for (const seed of [1, 2]) {
			expectSame(await search(device, queries, cut(rows, seed), 150), expected);
		}
	});

	test.each([1, 26, 264])('has scores as close as float32 allows, %i wide', async width => {
		const random = normals(width);
		const [queries, rows] = [randomMatrix(9, width, random), randomMatrix(300, width, random)].map(
			asBf16,
		) as [Matrix, Matrix];
		const {scores, ids} = await search(device, queries, whole(rows), 20);
		expectClose(scores, round => sorted(queries, rows, 20, round).scores);
		expectClose(scores, round =>
			matrixOf(9, 20, at => dotOfRows(queries, Math.floor(at / 20), rows, ids.values[at]!, round)),
		);
	});

	test('never takes a score that is NaN or minus infinity', async () => {
		const width = 8;
		const firsts = [1, Number.NaN, -Infinity, Infinity];
		const rows = matrixOf(4, width, at => (at % width === 0 ? firsts[at / width]! : 1));
		const queries = matrixOf(2, width, at => (at === width ? Number.NaN : 1));
		const {scores, ids} = await search(device, asBf16(queries), whole(asBf16(rows)), 3);
		const none = -Infinity;
		expect([...ids.values]).toEqual([3, 0, -1, -1, -1, -1]);
		expect([...scores.values]).toEqual([Infinity, 8, none, none, none, none]);
	});

	test('leaves the result as it is for an empty slice or no queries', async () => {
		const [queries, rows] = [short(3, 8, 9), short(20, 8, 10)];
		const nothing = asBf16(zeros(0, 8));
		const expected = await search(device, queries, whole(rows), 5);
		const slices = [{rows: nothing, base: 0}, ...whole(rows), {rows: nothing, base: 20}];
		expectSame(await search(device, queries, slices, 5), expected);
		expect((await search(device, nothing, whole(rows), 5)).ids.values).toEqual(new Float64Array(0));
	});

	test('numbers rows up to the largest id', async () => {
		const base = 2 ** 31 - 300;
		const rows = short(300, 8, 11);
		const {ids} = await search(device, short(1, 8, 12), [{rows, base}], 300);
		expect([...ids.values].sort()).toEqual(Array.from({length: 300}, (_, id) => base + id));
	});

	test.each(widths.slice(1, 2))('gives a pair the same bits among any, %i wide', async width => {
		const random = normals(7);
		const queries = asBf16(randomMatrix(140, width, random));
		const rows = asBf16(randomMatrix(450, width, random));
		const all = await search(device, queries, whole(rows), 20);
		expectSame(await search(device, queries, cut(rows, 4), 20), all);
		for (const [first, end] of [
			[0, 1],
			[65, 135],
		] as const) {
			const some = await search(device, rowsOf(queries, first, end), cut(rows, first), 20);
			expectSame(some, {scores: rowsOf(all.scores, first, end), ids: rowsOf(all.ids, first, end)});
		}
	});

	test('is of one type', async () => {
		const given = search(device, short(3, 8, 13), whole(eighths(20, 8, 14)), 5);
		await expect(given).rejects.toThrow('topK: expected corpus of type bf16, got f32');
	});
};

// Hopper's own kernel takes rows of whole pieces of 16 bytes.
describe.each([
	{capability: '80', widths: [1, 26, 72]},
	{capability: '90', widths: [8, 72]},
])('with what a card of capability $capability has,', ({capability, widths}) => {
	useCapability(capability);
	onEveryCard('a search in 16 bits', searches(widths));

	sameBitsOnCards('a search in 16 bits', async device => {
		const {scores, ids} = await search(device, short(70, 24, 8), cut(short(300, 24, 9), 5), 33);
		return [scores, ids];
	});
});

test('a search in 16 bits is refused by the CPU', async () => {
	const given = search(newDevice(), short(3, 8, 15), whole(short(20, 8, 16)), 5);
	await expect(given).rejects.toThrow('topK: expected queries of type f32, got bf16');
});
