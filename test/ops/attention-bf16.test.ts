// Attention in 16-bit brain floats, which only cards have: matrix cores for the usual widths of heads.
// What only Hopper has: attention-hopper.test.ts.

import {describe, expect, test} from 'vitest';
import {
	backward,
	caseOf,
	forward,
	meetsOracle,
	operands,
	type Shape,
} from '../support/attention-bf16.js';
import {onEveryCard, sameBitsOnCards, useCapability} from '../support/cards.js';
import {asBf16, grid, matrixOf, offsetsOf, rowsOf} from '../support/matrix.js';
import {newDevice} from '../support/run-op.js';
import {expectSameBits} from '../support/tolerance.js';

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

const cases = [...widths, ...rules, long].map(caseOf);

describe('with what every card has,', () => {
	useCapability('80');

	onEveryCard('attention in bf16', device => {
		meetsOracle(device, cases);

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
});

test('attention in bf16 is refused by processors', async () => {
	await expect(forward(newDevice(), cases[0]!.given)).rejects.toThrow(
		'attentionForward: expected qkv of type f32, got bf16',
	);
});
