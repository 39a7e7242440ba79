// What the tests of exact search share: the op slice by slice, its meaning, and operands for it.

import type {NativeDevice} from '../../dist/native.js';
import {type Matrix, matrixOf, rowsOf, uniforms} from './matrix.js';
import {dotOfRows} from './oracle.js';
import {readMatrix, tensorOf} from './run-op.js';
import {exact, expectSameBits, type Round} from './tolerance.js';

export type Best = {scores: Matrix; ids: Matrix};

/** A slice of the corpus and the id of its first row. */
export type Slice = {rows: Matrix; base: number};

/** The k best of all slices, which are given to the op one after another. */
export async function search(
	device: NativeDevice,
	queries: Matrix,
	slices: readonly Slice[],
	k: number,
): Promise<Best> {
	const nothing = matrixOf(queries.rows, k, () => -Infinity);
	const scores = tensorOf(device, nothing);
	const ids = device.tensor(queries.rows, k, 'i32');
	device.write(ids, new Int32Array(queries.rows * k).fill(-1));
	const given = tensorOf(device, queries);
	for (const {rows, base} of slices) {
		device.run('topK', {queries: given, corpus: tensorOf(device, rows), base, scores, ids});
	}
	const found = new Int32Array(queries.rows * k);
	await device.read(ids, found);
	return {
		scores: await readMatrix(device, scores),
		ids: {rows: queries.rows, columns: k, values: Float64Array.from(found)},
	};
}

export const whole = (rows: Matrix): Slice[] => [{rows, base: 0}];

/** All scores of each query, sorted: higher scores first, of equal ones the lower id. */
export function sorted(queries: Matrix, corpus: Matrix, k: number, round: Round = exact): Best {
	const best = {
		scores: matrixOf(queries.rows, k, () => -Infinity),
		ids: matrixOf(queries.rows, k, () => -1),
	};
	for (let query = 0; query < queries.rows; query += 1) {
		const all = Array.from({length: corpus.rows}, (_, id) => ({
			id,
			score: dotOfRows(queries, query, corpus, id, round),
		})).filter(({score}) => score > -Infinity);
		all.sort((a, b) => b.score - a.score || a.id - b.id);
		for (const [place, {id, score}] of all.slice(0, k).entries()) {
			best.scores.values[query * k + place] = score;
			best.ids.values[query * k + place] = id;
		}
	}
	return best;
}

export function expectSame(actual: Best, expected: Best): void {
	expectSameBits(actual.ids, expected.ids);
	expectSameBits(actual.scores, expected.scores);
}

/** Vectors of eighths: every sum is exact in float32, and many scores are equal. */
export function eighths(rows: number, columns: number, seed: number): Matrix {
	const random = uniforms(seed);
	return matrixOf(rows, columns, () => Math.floor(random() * 33 - 16) / 8);
}

/** The corpus cut at random places, the slices in random order. */
export function cut(corpus: Matrix, seed: number): Slice[] {
	const random = uniforms(seed);
	const inside = Array.from({length: 6}, () => Math.floor(random() * corpus.rows));
	const cuts = [0, ...inside.sort((a, b) => a - b), corpus.rows];
	return cuts
		.slice(1)
		.map((end, i) => ({rows: rowsOf(corpus, cuts[i]!, end), base: cuts[i]!}))
		.map(slice => ({slice, place: random()}))
		.sort((a, b) => a.place - b.place)
		.map(({slice}) => slice);
}
