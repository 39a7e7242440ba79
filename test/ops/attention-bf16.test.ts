// Attention in 16-bit brain floats, which only cards have: matrix cores for the usual widths of heads.

import {expect, test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {onEveryCard, sameBitsOnCards} from '../support/cards.js';
import {
	asBf16,
	blank,
	grid,
	matrixOf,
	normals,
	offsetsOf,
	randomMatrix,
	rowsOf,
	sum,
	zeros,
} from '../support/matrix.js';
import {
	type AttentionCase,
	attentionBackward,
	attentionForward,
} from '../support/oracle-attention.js';
import {newDevice, runOp} from '../support/run-op.js';
import {bf16Unit, expectClose, expectSameBits} from '../support/tolerance.js';

type Shape = {
	lengths: number[];
	heads: readonly [queries: number, keys: number];
	width: number;
	rate: number;
	sees: {causal?: boolean; window?: number};
	adds: readonly ('slopes' | 'bias')[];
};

// A tile has 64 tokens; of the tokens met, of heads wider than 64, it has 32.
const widths = grid<Shape>({
	lengths: [[1, 0, 66]],
	heads: [[2, 1]],
	width: [32, 64, 80, 96, 128, 40],
	rate: [0.2],
	sees: [{}],
	adds: [['bias']],
});
const rules = grid<Shape>({
	lengths: [[70, 5]],
	heads: [[1, 1]],
	width: [32],
	rate: [0],
	sees: [{causal: true}, {window: 5}, {causal: true, window: 16}],
	adds: [[], ['slopes', 'bias']],
});
const long: Shape = {
	...{lengths: [140], heads: [1, 1], width: 32, rate: 0},
	...{sees: {window: 20}, adds: []},
};

function operands({lengths, heads: [heads, keyHeads], width, ...shape}: Shape): AttentionCase {
	const random = normals(sum(lengths) + width);
	const slopes = matrixOf(1, heads, head => 2 ** -(head + 2));
	const bias = randomMatrix(12, heads, random);
	return {
		...{...shape.sees, heads, keyHeads, width, rate: shape.rate, furthest: 30},
		...{scale: Math.fround(1 / Math.sqrt(width)), seed: 42, step: 7, site: 4112},
		qkv: asBf16(randomMatrix(sum(lengths), (heads + 2 * keyHeads) * width, random)),
		offsets: offsetsOf(lengths),
		texts: Int32Array.from(lengths, (_, text) => 5 * text + 2),
		slopes: shape.adds.includes('slopes') ? slopes : undefined,
		bias: shape.adds.includes('bias') ? bias : undefined,
	};
}

const cases = [...widths, ...rules, long].map(shape => ({
	title:
		`${shape.heads.join(' on ')} heads of ${shape.width} over texts of ${shape.lengths}, ` +
		`seeing ${JSON.stringify(shape.sees)}, adding [${shape.adds}], dropping ${shape.rate}`,
	given: operands(shape),
}));

/** What an op overwrites. */
const empty = (rows: number, columns: number) => asBf16(blank(rows, columns));

function forward(device: NativeDevice, given: AttentionCase) {
	const {rows} = given.qkv;
	const outputs = {o: empty(rows, given.heads * given.width!), lse: blank(rows, given.heads)};
	return runOp(device, 'attentionForward', given, outputs);
}

/** From what the device's own forward left. */
async function backward(device: NativeDevice, given: AttentionCase) {
	const {o, lse} = await forward(device, given);
	const dout = asBf16(randomMatrix(o.rows, o.columns, normals(o.rows)));
	const gradient = {...given, o, lse, dout};
	const dqkv = empty(given.qkv.rows, given.qkv.columns);
	const dbias = zeros(given.bias?.rows ?? 0, given.heads);
	const outputs = given.bias ? {dqkv, dbias} : {dqkv};
	const found = await runOp(
		device,
		'attentionBackward',
		gradient,
		outputs as {dqkv: typeof dqkv; dbias: typeof dbias},
	);
	return {...found, gradient};
}

onEveryCard('attention in bf16', device => {
	test.each(cases)('$title', async ({given}) => {
		const {o, lse} = await forward(device, given);
		expectClose(o, round => attentionForward(given, round).o, {unit: bf16Unit});
		expectClose(lse, round => attentionForward(given, round).lse);
	});

	test.each(cases)('back through $title', async ({given}) => {
		const {dqkv, dbias, gradient} = await backward(device, given);
		const closeness = {unit: 2 * bf16Unit}; // weights are rounded, then results
		expectClose(dqkv, round => attentionBackward(gradient, round).dqkv, closeness);
		if (dbias) expectClose(dbias, round => attentionBackward(gradient, round).dbias, closeness);
	});

	test('gives a text the bits that it has among others', async () => {
		const given = operands({...long, lengths: [3, 70, 1], rate: 0.2, adds: ['slopes']});
		const alone = {
			...given,
			qkv: rowsOf(given.qkv, 3, 73),
			offsets: offsetsOf([70]),
			texts: given.texts.slice(1, 2),
		};
		expectSameBits(
			(await forward(device, alone)).o,
			rowsOf((await forward(device, given)).o, 3, 73),
		);
	});

	test('spreads a score that is no number over its row', async () => {
		const given = operands({...long, lengths: [3, 40], sees: {}});
		const {rows, columns} = given.qkv;
		const qkv = asBf16(matrixOf(rows, columns, at => (at === 5 * columns + 3 ? Number.NaN : 1)));
		const {o} = await forward(device, {...given, qkv});
		expect([...rowsOf(o, 5, 6).values].every(Number.isNaN)).toBe(true);
		expect(o.values.filter(Number.isNaN).length).toBe(32);
	});
});

sameBitsOnCards('attention in bf16', async device => {
	const {dqkv, gradient} = await backward(
		device,
		operands({...long, lengths: [66, 3], heads: [2, 1], rate: 0.2}),
	);
	return [gradient.o, gradient.lse, dqkv];
});

test('attention in bf16 is refused by processors', async () => {
	await expect(forward(newDevice(), cases[0]!.given)).rejects.toThrow(
		'attentionForward: expected qkv of type f32, got bf16',
	);
});
