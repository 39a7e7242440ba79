// Rotary positions: pairs of columns of each head turned by angles that grow along the text.

import {expect, test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {onEveryDevice, sameBitsOnCards} from '../support/cards.js';
import {centralGradients, expectGradients} from '../support/differences.js';
import {sameBitsEverywhere} from '../support/kernel-paths.js';
import {
	blank,
	grid,
	largest,
	type Matrix,
	normals,
	offsetsOf,
	randomMatrix,
	rowsOf,
	sum,
} from '../support/matrix.js';
import {anglesOf, rotary, type Turn} from '../support/oracle-heads.js';
import {runOp, tensorOf} from '../support/run-op.js';
import {expectClose, expectSameBits} from '../support/tolerance.js';

type Shape = {lengths: readonly number[]; heads: number; width: number; pairs: number};

function turnOf({lengths, heads, width, pairs}: Shape): Turn {
	const angles = anglesOf(Math.max(...lengths, 1), pairs);
	return {heads, width, inverse: false, magnitude: 1, offsets: offsetsOf(lengths), ...angles};
}

/** The heads and some columns more. */
function rowsFor({lengths, heads, width}: Shape): Matrix {
	return randomMatrix(sum(lengths), heads * width + 5, normals(heads * 1000 + width));
}

async function turned(device: NativeDevice, turn: Turn, x: Matrix) {
	return (await runOp(device, 'rotary', turn, {x})).x;
}

const shapes = grid({
	lengths: [[1], [3, 0, 5], [0, 129, 64, 0, 1], [600], [0, 0]],
	head: [
		{heads: 1, width: 2, pairs: 1},
		{heads: 3, width: 7, pairs: 3},
		{heads: 2, width: 64, pairs: 32},
		{heads: 4, width: 24, pairs: 12},
		{heads: 2, width: 80, pairs: 17},
	],
}).map(({lengths, head}) => ({lengths, ...head}));

onEveryDevice('rotary', device => {
	test.each(shapes)(
		'turns $pairs pairs of $heads heads, $width wide, in texts of $lengths',
		async shape => {
			const x = rowsFor(shape);
			for (const change of [{}, {inverse: true}, {magnitude: 1.25}]) {
				const turn = {...turnOf(shape), ...change};
				expectClose(await turned(device, turn, x), round => rotary(turn, x, round));
			}
		},
	);

	test('sends a gradient back by the opposite angles', async () => {
		const shape = {lengths: [3, 0, 2], heads: 2, width: 5, pairs: 2};
		const turn = {...turnOf(shape), magnitude: 1.5};
		const [x, dy] = [rowsFor(shape), randomMatrix(5, 15, normals(3))];
		const weighted = ([rows]: readonly Matrix[]) =>
			sum([...rotary(turn, rows!).values].map((value, at) => value * dy.values[at]!));
		const dx = await turned(device, {...turn, inverse: true}, dy);
		expectGradients([dx], centralGradients(weighted, [x]), largest(x));
	});

	test('turns a text alike in whatever company', async () => {
		const shape = {lengths: [70, 33, 90], heads: 4, width: 64, pairs: 32};
		const x = rowsFor(shape);
		const together = await turned(device, turnOf(shape), x);
		const alone = await turned(device, turnOf({...shape, lengths: [33]}), rowsOf(x, 70, 103));
		expectSameBits(rowsOf(together, 70, 103), alone);
	});

	test('refuses heads that a row does not hold and pairs that a head does not hold', () => {
		const {offsets: _, ...turn} = turnOf({lengths: [2], heads: 3, width: 4, pairs: 2});
		const [cos, sin, x] = [turn.cos, turn.sin, blank(2, 11)].map(each => tensorOf(device, each));
		const run = (fields: object) => () => device.run('rotary', {...turn, cos, sin, x, ...fields});
		expect(run({})).toThrow('rotary: expected x to hold 3 heads of 4 columns, got 11 columns');
		expect(run({width: 3})).toThrow('rotary: expected cos of at most 1 pairs, got 2');
	});
});

const several = async (device: NativeDevice) => {
	const shape = {lengths: [129, 64, 1], heads: 5, width: 80, pairs: 37};
	const turn = {...turnOf(shape), magnitude: 1.1};
	const x = rowsFor(shape);
	return [await turned(device, turn, x), await turned(device, {...turn, inverse: true}, x)];
};

sameBitsEverywhere('rotary', several);
sameBitsOnCards('rotary', several);
