// Golden values of losses, recomputed in plain Python from the definitions of five systems.

import {describe, expect, test} from 'vitest';
import {evaluateLoss, type PlainInputs} from '../../dist/loss/evaluate.js';
import {type LossName, losses} from '../../dist/loss/index.js';
import type {Loss} from '../../dist/loss/loss.js';

type Inputs = Omit<PlainInputs, 'columns'>;

const column = (...rows: number[][]) => ({
	data: Float32Array.from(rows.flat()),
	rows: rows.length,
	width: rows[0]!.length,
});
const queries = column([1, 2, 0, 1], [0, 1, 2, -1]);
const positives = column([1, 1, 0, 1], [0, 1, 1, 0]);
const negatives = column([1, -1, 1, 0], [1, 1, 1, 1]);
const triplets = [queries, positives, negatives];

async function expectValue(
	[name, options]: readonly [LossName, object],
	inputs: PlainInputs,
	expected: number,
): Promise<void> {
	const loss = (losses[name] as (options: object) => Loss)(options);
	expect((await evaluateLoss(loss, inputs)).value).toBeCloseTo(expected, 5);
}

describe('triplets', () => {
	const logSigmoid = {form: 'logSigmoid', temperature: 0.1};

	test.each([
		['triplet', logSigmoid, 0.065271],
		['triplet', {...logSigmoid, margin: 0.1}, -0.03666],
		['triplet', {margin: 0.5}, 0.021111],
		['hinge', {margin: 0.5}, 0.021111],
		['logistic', {temperature: 0.1}, 0.005116],
		['contrastive', {margin: 0.5}, 0.02122],
	] as const)('%s %j is %d', async (name, options, expected) => {
		await expectValue([name, options], {columns: triplets}, expected);
	});

	test('contrastive of four labelled pairs is 0.021220', async () => {
		const both = (a: typeof queries, b: typeof queries) =>
			column(...[a, b].flatMap(({data}) => [[...data.slice(0, 4)], [...data.slice(4)]]));
		const columns = [both(queries, queries), both(positives, negatives)];
		const given: Inputs = {labels: Float32Array.of(1, 1, 0, 0)};
		await expectValue(['contrastive', {margin: 0.5}], {columns, ...given}, 0.02122);
	});
});
