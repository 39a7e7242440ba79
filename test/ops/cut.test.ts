// Gradients of parameters that are summed over rows: texts given in several calls leave the same bits as
// texts given in one, wherever they are cut.

import {expect, test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {onEveryDevice} from '../support/cards.js';
import {type Matrix, normals, offsetsOf, randomMatrix, rowsOf, sum} from '../support/matrix.js';
import {normBackwardWeight} from '../support/oracle.js';
import {type Operand, runOp} from '../support/run-op.js';
import {expectClose, expectSameBits} from '../support/tolerance.js';

/** Longer than a piece, as long, shorter, empty. */
const lengths = [0, 130, 1, 300, 128, 5];
const tokens = sum(lengths);
const random = normals(7);
const rows = (columns: number) => randomMatrix(tokens, columns, random);
const row = (columns: number) => randomMatrix(1, columns, random);
const positive = (height: number, columns: number) =>
	randomMatrix(height, columns, () => 0.5 + Math.abs(random()));

type Matrices = Readonly<Record<string, Matrix>>;
type Case = {
	op: string;
	others?: Readonly<Record<string, Operand>>;
	/** A row for each token, and for each text. */
	ofTokens: Matrices;
	ofTexts?: Matrices;
	/** Written, a row for each token. */
	written: Matrices;
	totals: Matrices;
};

const norm = {sum: rows(37), dy: rows(37), mean: rows(1), rstd: positive(tokens, 1)};
const layers = {kind: 'layer', weight: row(37)} as const;
const normTotals = {dweight: row(37), dbias: row(37)};
const cases: Case[] = [
	{
		...{op: 'normBackward', others: layers, ofTokens: norm},
		...{written: {dx: rows(37)}, totals: normTotals},
	},
	{
		op: 'headNormBackward',
		others: {kind: 'rms', heads: 3, first: 2, weight: row(5)},
		ofTokens: {x: rows(18), dy: rows(18), mean: rows(3), rstd: positive(tokens, 3)},
		...{written: {dx: rows(18)}, totals: {dweight: row(5), dbias: row(5)}},
	},
	{
		...{op: 'embedBackward', ofTokens: {dx: rows(33)}, written: {}},
		totals: {dtokens: randomMatrix(9, 33, random), dtypes: randomMatrix(2, 33, random)},
	},
	{
		...{op: 'layerMeanWeights', others: {weights: positive(1, 3)}, ofTokens: {dots: rows(3)}},
		...{written: {}, totals: {dweights: row(3)}},
	},
	{
		op: 'poolBackward',
		others: {kind: 'gem', power: positive(1, 1)},
		...{ofTokens: {x: positive(tokens, 7)}, ofTexts: {dy: randomMatrix(lengths.length, 7, random)}},
		...{written: {dx: rows(7)}, totals: {dpower: row(1)}},
	},
];

const sliced = (matrices: Matrices, begin: number, end: number): Matrices =>
	Object.fromEntries(
		Object.entries(matrices).map(([name, matrix]) => [name, rowsOf(matrix, begin, end)]),
	);

/** The totals after texts from one end to the next, call by call. */
async function inCalls(device: NativeDevice, given: Case, ends: readonly number[]) {
	const offsets = offsetsOf(lengths);
	const ids = Int32Array.from({length: tokens}, (_, token) => (7 * token) % 9);
	let totals = given.totals;
	for (const [call, end] of ends.entries()) {
		const begin = ends[call - 1] ?? 0;
		const [from, to] = [offsets[begin]!, offsets[end]!];
		const texts = offsets.slice(begin, end + 1).map(offset => offset - from);
		const found = await runOp(
			device,
			given.op,
			{
				...{...given.others, offsets: texts},
				...(given.op === 'embedBackward' && {ids: ids.slice(from, to)}),
				...{...sliced(given.ofTokens, from, to), ...sliced(given.ofTexts ?? {}, begin, end)},
			},
			{...sliced(given.written, from, to), ...totals},
		);
		totals = Object.fromEntries(Object.keys(totals).map(name => [name, found[name]!]));
	}
	return totals;
}

onEveryDevice('gradients of parameters', device => {
	test.each(cases)('by $op do not depend on where texts are cut', async given => {
		const whole = await inCalls(device, given, [6]);
		expect(whole).not.toEqual(given.totals);
		for (const ends of [
			[2, 3, 6],
			[1, 4, 5, 6],
		]) {
			const cut = await inCalls(device, given, ends);
			for (const [name, total] of Object.entries(whole)) expectSameBits(cut[name]!, total);
		}
	});

	test('by normBackward are the sums over all texts', async () => {
		const {dweight} = await inCalls(device, cases[0]!, [6]);
		const gradient = {...layers, ...norm};
		expectClose(dweight!, round => normBackwardWeight(gradient, normTotals.dweight, round));
	});
});
