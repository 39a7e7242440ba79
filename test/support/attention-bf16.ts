// Attention in 16-bit brain floats: operands of a shape, and both directions on a device.

import {test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {asBf16, blank, matrixOf, normals, offsetsOf, randomMatrix, sum, zeros} from './matrix.js';
import {type AttentionCase, attentionBackward, attentionForward} from './oracle-attention.js';
import {runOp} from './run-op.js';
import {bf16Unit, expectClose} from './tolerance.js';

export type Shape = {
	lengths: number[];
	heads: readonly [queries: number, keys: number];
	width: number;
	rate: number;
	sees: {causal?: boolean; window?: number};
	adds: readonly ('slopes' | 'bias')[];
};

export function operands({
	lengths,
	heads: [heads, keyHeads],
	width,
	...shape
}: Shape): AttentionCase {
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

/** A shape's operands under a name that tells it. */
export const caseOf = (shape: Shape) => ({
	title:
		`${shape.heads.join(' on ')} heads of ${shape.width} over texts of ${shape.lengths}, ` +
		`seeing ${JSON.stringify(shape.sees)}, adding [${shape.adds}], dropping ${shape.rate}`,
	given: operands(shape),
});

/** What an op overwrites. */
const empty = (rows: number, columns: number) => asBf16(blank(rows, columns));

export function forward(device: NativeDevice, given: AttentionCase) {
	const {rows} = given.qkv;
	const outputs = {o: empty(rows, given.heads * given.width!), lse: blank(rows, given.heads)};
	return runOp(device, 'attentionForward', given, outputs);
}

/** From what the device's own forward left. */
export async function backward(device: NativeDevice, given: AttentionCase) {
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

/** Tests that both directions are those of the oracle. */
export function meetsOracle(device: NativeDevice, cases: readonly ReturnType<typeof caseOf>[]) {
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
}
