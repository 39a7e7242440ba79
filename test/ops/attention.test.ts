// Attention within each text, forward and backward: what queries see, what is added to scores, heads
// that share keys, dropout of weights, and texts that are long.

import {readFileSync} from 'node:fs';
import {describe, expect, test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {onEveryCard, sameBitsOnCards} from '../support/cards.js';
import {centralGradients, expectGradients} from '../support/differences.js';
import {onEveryPath, sameBitsEverywhere} from '../support/kernel-paths.js';
import {
	blank,
	grid,
	largest,
	lazy,
	type Matrix,
	matrixOf,
	normals,
	offsetsOf,
	randomMatrix,
	rowsOf,
	sum,
	zeros,
} from '../support/matrix.js';
import {mapped} from '../support/oracle.js';
import {
	type AttentionCase,
	attentionBackward,
	attentionForward,
	bucketOf,
} from '../support/oracle-attention.js';
import {keptColumns} from '../support/random-bits.js';
import {newDevice, runOp} from '../support/run-op.js';
import {expectClose, expectSameBits, type Round} from '../support/tolerance.js';

type Shape = {
	lengths: number[];
	heads: readonly [queries: number, keys: number];
	width: number;
	rate: number;
	sees: {causal?: boolean; window?: number};
	adds: readonly ('slopes' | 'bias')[];
};

const everything = {sees: [{}], adds: [[]]} as const;
const plain = grid<Shape>({
	...everything,
	lengths: [[1], [2, 0, 15], [17, 48, 49]],
	heads: [[2, 2]],
	width: [20, 24, 33, 80],
	rate: [0, 0.3],
});
const parts = grid<Shape>({
	lengths: [[17, 1, 70]],
	heads: [
		[2, 2],
		[4, 2],
		[3, 1],
	],
	width: [20],
	rate: [0.2],
	sees: [{}, {causal: true}, {window: 5}, {causal: true, window: 16}],
	adds: [[], ['slopes'], ['bias'], ['slopes', 'bias']],
});
const wide: Shape = {
	...{lengths: [300], heads: [2, 1], width: 24, rate: 0.1},
	sees: {},
	adds: ['bias'],
};
/** Beyond 512 tokens keys come in several steps. */
const long: Shape[] = [
	{...wide, sees: {window: 40}},
	{...wide, lengths: [513], heads: [1, 1], rate: 0},
	{...wide, lengths: [700], heads: [1, 1], width: 33, sees: {causal: true}},
	{
		...wide,
		lengths: [5, 700, 30],
		width: 20,
		sees: {causal: true, window: 100},
		adds: ['slopes', 'bias'],
	},
	{...wide, lengths: [1100], width: 20, sees: {window: 64}},
	{...wide, lengths: [1100], heads: [1, 1], width: 8, rate: 0, adds: []},
];

/** A tile of a card has 32 tokens, and columns of 32, 64 or 128. */
const tiles = grid<Shape>({
	...everything,
	lengths: [[1], [2, 0, 33]],
	heads: [[2, 1]],
	width: [20, 33, 80, 131],
	rate: [0.3],
});
const partsOfTiles = grid<Shape>({
	lengths: [[5, 1, 40]],
	heads: [
		[2, 2],
		[3, 1],
	],
	width: [8],
	rate: [0.2],
	sees: [{}, {causal: true}, {window: 5}, {causal: true, window: 16}],
	adds: [['slopes'], ['bias'], ['slopes', 'bias']],
});
const severalTiles: Shape[] = [
	{...wide, lengths: [100], width: 8, sees: {window: 20}},
	{...wide, lengths: [32, 64], width: 8, rate: 0, sees: {causal: true}},
	{...wide, lengths: [40, 3], heads: [4, 2], width: 12, rate: 0, adds: []},
];

function operands({lengths, heads: [heads, keyHeads], width, ...shape}: Shape): AttentionCase {
	const random = normals(sum(lengths) + 1000 * heads + width);
	const qkv = randomMatrix(sum(lengths), (heads + 2 * keyHeads) * width, random);
	const slopes = matrixOf(1, heads, head => 2 ** -(head + 2));
	const bias = randomMatrix(12, heads, random);
	return {
		...{...shape.sees, heads, keyHeads, width, rate: shape.rate, furthest: 30},
		...{scale: Math.fround(1 / Math.sqrt(width)), seed: 42, step: 7, site: 4112, qkv},
		offsets: offsetsOf(lengths),
		texts: Int32Array.from(lengths, (_, text) => 5 * text + 2),
		slopes: shape.adds.includes('slopes') ? slopes : undefined,
		bias: shape.adds.includes('bias') ? bias : undefined,
	};
}

const inSingle = (x: Matrix) => matrixOf(x.rows, x.columns, at => Math.fround(x.values[at]!));

/** What backward reads, as a forward pass in float32 would have left it. */
function withGradient(given: AttentionCase) {
	const {o, lse} = attentionForward(given);
	const dout = randomMatrix(o.rows, o.columns, normals(o.rows));
	return {...given, o: inSingle(o), lse: inSingle(lse), dout};
}

type WithGradient = ReturnType<typeof withGradient>;

/**
The gradient of a score is a weight, about one over the tokens that are seen, times a difference whose
terms are as large as dout and v; as many of them add up as there are tokens.
*/
function sizeOfTerms(given: WithGradient): number {
	const tokens = Math.max(
		...given.offsets.subarray(1).map((end, text) => end - given.offsets[text]!),
	);
	const seen = Math.min(tokens, given.window ? 2 * given.window + 1 : tokens);
	return (largest(given.dout) * largest(given.qkv) ** 2) / Math.sqrt(seen);
}

function forward(device: NativeDevice, given: AttentionCase) {
	const columns = given.heads * given.width!;
	const outputs = {o: blank(given.qkv.rows, columns), lse: blank(given.qkv.rows, given.heads)};
	return runOp(device, 'attentionForward', given, outputs);
}

/** dbias starts from `before`, zeros if not given. */
function backward(device: NativeDevice, given: WithGradient, before?: Matrix) {
	const dqkv = blank(given.qkv.rows, given.qkv.columns);
	const dbias = before ?? zeros(given.bias?.rows ?? 0, given.heads);
	const outputs = given.bias ? {dqkv, dbias} : {dqkv};
	return runOp(device, 'attentionBackward', given, outputs as {dqkv: Matrix; dbias: Matrix});
}

/** What an oracle gives, computed once for each rounding. */
function lazyByRounding<Value>(oracle: (round: Round) => Value): (round: Round) => Value {
	const found = new Map<Round, Value>();
	return round => {
		const value = found.get(round) ?? oracle(round);
		found.set(round, value);
		return value;
	};
}

/** The case of the texts [begin, end). */
function textsOf<Case extends AttentionCase>(given: Case, begin: number, end: number): Case {
	const [first, last] = [given.offsets[begin]!, given.offsets[end]!];
	const named = Object.entries(given).filter(([name]) =>
		['qkv', 'o', 'lse', 'dout'].includes(name),
	);
	return {
		...given,
		...Object.fromEntries(named.map(([name, x]) => [name, rowsOf(x as Matrix, first, last)])),
		offsets: given.offsets.slice(begin, end + 1).map(at => at - first),
		texts: given.texts.slice(begin, end),
	};
}

const caseOf = (shape: Shape) => {
	const given = operands(shape);
	const gradient = lazy(() => withGradient(given));
	const {lengths, heads, width, sees, adds, rate} = shape;
	return {
		title:
			`${heads.join(' on ')} heads of ${width} over texts of ${lengths}, ` +
			`seeing ${JSON.stringify(sees)}, adding [${adds}], dropping ${rate}`,
		given,
		gradient,
		ahead: lazyByRounding(round => attentionForward(given, round)),
		back: lazyByRounding(round => attentionBackward(gradient(), round)),
	};
};

/** All of them at once: the case that the invariances are tried on. */
const mixedOf = (lengths: number[], window: number) =>
	operands({
		...{lengths, heads: [4, 2], width: 8, rate: 0.3},
		...{sees: {window}, adds: ['slopes', 'bias']},
	});

type Subject = {cases: ReturnType<typeof caseOf>[]; mixed: AttentionCase; last: number};

const onProcessors: Subject = {
	cases: [...plain, ...parts, ...long].map(caseOf),
	mixed: mixedOf([17, 600, 0, 49, 530, 3], 200),
	last: 530,
};
const onCards: Subject = {
	cases: [...tiles, ...partsOfTiles, ...severalTiles].map(caseOf),
	mixed: mixedOf([17, 70, 0, 33, 40, 3], 30),
	last: 40,
};

/** What backward reads, from the engine's own forward. */
async function inEngine(device: NativeDevice, given: AttentionCase): Promise<WithGradient> {
	const {o, lse} = await forward(device, given);
	return {...given, o, lse, dout: randomMatrix(o.rows, o.columns, normals(o.rows))};
}

function attention(device: NativeDevice, {cases, mixed, last}: Subject): void {
	test.each(cases)('$title', async ({given, ahead}) => {
		const {o, lse} = await forward(device, given);
		expectClose(o, round => ahead(round).o);
		expectClose(lse, round => ahead(round).lse);
	});

	test.each(cases)('back through $title', async ({gradient, back}) => {
		const scale = sizeOfTerms(gradient());
		const {dqkv, dbias} = await backward(device, gradient());
		expectClose(dqkv, round => back(round).dqkv, {scale});
		expectClose(dbias ?? zeros(0, gradient().heads), round => back(round).dbias, {scale});
	});

	test('gives the same rows when nobody asks for the log of the sums', async () => {
		const o = blank(mixed.qkv.rows, mixed.heads * mixed.width!);
		const alone = await runOp(device, 'attentionForward', mixed, {o});
		expectSameBits(alone.o, (await forward(device, mixed)).o);
	});

	test('gives a text the bits that it has among others', async () => {
		const gradient = await inEngine(device, mixed);
		const {dqkv} = await backward(device, gradient);
		for (let text = 0; text < mixed.texts.length; text += 1) {
			const [begin, end] = [mixed.offsets[text]!, mixed.offsets[text + 1]!];
			const alone = textsOf(gradient, text, text + 1);
			expectSameBits((await forward(device, alone)).o, rowsOf(gradient.o, begin, end));
			expectSameBits((await backward(device, alone)).dqkv, rowsOf(dqkv, begin, end));
		}
	});

	test('goes on with the sums of the bias where an earlier call left them', async () => {
		const gradient = await inEngine(device, mixed);
		const before = randomMatrix(mixed.bias!.rows, mixed.heads, normals(3));
		const whole = await backward(device, gradient, before);
		const first = await backward(device, textsOf(gradient, 0, 2), before);
		const rest = await backward(device, textsOf(gradient, 2, 6), first.dbias);
		expectSameBits(rest.dbias, whole.dbias);
	});

	const given = operands({...wide, lengths: [17, 48, last], width: 8, heads: [1, 1], adds: []});

	test('stands scores that are far apart', async () => {
		const qkv = matrixOf(given.qkv.rows, given.qkv.columns, at => 30 * given.qkv.values[at]!);
		const {o} = await forward(device, {...given, qkv});
		expectClose(o, round => attentionForward({...given, qkv}, round).o);
	});

	test('spreads a score that is no number over its row', async () => {
		const {rows, columns} = given.qkv;
		const odd = [3, 70 * columns + 3];
		const qkv = matrixOf(rows, columns, at => (odd.includes(at) ? Number.NaN : 1));
		const {o} = await forward(device, {...given, qkv, rate: 0});
		expect([...o.values.subarray(0, given.width)].every(Number.isNaN)).toBe(true);
		expect([...rowsOf(o, 70, 71).values.subarray(0, given.width)].every(Number.isNaN)).toBe(true);
		expect(o.values.filter(Number.isNaN).length).toBe(2 * given.width!);
	});
}

onEveryPath('attention', device => attention(device, onProcessors));
onEveryCard('attention', device => attention(device, onCards));

const everyOutput = async (device: NativeDevice, given: AttentionCase) => {
	const gradient = await inEngine(device, given);
	const {dqkv, dbias} = await backward(device, gradient);
	return [gradient.o, gradient.lse, dqkv, dbias];
};

sameBitsEverywhere('attention', device => everyOutput(device, onProcessors.mixed));
sameBitsOnCards('attention', device => everyOutput(device, onCards.mixed));

describe('the oracle of attention', () => {
	const shapes = parts.filter(({heads}) => heads[1] < heads[0]);

	test.each(shapes)('has the gradient of $sees with $adds on $heads heads', shape => {
		const given = operands({...shape, lengths: [6, 2], width: 2});
		const dout = randomMatrix(given.qkv.rows, given.heads * 2, normals(5));
		const weighted = ([qkv, bias]: readonly Matrix[]) => {
			const {o} = attentionForward({...given, qkv: qkv!, bias: given.bias && bias});
			return sum([...o.values].map((value, at) => value * dout.values[at]!));
		};
		const {dqkv, dbias} = attentionBackward({...given, ...attentionForward(given), dout});
		const inputs = [given.qkv, given.bias ?? zeros(0, given.heads)];
		expectGradients([dqkv, dbias], centralGradients(weighted, inputs));
	});

	const path = new URL('../fixtures/attention/buckets.json', import.meta.url);
	const golden = JSON.parse(readFileSync(path, 'utf8')) as Golden[];

	test.each(golden)('has the $buckets buckets up to $furthest of transformers', one => {
		const count = one.before.length;
		const of = (sign: number) =>
			Array.from({length: count}, (_, far) => bucketOf(sign * far, one.buckets, one.furthest));
		expect(of(-1)).toEqual(one.before);
		expect(of(1)).toEqual(one.after);
	});
});

type Golden = {buckets: number; furthest: number; before: number[]; after: number[]};

describe('a text of 8192 tokens', () => {
	const shape: Shape = {...wide, heads: [2, 1], width: 16, lengths: [8192]};

	test('comes out like its oracle through a window, forward and back', async () => {
		const given = operands({...shape, heads: [1, 1], rate: 0, sees: {window: 12}});
		const gradient = withGradient(given);
		const device = newDevice(2);
		expectClose((await forward(device, given)).o, round => attentionForward(given, round).o);
		const {dqkv} = await backward(device, gradient);
		const back = (round: Round) => attentionBackward(gradient, round).dqkv;
		expectClose(dqkv, back, {scale: sizeOfTerms(gradient)});
	});

	test('drops of equal weights as many as its oracle', async () => {
		const {rate, ...given} = operands({...shape, heads: [1, 1], adds: []});
		const qkv = matrixOf(8192, 48, at => Number(at % 48 >= 32));
		const {o} = await forward(newDevice(2), {...given, rate, qkv});
		for (const row of [0, 511, 512, 5000, 8191]) {
			const kept = keptColumns({...given, text: given.texts[0]!, row}, 8192, rate);
			const expected = sum(kept.map(Number)) / (8192 * (1 - rate));
			const alone = {rows: 1, columns: 16, values: new Float64Array(16).fill(expected)};
			expectClose(rowsOf(o, row, row + 1), round => mapped(alone, round));
		}
	});

	test('takes at most about twice the memory of one of 4096, seeing all', async () => {
		const bytesOf = async (tokens: number) => {
			const given = operands({...shape, lengths: [tokens]});
			const device = newDevice(2);
			const {o, lse} = await forward(device, given);
			const {dqkv} = await backward(device, {...given, o, lse, dout: o});
			expect(dqkv.values.every(Number.isFinite)).toBe(true);
			return device.statistics().bytes;
		};
		expect(await bytesOf(8192)).toBeLessThan(2.2 * (await bytesOf(4096)));
	});
});

describe('attention refuses', () => {
	const given = operands({...wide, lengths: [3]});
	const refused: [string, Partial<AttentionCase>, RegExp][] = [
		['key heads that do not divide the heads', {keyHeads: 3}, /expected heads that their keyHeads/],
		['a width that qkv has not', {width: 20}, /expected qkv of 80 columns, got 96/],
		['a window below 0', {window: -1}, /expected a window of at least 0, got -1/],
		['slopes of other heads', {slopes: zeros(1, 3)}, /expected slopes of 2 elements, got 3/],
		['an odd number of buckets', {bias: zeros(7, 2)}, /expected bias of an even number/],
		['a furthest distance within the near ones', {furthest: 3}, /expected furthest above 3/],
	];

	test.each(refused)('%s', async (_, change, sentence) => {
		await expect(forward(newDevice(), {...given, ...change})).rejects.toThrow(sentence);
	});
});
