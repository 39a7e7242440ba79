// Ops between the products on rows of 16 bits, which only cards have: arithmetic is that of float32, whose
// tests say what it means, and what comes out is rounded once.

import {expect, test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {onEveryCard, sameBitsOnCards} from '../support/cards.js';
import {
	asBf16,
	blank,
	type Matrix,
	normals,
	offsetsOf,
	randomMatrix,
	sum,
	uniforms,
} from '../support/matrix.js';
import {newDevice, type Operand, runOp} from '../support/run-op.js';
import {expectSameBits} from '../support/tolerance.js';

type Matrices = Readonly<Record<string, Matrix>>;
/** `rows` and `results` are of 16 bits, `sums` of 32; `rows` and `others` are read. */
type Case = {
	op: string;
	rows: Matrices;
	others?: Readonly<Record<string, Operand>>;
	results: Matrices;
	sums?: Matrices;
};

const lengths = [3, 0, 1, 9, 20, 4];
const tokens = sum(lengths);
const texts = {offsets: offsetsOf(lengths)};
const random = normals(11);
const wide = (columns: number, rows = tokens) => asBf16(randomMatrix(rows, columns, random));
const floats = (columns: number, rows = 1) => randomMatrix(rows, columns, random);
const uniform = uniforms(3);
const positive = (columns: number, rows = tokens) =>
	randomMatrix(rows, columns, () => 0.5 + uniform());
const statistics = {mean: positive(1), rstd: positive(1)};
const activations = ['none', 'gelu', 'tanh', 'relu', 'geluTanh', 'silu', 'sigmoid'] as const;

const elementwise: Case[] = [
	...activations.flatMap((activation): Case[] => [
		{
			...{op: 'activationForward', rows: {x: wide(13)}, others: {activation}},
			results: {y: wide(13)},
		},
		{
			...{op: 'activationBackward', rows: {x: wide(13), dy: wide(13)}, others: {activation}},
			results: {dx: wide(13)},
		},
	]),
	...(['first', 'second'] as const).flatMap((gate): Case[] => [
		{op: 'gateForward', rows: {pre: wide(18)}, others: {gate}, results: {y: wide(9)}},
		{
			...{op: 'gateBackward', rows: {pre: wide(18), dy: wide(9)}, others: {gate}},
			results: {dpre: wide(18)},
		},
	]),
	{op: 'add', rows: {a: wide(33), b: wide(33)}, results: {y: wide(33)}},
	{
		op: 'dropout',
		rows: {},
		others: {
			...texts,
			texts: Int32Array.from(lengths.keys()),
			rate: 0.3,
			seed: 2,
			step: 5,
			site: 7,
		},
		results: {x: wide(21)},
	},
	...[false, true].map(
		(inverse): Case => ({
			op: 'rotary',
			rows: {},
			others: {...texts, heads: 3, width: 8, inverse, cos: floats(3, 20), sin: floats(3, 20)},
			results: {x: wide(30)},
		}),
	),
];

const weights = {weight: floats(37), bias: floats(37)};
const headWeights = {weight: floats(8), bias: floats(8)};
const norms = (['layer', 'rms'] as const).flatMap((kind): Case[] => [
	{
		...{op: 'normForward', rows: {x: wide(37)}, others: {kind, epsilon: 1e-5, ...weights}},
		...{results: {y: wide(37)}, sums: {mean: blank(tokens, 1), rstd: blank(tokens, 1)}},
	},
	{
		op: 'normBackward',
		rows: {sum: wide(37), dy: wide(37)},
		others: {kind, weight: weights.weight, ...statistics},
		results: {dx: wide(37)},
		sums: {dweight: floats(37), dbias: floats(37)},
	},
	{
		...{op: 'headNormForward', rows: {x: wide(30)}},
		others: {kind, epsilon: 1e-5, heads: 2, first: 8, ...headWeights},
		results: {y: wide(30)},
		sums: {mean: blank(tokens, 2), rstd: blank(tokens, 2)},
	},
	{
		op: 'headNormBackward',
		rows: {x: wide(30), dy: wide(30)},
		others: {
			...{kind, heads: 2, first: 8, weight: headWeights.weight},
			...{mean: floats(2, tokens), rstd: floats(2, tokens)},
		},
		results: {dx: wide(30)},
		sums: {dweight: floats(8), dbias: floats(8)},
	},
]);

const kinds = ['cls', 'mean', 'mean_sqrt_len', 'weightedmean', 'last'] as const;
const skip = Int32Array.from([1, 0, 0, 2, 0, 5]);
const power = floats(1).values.map(() => 2.5);
const gem = {kind: 'gem', power: {rows: 1, columns: 1, values: power}, ...texts, skip};
const text = (columns: number) => floats(columns, lengths.length);
const pools: Case[] = [
	...kinds.flatMap((kind): Case[] => [
		{
			...{op: 'poolForward', rows: {x: wide(70)}, others: {kind, ...texts, skip, at: 2}},
			...{results: {}, sums: {y: text(73)}},
		},
		...[false, true].map(
			(add): Case => ({
				...{op: 'poolBackward', rows: {}, others: {kind, add, ...texts, skip, dy: text(70)}},
				results: {dx: wide(70)},
			}),
		),
	]),
	{op: 'poolForward', rows: {x: wide(70)}, others: gem, results: {}, sums: {y: text(70)}},
	{
		...{op: 'poolBackward', rows: {x: wide(70)}, others: {...gem, dy: text(70)}},
		...{results: {dx: wide(70)}, sums: {dpower: floats(1)}},
	},
	{
		...{op: 'layerMeanForward', rows: {x: wide(37)}},
		...{others: {layer: 1, add: true, weights: positive(3, 1)}, results: {}},
		sums: {y: floats(37, tokens)},
	},
	{
		...{op: 'layerMeanBackward', rows: {x: wide(37)}},
		others: {layer: 2, add: true, weights: positive(3, 1), dy: floats(37, tokens)},
		...{results: {dx: wide(37)}, sums: {dots: floats(3, tokens)}},
	},
];

const long = (matrices: Matrices) =>
	Object.fromEntries(
		Object.entries(matrices).map(([name, {rows, columns, values}]) => [
			name,
			{rows, columns, values},
		]),
	);

const outcome = (device: NativeDevice, {op, rows, others, results, sums}: Case) =>
	runOp(device, op, {...rows, ...others}, {...results, ...sums});

const longOutcome = (device: NativeDevice, {op, rows, others, results, sums}: Case) =>
	runOp(device, op, {...long(rows), ...others}, {...long(results), ...sums});

onEveryCard('rows of 16 bits', device => {
	test.each([...elementwise, ...norms, ...pools])(
		'are what $op makes of them, rounded',
		async given => {
			const [short, exact] = [await outcome(device, given), await longOutcome(device, given)];
			for (const name of Object.keys(given.results)) {
				expectSameBits(short[name]!, asBf16(exact[name]!));
			}
			for (const name of Object.keys(given.sums ?? {})) expectSameBits(short[name]!, exact[name]!);
		},
	);

	test('are normalised with their residual as its rounded sum is', async () => {
		const [x, residual, y] = [wide(37), wide(37), wide(37)];
		const {mean, rstd} = {mean: blank(tokens, 1), rstd: blank(tokens, 1)};
		const results = {sum: asBf16(blank(tokens, 37)), y, mean, rstd};
		const found = await runOp(device, 'normForward', {x, residual, ...weights}, results);
		const {y: added} = await runOp(device, 'add', {a: x, b: residual}, {y});
		const plain = await runOp(device, 'normForward', {x: added, ...weights}, {y, mean, rstd});
		expectSameBits(found.sum, added);
		for (const name of ['y', 'mean', 'rstd'] as const) expectSameBits(found[name], plain[name]);
	});

	test('are copied from and to 32 bits', async () => {
		const x = floats(37, tokens);
		const {y: short} = await runOp(
			device,
			'activationForward',
			{activation: 'none', x},
			{y: wide(37)},
		);
		expectSameBits(short, asBf16(x));
		const {y: back} = await runOp(
			device,
			'activationForward',
			{activation: 'none', x: short},
			{y: x},
		);
		expectSameBits(back, asBf16(x));
	});

	test.each([
		{op: 'adamW', state: {first: floats(1050), second: positive(1050, 1)}},
		{op: 'lion', state: {first: floats(1050)}},
	])('are the weights that $op leaves', async ({op, state}) => {
		const given = {weight: floats(1050), ...state};
		const inputs = {gradient: floats(1050), rate: 0.1};
		const found = await runOp(device, op, inputs, {...given, rounded: asBf16(floats(1050))});
		expectSameBits(found.rounded, asBf16(found.weight));
		expectSameBits(found.weight, (await runOp(device, op, inputs, given)).weight);
	});
});

test('are refused by the CPU', () => {
	const device = newDevice();
	const x = device.tensor(2, 3, 'bf16');
	expect(() => device.run('add', {a: x, b: x, y: x})).toThrow(
		'add: expected a of type f32, got bf16',
	);
});

sameBitsOnCards('the norm of rows of 16 bits', async device =>
	Object.values(await outcome(device, norms[1]!)),
);
