// The gradient grid on a card, in f32: the losses of the list at one size, element by element, and the masks and
// bends of the in-batch loss.

import {describe, expect, test} from 'vitest';
import {type InfoNceOptions, infoNce} from '../../dist/loss/infonce.js';
import type {Loss} from '../../dist/loss/loss.js';
import {matryoshka} from '../../dist/loss/matryoshka.js';
import {startOf} from '../../dist/loss/parameters.js';
import {expectGradients, gradientUnits} from '../support/differences.js';
import {cardAddonPath} from '../support/emulated.js';
import {evaluated} from '../support/evaluated-loss.js';
import {batch} from '../support/known-batch.js';
import {drawnFor, listedLosses} from '../support/loss-cases.js';
import {normals, randomMatrix} from '../support/matrix.js';
import {errorAlong, type LossCase, plainGradients, plainLoss} from '../support/plain-loss.js';

process.env.INBATCH_NATIVE = cardAddonPath;
const card = {device: 'cuda', dtype: 'f32'};

/** By its name, what a case is good for; the best of some draws is taken. */
const conditions: Record<string, (loss: Loss, given: LossCase) => number> = {
	'nested arcface': leastSine,
};

/**
ArcFace divides by the sine of the angle between a text and its class. On two columns the two often lie along one line,
where a rounding counts as many times as the sine is small: then no f32 is within the limit.
*/
function leastSine({parameters}: Loss, {columns: [texts], labels}: LossCase): number {
	const directions = startOf(parameters![0]!, texts!.columns, 0).values;
	const sines = Array.from(labels!, (label, text) => {
		const [a, b] = texts!.values.subarray(text * texts!.columns);
		const [c, d] = directions.subarray(label * texts!.columns);
		return Math.abs(a! * d! - b! * c!) / (Math.hypot(a!, b!) * Math.hypot(c!, d!));
	});
	return Math.min(...sines);
}

function drawn(name: string, loss: Loss): LossCase {
	const condition = conditions[name];
	if (!condition) return drawnFor(loss, 4, 6);
	const draws = Array.from({length: 16}, () => drawnFor(loss, 4, 6));
	return draws.reduce((a, b) => (condition(loss, b) > condition(loss, a) ? b : a));
}

async function expectGradient(loss: Loss, given: LossCase): Promise<void> {
	const {value, gradients} = await evaluated(loss, given, 1, card);
	expect(value.values[0]).toBeCloseTo(plainLoss(loss, given).value, 3);
	expectGradients(gradients, plainGradients(loss, given), 1);
}

/** What R-Drop adds to these it adds to others too. */
const leftOut = ['infonce', 'triplet', 'contrastive', 'arcface'].map(name => `r-drop ${name}`);
const grid = listedLosses.filter(([name]) => !leftOut.includes(name));

test.each(grid)('%s has the gradient of its meaning', async (name, loss) => {
	await expectGradient(loss, drawn(name, loss));
});

const random = normals(7);
const guided: LossCase = {
	...batch,
	guide: batch.columns.map(({rows}) => randomMatrix(rows, 3, random)),
};
const several: LossCase = {
	columns: [4, 7, 4].map(rows => randomMatrix(rows, 5, random)),
	offsets: [undefined, Int32Array.of(0, 1, 3, 4, 7)],
};
const found = ['same-text', 'same-query', 'known', 'other-set'] as const;
const all = ['qd', 'dq', 'qq', 'dd'] as const;

const softmaxes: readonly [string, LossCase, InfoNceOptions][] = [
	['every mask', guided, {mask: [...found, 'teacher', 'margin', 'guide'], maskMargin: 0.2}],
	['masks in all directions', guided, {directions: all, mask: [...found, 'margin', 'guide']}],
	['one softmax of all directions', batch, {directions: all, partition: 'joint'}],
	[
		'a share as the limit of dot products',
		batch,
		{mask: ['margin'], maskRelative: 0.9, similarity: 'dot'},
	],
	['scores that are cut', batch, {clamp: [-0.3, 0.4], learnTemperature: true, labelSmoothing: 0.1}],
	['positives that are each sought', several, {directions: ['qd', 'qq']}],
	['positives that are sought together', several, {positives: 'logSum', learnTemperature: true}],
];

describe('the in-batch loss with', () => {
	test.each(softmaxes)('%s has the gradient of its meaning', async (_, given, options) => {
		await expectGradient(infoNce({temperature: 0.5, ...options}), given);
	});

	/** What hardness adds is a constant, which differences of the loss are not those of. */
	test.each(['inBatch', 'hard', 'all'] as const)(
		'hardness of %s has its value',
		async hardnessOf => {
			const loss = infoNce({temperature: 0.5, hardness: 2, hardnessOf, labelSmoothing: 0.1});
			const {value} = await evaluated(loss, batch, 1, card);
			expect(value.values[0]).toBeCloseTo(plainLoss(loss, batch).value, 4);
		},
	);

	test('several widths in one pass has the gradient of its meaning along a line', async () => {
		const given = {
			...batch,
			columns: batch.columns.map(({rows}) => randomMatrix(rows, 32, random)),
		};
		const inner = infoNce({temperature: 0.5, learnTemperature: true, mask: found});
		const loss = matryoshka(inner, {widths: [32, 16], weights: [1, 0.5]});
		const {value, gradients} = await evaluated(loss, given, 1, card);
		expect(value.values[0]).toBeCloseTo(plainLoss(loss, given).value, 4);
		const size = Math.hypot(...gradients.map(({values}) => Math.hypot(...values)));
		const limit = gradientUnits * 2 ** -23 * Math.max(size, 1);
		expect(errorAlong(loss, given, gradients)).toBeLessThanOrEqual(limit);
	});
});
