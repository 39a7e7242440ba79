// Attention within each text, forward and backward, with and without dropout of its weights.

import {expect, test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {onEveryPath, sameBitsEverywhere} from '../support/kernel-paths.js';
import {
	blank,
	grid,
	largest,
	lazy,
	matrixOf,
	normals,
	offsetsOf,
	randomMatrix,
	rowsOf,
	sum,
} from '../support/matrix.js';
import {
	type AttentionCase,
	attentionBackward,
	attentionForward,
} from '../support/oracle-attention.js';
import {runOp} from '../support/run-op.js';
import {expectClose, expectSameBits, once} from '../support/tolerance.js';

type Shape = {lengths: number[]; heads: number; width: number; rate: number};

const small = grid<Shape>({
	lengths: [[1], [3, 0, 5], [17, 48, 49]],
	heads: [1, 2, 3],
	width: [13, 26, 32],
	rate: [0, 0.3],
});
const long = grid<Shape>({lengths: [[129, 64, 1]], heads: [2], width: [26], rate: [0, 0.3]});
const longest = grid<Shape>({lengths: [[600]], heads: [1], width: [13], rate: [0.1]});

function operands({lengths, heads, width, rate}: Shape): AttentionCase {
	const random = normals(sum(lengths) + 1000 * heads + width);
	return {
		...{heads, keyHeads: heads, width, rate},
		...{scale: Math.fround(1 / Math.sqrt(width)), seed: 42, step: 7, site: 4112},
		qkv: randomMatrix(sum(lengths), 3 * heads * width, random),
		offsets: offsetsOf(lengths),
		texts: Int32Array.from(lengths, (_, text) => 5 * text + 2),
	};
}

/** What backward reads, as a forward pass in float32 would have left it. */
function withGradient(given: AttentionCase) {
	const {o, lse} = attentionForward(given);
	const inSingle = (x: typeof o) =>
		matrixOf(x.rows, x.columns, index => Math.fround(x.values[index]!));
	const dout = randomMatrix(o.rows, o.columns, normals(o.rows));
	return {...given, o: inSingle(o), lse: inSingle(lse), dout};
}

/**
The gradient of a score is a weight, about one over the tokens of the text, times a difference whose
terms are as large as dout and v; as many of them add up as there are tokens.
*/
function sizeOfTerms({lengths}: Shape, {dout, qkv}: ReturnType<typeof withGradient>): number {
	return (largest(dout) * largest(qkv) ** 2) / Math.sqrt(Math.max(...lengths));
}

function forward(device: NativeDevice, given: AttentionCase) {
	const {rows, columns} = given.qkv;
	const outputs = {o: blank(rows, columns / 3), lse: blank(rows, given.heads)};
	return runOp(device, 'attentionForward', given, outputs);
}

async function backward(device: NativeDevice, given: ReturnType<typeof withGradient>) {
	const dqkv = blank(given.qkv.rows, given.qkv.columns);
	return (await runOp(device, 'attentionBackward', given, {dqkv})).dqkv;
}

const cases = [...small, ...long, ...longest].map(shape => {
	const given = operands(shape);
	const gradient = lazy(() => withGradient(given));
	return {
		...shape,
		given,
		gradient,
		o: once(round => attentionForward(given, round).o),
		lse: once(round => attentionForward(given, round).lse),
		dqkv: once(round => attentionBackward(gradient(), round)),
	};
});

onEveryPath('attention', device => {
	test.each(cases)(
		'$heads heads of $width over texts of $lengths, dropping $rate',
		async ({given, ...expected}) => {
			const {o, lse} = await forward(device, given);
			expectClose(o, expected.o);
			expectClose(lse, expected.lse);
		},
	);

	test.each(cases)(
		'back through $heads heads of $width over texts of $lengths, dropping $rate',
		async ({gradient, dqkv, ...shape}) => {
			const scale = sizeOfTerms(shape, gradient());
			expectClose(await backward(device, gradient()), dqkv, {scale});
		},
	);

	const given = operands({lengths: [17, 48, 49], heads: 2, width: 26, rate: 0.3});

	test('gives the same rows when nobody asks for the log of the sums', async () => {
		const o = blank(given.qkv.rows, given.qkv.columns / 3);
		const alone = await runOp(device, 'attentionForward', given, {o});
		expectSameBits(alone.o, (await forward(device, given)).o);
	});

	test('gives a text the bits that it has among others', async () => {
		const whole = await forward(device, given);
		const dqkv = await backward(device, withGradient(given));
		for (const text of [0, 1, 2]) {
			const [begin, end] = [given.offsets[text]!, given.offsets[text + 1]!];
			const one = {
				qkv: rowsOf(given.qkv, begin, end),
				offsets: Int32Array.of(0, end - begin),
				texts: given.texts.slice(text, text + 1),
			};
			const alone = await forward(device, {...given, ...one});
			expectSameBits(alone.o, rowsOf(whole.o, begin, end));
			const {o, lse, dout} = withGradient(given);
			const part = {o, lse, dout};
			const rows = Object.entries(part).map(([name, x]) => [name, rowsOf(x, begin, end)]);
			const back = {...given, ...one, ...(Object.fromEntries(rows) as typeof part)};
			expectSameBits(await backward(device, back), rowsOf(dqkv, begin, end));
		}
	});

	test('stands scores that are far apart', async () => {
		const qkv = matrixOf(given.qkv.rows, given.qkv.columns, at => 30 * given.qkv.values[at]!);
		const {o} = await forward(device, {...given, qkv});
		expectClose(o, round => attentionForward({...given, qkv}, round).o);
	});

	test('spreads a score that is no number over its row', async () => {
		const qkv = matrixOf(given.qkv.rows, given.qkv.columns, at => (at === 3 ? Number.NaN : 1));
		const {o} = await forward(device, {...given, qkv, rate: 0});
		expect([...o.values.subarray(0, 26)].every(Number.isNaN)).toBe(true);
		expect(Number.isFinite(o.values.at(-1))).toBe(true);
	});
});

sameBitsEverywhere('attention', async device => {
	const given = operands({lengths: [129, 64, 1], heads: 3, width: 26, rate: 0.3});
	const {o, lse} = await forward(device, given);
	return [o, lse, await backward(device, withGradient(given))];
});
