// The gradient grid: every loss of the list against float64 finite differences of its meaning.

import {describe, expect, test} from 'vitest';
import type {Loss} from '../../dist/loss/loss.js';
import {expectGradients, gradientUnits} from '../support/differences.js';
import {evaluated} from '../support/evaluated-loss.js';
import {drawnFor, listedLosses} from '../support/loss-cases.js';
import {matrixOf} from '../support/matrix.js';
import {errorAlong, plainGradients, plainLoss} from '../support/plain-loss.js';
import {expectClose} from '../support/tolerance.js';

const sizes = [
	{rows: 2, width: 2},
	{rows: 5, width: 8},
	{rows: 21, width: 34},
];

/** What a loss multiplies with: at least 1 / the usual temperature, or its largest weight. */
function scaleOf({options = {}}: Loss): number {
	return Object.values(options).reduce<number>(
		(most, value) => (typeof value === 'number' ? Math.max(most, value) : most),
		20,
	);
}

describe.each(listedLosses)('%s', (_, loss) => {
	test.each(sizes)('at $rows rows of $width is what it means', async ({rows, width}) => {
		const given = drawnFor(loss, rows, width);
		const {value, gradients} = await evaluated(loss, given);
		expectClose(
			value,
			round => matrixOf(1, 1, () => plainLoss(loss, given, undefined, round).value),
			{scale: scaleOf(loss)},
		);
		const size = Math.hypot(...gradients.map(x => Math.hypot(...x.values)));
		const limit = gradientUnits * 2 ** -23 * Math.max(size, 1);
		expect(errorAlong(loss, given, gradients)).toBeLessThanOrEqual(limit);
	});

	test('has the gradient of its meaning element by element', async () => {
		const given = drawnFor(loss, 4, 6);
		const {gradients} = await evaluated(loss, given);
		expectGradients(gradients, plainGradients(loss, given), 1);
	});

	test('has the same bits for any number of threads', async () => {
		const given = drawnFor(loss, 40, 16);
		expect(await evaluated(loss, given, 1)).toEqual(await evaluated(loss, given, 2));
	});
});
