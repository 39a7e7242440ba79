// Means and moves of weights, clipping and Adafactor against the oracles.

import {expect, test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {onEveryDevice, sameBitsOnCards} from '../support/cards.js';
import {onEveryPath, sameBitsEverywhere} from '../support/kernel-paths.js';
import {type Matrix, matrixOf, normals, randomMatrix, zeros} from '../support/matrix.js';
import {mapped} from '../support/oracle.js';
import {adafactor, type Factored} from '../support/oracle-optimizers.js';
import {newDevice, runOp, tensorOf} from '../support/run-op.js';
import {expectClose, expectSameBits, type Round} from '../support/tolerance.js';

const sizes = [1, 7, 16, 33, 4096];
const beyondOneItem = 70_001;

const pair = (size: number) => {
	const random = normals(size);
	return [randomMatrix(1, size, random), randomMatrix(1, size, random)] as const;
};

async function factor(device: NativeDevice, start: Factored, gradients: readonly Matrix[]) {
	let state = start;
	const isFlat = start.weight.rows === 1;
	for (const [n, gradient] of gradients.entries()) {
		const options = {rate: 0.01, decay: 0.1, gradientScale: 1 / (n + 1), step: n + 1};
		const {weight, rows: rowSquares, columns: columnSquares} = state;
		const given = {weight, columnSquares, ...(isFlat ? {} : {rowSquares})};
		const after = await runOp(device, 'adafactor', {...options, gradient}, given);
		const found = after as Record<'weight' | 'columnSquares' | 'rowSquares', Matrix>;
		state = {
			weight: found.weight,
			rows: isFlat ? state.rows : found.rowSquares,
			columns: found.columnSquares,
		};
	}
	return state;
}

function factorPlainly(start: Factored, gradients: readonly Matrix[], round: Round): Factored {
	return gradients.reduce((state, gradient, n) => {
		const options = {rate: 0.01, decay: 0.1, gradientScale: 1 / (n + 1), step: n + 1};
		return adafactor(state, gradient, options, round);
	}, start);
}

function operands(rows: number, columns: number) {
	const random = normals(rows * columns);
	const weight = randomMatrix(rows, columns, random);
	const gradients = [1, 2, 3].map(() => randomMatrix(rows, columns, random));
	return {start: {weight, rows: zeros(1, rows), columns: zeros(1, columns)}, gradients};
}

onEveryPath('weights', device => {
	test.each([
		[1, 1],
		[1, 33],
		[5, 7],
		[70, 3],
		[20, 130],
	])('takes three steps of Adafactor over %d x %d weights', async (rows, columns) => {
		const {start, gradients} = operands(rows, columns);
		const after = await factor(device, start, gradients);
		const parts =
			rows === 1 ? (['weight', 'columns'] as const) : (['weight', 'rows', 'columns'] as const);
		for (const part of parts) {
			expectClose(after[part], round => factorPlainly(start, gradients, round)[part]);
		}
	});

	test('clips elements at the bound, and leaves what is not a number', async () => {
		const x = matrixOf(1, 6, at => [0.5, -0.5, 0.25, -3, Number.NaN, 7][at]!);
		const {x: after} = await runOp(device, 'clip', {bound: 0.25}, {x});
		expect([...after.values]).toEqual([0.25, -0.25, 0.25, -0.25, Number.NaN, 0.25]);
	});
});

onEveryDevice('means and moves of weights', device => {
	test.each(sizes)('moves %d elements a share of the way, or all of it to the bit', async size => {
		const [x, y] = pair(size);
		const {y: after} = await runOp(device, 'blend', {share: 0.3, x}, {y});
		expectClose(after, round =>
			mapped(y, (value, at) => round(value + round(round(0.3) * round(x.values[at]! - value)))),
		);
		expectSameBits((await runOp(device, 'blend', {share: 1, x}, {y})).y, x);
	});

	test.each(sizes)('swaps %d elements', async size => {
		const [x, y] = pair(size);
		const after = await runOp(device, 'exchange', {}, {x, y});
		expectSameBits(after.x, y);
		expectSameBits(after.y, x);
	});

	test.each(sizes)(
		'moves %d weights along a gradient, no further than a share of each',
		async size => {
			const [gradient, weight] = pair(size);
			const origin = mapped(weight, value => Math.fround(0.9 * value));
			const free = await runOp(device, 'perturb', {scale: 0.1, gradient}, {weight});
			const moved = (round: Round) =>
				mapped(weight, (value, at) => round(value + round(round(0.1) * gradient.values[at]!)));
			expectClose(free.weight, moved);
			const given = {scale: 0.1, bound: 0.05, gradient, origin};
			const held = await runOp(device, 'perturb', given, {weight});
			expectClose(held.weight, round =>
				mapped(moved(round), (value, at) => {
					const from = origin.values[at]!;
					const reach = round(round(0.05) * Math.abs(from));
					return Math.min(Math.max(value, round(from - reach)), round(from + reach));
				}),
			);
		},
	);

	test.each([0, ...sizes, beyondOneItem])('measures how far %d elements are apart', async size => {
		const [a, b] = pair(size);
		const result = device.tensor(1, 1, 'f64');
		device.write(result, Float64Array.of(2));
		device.run('squaredDistance', {a: tensorOf(device, a), b: tensorOf(device, b), result});
		const total = new Float64Array(1);
		await device.read(result, total);
		const exact = a.values.reduce((sum, value, at) => sum + (value - b.values[at]!) ** 2, 2);
		expect(Math.abs(total[0]! - exact)).toBeLessThanOrEqual(1e-12 * exact);
	});
});

test('a gradient of zeros moves nothing under Adafactor', async () => {
	const {start} = operands(3, 4);
	const {weight} = await factor(newDevice(), start, [zeros(3, 4)]);
	expectSameBits(
		weight,
		mapped(start.weight, value => Math.fround(value * Math.fround(1 - 0.001))),
	);
});

sameBitsEverywhere('an update of Adafactor over a tall matrix', async device => {
	const {start, gradients} = operands(20_000, 5);
	return Object.values<Matrix>(await factor(device, start, gradients));
});

sameBitsOnCards('a move of weights', async device => {
	const [x, y] = pair(4099);
	const blended = await runOp(device, 'blend', {share: 0.3, x}, {y});
	const moved = await runOp(device, 'perturb', {scale: 0.1, gradient: x}, {weight: y});
	return [blended.y, moved.weight];
});
