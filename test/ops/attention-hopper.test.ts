// Attention in 16-bit brain floats by Hopper's own instructions: units of 128 rows, two groups of 64
// that go through the same tiles, three blocks that take units in turn.

import {describe, expect, test} from 'vitest';
import type {NativeDevice, Tensor} from '../../dist/native.js';
import {
	backward,
	caseOf,
	forward,
	meetsOracle,
	operands,
	type Shape,
} from '../support/attention-bf16.js';
import {onEveryCard, sameBitsOnCards, useCapability} from '../support/cards.js';
import {grid, matrixOf, offsetsOf, rowsOf} from '../support/matrix.js';
import type {AttentionCase} from '../support/oracle-attention.js';
import {integers, runOp, tensorOf} from '../support/run-op.js';
import {expectSameBits} from '../support/tolerance.js';

const widths = grid<Shape>({
	lengths: [[1, 0, 66]],
	heads: [[1, 1]],
	width: [32, 64, 80, 96, 128],
	rate: [0.2],
	sees: [{}],
	adds: [['slopes']],
});
const plain: Shape = {
	...{lengths: [70, 5], heads: [1, 1], width: 32, rate: 0},
	...{sees: {}, adds: []},
};
const shapes: Shape[] = [
	...widths,
	{...plain, heads: [2, 1], sees: {causal: true}},
	{...plain, sees: {window: 5}, adds: ['slopes', 'bias']},
	{...plain, lengths: [140], sees: {causal: true, window: 16}},
	// More tiles than the ring has stages, most of which one group or both go past.
	{...plain, lengths: [330, 3], sees: {window: 20}, adds: ['slopes']},
];
const cases = shapes.map(caseOf);

/** The rows from `begin` to `end`, which are the text `number`. */
const alone = (given: AttentionCase, number: number, begin: number, end: number) => ({
	...given,
	qkv: rowsOf(given.qkv, begin, end),
	offsets: offsetsOf([end - begin]),
	texts: given.texts.slice(number, number + 1),
});

async function all(device: NativeDevice, given: AttentionCase & {order?: Tensor}) {
	const {dqkv, gradient} = await backward(device, given);
	return [gradient.o, gradient.lse, dqkv];
}

describe('with what Hopper has,', () => {
	useCapability('90');

	onEveryCard('attention in bf16', device => {
		meetsOracle(device, cases);

		test('gives a text the bits that it has among others', async () => {
			const given = operands({...plain, lengths: [3, 70, 1], rate: 0.2, adds: ['slopes']});
			expectSameBits(
				(await forward(device, alone(given, 1, 3, 73))).o,
				rowsOf((await forward(device, given)).o, 3, 73),
			);
		});

		test('gives the same bits in the order of AttentionOrder', async () => {
			const lengths = [3, 130, 0, 140];
			const given = operands({...plain, lengths, sees: {causal: true}});
			const order = device.tensor(2, 6, 'i32');
			const offsets = integers(device, given.offsets);
			device.run('attentionOrder', {tokens: 273, offsets, order});
			const found = await all(device, {...given, order});
			for (const [index, matrix] of (await all(device, given)).entries()) {
				expectSameBits(found[index]!, matrix);
			}
		});

		test('reads nothing of queries behind the last', async () => {
			const given = operands({...plain, lengths: [70], rate: 0.2});
			const {dqkv, gradient} = await backward(device, given);
			const lse = tensorOf(device, gradient.lse);
			const alone = await runOp(device, 'attentionBackward', {...gradient, lse}, {dqkv});
			expectSameBits(alone.dqkv, dqkv);
		});

		test('keeps what is no number in the text that has it', async () => {
			const given = operands({...plain, lengths: [70, 20]});
			const {rows, columns, values} = given.qkv;
			const spoilt = matrixOf(rows, columns, at => (at < 70 * columns ? values[at]! : Number.NaN));
			const found = await all(device, {...given, qkv: {...given.qkv, values: spoilt.values}});
			const expected = await all(device, given);
			for (const [index, matrix] of found.entries()) {
				expectSameBits(rowsOf(matrix, 0, 70), rowsOf(expected[index]!, 0, 70));
				expect(rowsOf(matrix, 70, 90).values.every(Number.isNaN)).toBe(true);
			}
		});
	});

	sameBitsOnCards('attention in bf16', device =>
		all(device, operands({...plain, lengths: [66, 3], heads: [2, 1], rate: 0.2})),
	);
});
