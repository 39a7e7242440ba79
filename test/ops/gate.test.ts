// Gates: one half of a row goes through an activation and multiplies the other.

import {expect, test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {activations} from '../support/activations.js';
import {onEveryDevice, sameBitsOnCards} from '../support/cards.js';
import {centralGradients, expectGradients} from '../support/differences.js';
import {sameBitsEverywhere} from '../support/kernel-paths.js';
import {blank, grid, largest, type Matrix, normals, randomMatrix, sum} from '../support/matrix.js';
import {type Gate, gateBackward, gateForward} from '../support/oracle-heads.js';
import {readMatrix, runOp, tensorOf} from '../support/run-op.js';
import {expectClose, expectSameBits, once} from '../support/tolerance.js';

const gates: readonly Gate['gate'][] = ['first', 'second'];

async function forward(device: NativeDevice, gate: Gate, pre: Matrix) {
	return (await runOp(device, 'gateForward', {...gate, pre}, {y: blank(pre.rows, pre.columns / 2)}))
		.y;
}

async function backward(device: NativeDevice, gate: Gate, pre: Matrix, dy: Matrix) {
	const dpre = blank(pre.rows, pre.columns);
	return (await runOp(device, 'gateBackward', {...gate, pre, dy}, {dpre})).dpre;
}

function operands(rows: number, columns: number) {
	const random = normals(rows * 1000 + columns);
	return {
		pre: randomMatrix(rows, 2 * columns, random, 2),
		dy: randomMatrix(rows, columns, random),
	};
}

const cases = grid({
	activation: activations,
	gate: gates,
	shape: grid({rows: [0, 1, 5, 130], columns: [1, 7, 16, 26, 384]}),
}).map(({shape, ...gate}) => {
	const {pre, dy} = operands(shape.rows, shape.columns);
	return {
		...shape,
		...gate,
		pre,
		dy,
		y: once(round => gateForward(gate, pre, round)),
		dpre: once(round => gateBackward(gate, pre, dy, round)),
	};
});

onEveryDevice('gate', device => {
	test.each(cases)('$activation of the $gate half of $rows by $columns', async one => {
		expectClose(await forward(device, one, one.pre), one.y);
	});

	test.each(cases)('$rows by $columns back through $activation of the $gate half', async one => {
		// A slope has two terms, of which the second grows with what is bent.
		const scale = largest(one.dy) * (1 + largest(one.pre));
		expectClose(await backward(device, one, one.pre, one.dy), one.dpre, {scale});
	});

	test.each(grid({activation: activations, gate: gates}))(
		'follows the differences of $activation of the $gate half',
		async gate => {
			const {pre, dy} = operands(3, 5);
			const weighted = ([x]: readonly Matrix[]) =>
				sum([...gateForward(gate, x!).values].map((value, at) => value * dy.values[at]!));
			const expected = centralGradients(weighted, [pre]);
			expectGradients([await backward(device, gate, pre, dy)], expected, largest(pre));
		},
	);

	test.each(grid({activation: activations, gate: gates}))(
		'writes the gradient over what $activation of the $gate half reads',
		async gate => {
			const {pre, dy} = operands(5, 7);
			const over = tensorOf(device, pre);
			await runOp(device, 'gateBackward', {...gate, pre: over, dpre: over, dy}, {});
			expectSameBits(await readMatrix(device, over), await backward(device, gate, pre, dy));
		},
	);

	test('refuses halves that are not as wide as the result, and no gate', () => {
		const [pre, y] = [tensorOf(device, blank(2, 7)), tensorOf(device, blank(2, 3))];
		const run = (fields: object) => () => device.run('gateForward', {pre, y, ...fields});
		expect(run({gate: 'first'})).toThrow('gateForward: expected pre of 6 columns, got 7');
		expect(run({gate: 'none'})).toThrow('expected a gate of first or second, got none');
	});
});

const several = async (device: NativeDevice) => {
	const {pre, dy} = operands(130, 389);
	const results: Matrix[] = [];
	for (const gate of grid({activation: activations, gate: gates})) {
		results.push(await forward(device, gate, pre), await backward(device, gate, pre, dy));
	}
	return results;
};

sameBitsEverywhere('a gate', several);
sameBitsOnCards('a gate', several);
