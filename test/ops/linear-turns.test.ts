// Products with weights of 16 bits where two groups of Hopper's take turns at tiles: as many tiles as a
// block may have of them. Of other cards and depths they are those of linear-bf16.test.ts.

import {describe, expect, test} from 'vitest';
import {type NativeDevice, native} from '../../dist/native.js';
import {cards, onEveryCard, sameBitsOnCards, useSchedule} from '../support/cards.js';
import {libraryOf} from '../support/emulated.js';
import {backwardInput, forward, operands, type Shape, shortened} from '../support/linear-bf16.js';
import {type Matrix, rowsOf} from '../support/matrix.js';
import {linearBackwardInput, linearForward} from '../support/oracle.js';
import {expectClose, expectSameBits, type Round} from '../support/tolerance.js';

/** The emulated card runs three blocks at a time; a block has 192 columns, a tile 64 rows. */
const shapes: Shape[] = [
	// One tile, of one step; two, for three blocks.
	{rows: 5, inputs: 8, outputs: 40},
	{rows: 70, inputs: 64, outputs: 26},
	// Three blocks with four tiles, three and three.
	{rows: 586, inputs: 72, outputs: 192},
	// Five tiles for each of two blocks, then more columns than blocks.
	{rows: 290, inputs: 136, outputs: 200},
	{rows: 70, inputs: 24, outputs: 584},
	// All steps that fit, and half a one less.
	{rows: 200, inputs: 384, outputs: 16},
	{rows: 16, inputs: 344, outputs: 344},
];

const turns = (device: NativeDevice) => {
	test.each(shapes)('multiplies $rows rows of $inputs by a weight of $outputs', async shape => {
		const given = {...operands(shape), activation: 'gelu' as const};
		const {x, weight, bias, activation} = given;
		const found = await forward(device, x, weight, {bias, activation});
		for (const name of ['y', 'pre'] as const) {
			const oracle = (round: Round) => linearForward(given, round)[name];
			expectClose(found[name], shortened(oracle));
		}
	});

	test.each(shapes)('sends $rows gradients of $outputs back to $inputs', async shape => {
		const {dy, weight, dx: before} = operands(shape);
		const given = {dy, weight, before, activation: 'none' as const};
		const oracle = (round: Round) => linearBackwardInput(given, round);
		expectClose(await backwardInput(device, given), shortened(oracle));
	});

	test.each(shapes)('has the bits of shared tiles for $rows rows of $inputs', async shape => {
		const {x, weight, bias} = operands(shape);
		const {y} = await forward(device, x, weight, {bias});
		const library = libraryOf(device);
		library.useSchedule('shared');
		const shared = await forward(device, x, weight, {bias});
		library.useSchedule('turns');
		expectSameBits(shared.y, y);
	});

	test('gives a row alone the bits of a batch', async () => {
		const {x, weight, bias} = operands({rows: 586, inputs: 72, outputs: 192});
		const {y} = await forward(device, x, weight, {bias});
		for (const row of [0, 64, 585]) {
			const alone = await forward(device, rowsOf(x, row, row + 1), weight, {bias});
			expectSameBits(alone.y, rowsOf(y, row, row + 1));
		}
	});
};

describe('turns', () => {
	useSchedule('turns');
	onEveryCard('of a product of 16 bits', turns);

	sameBitsOnCards('of a product of 16 bits', async device => {
		const found: Matrix[] = [];
		for (const shape of [
			{rows: 773, inputs: 136, outputs: 24},
			{rows: 200, inputs: 384, outputs: 200},
		]) {
			const {x, weight, bias} = operands(shape);
			found.push(...Object.values(await forward(device, x, weight, {bias})));
		}
		return found;
	});
});

test('a schedule that does not exist is not used', () => {
	const libraries = [native(), ...cards.map(({open}) => libraryOf(open()))];
	expect(libraries.map(library => library.useSchedule('nobody'))).not.toContain(true);
});
