// How near to exact arithmetic a model that computes in 16 bits has to be.

import {expect} from 'vitest';
import type {ModelSpec} from '../../dist/model/spec.js';
import {type Matrix, rowsOf} from './matrix.js';

/** Half of the distance of two neighbours beside 1. */
const unit = 2 ** -9;
/** How often a row is rounded on its way: by the embedding, and by each block with what it multiplies. */
const roundings = {embedding: 2, block: 12};

/**
The length of an error as a share of what it is in, after so many journeys through the model. A rounding is off by a
share that is spread evenly up to the unit, so by unit / √3 on average; roundings are independent, and no block
enlarges what it gets. Twice that, as a few rows of few columns are no average.
*/
const limitOf = ({blocks}: ModelSpec, journeys: number) =>
	2 * unit * Math.sqrt((journeys * (roundings.embedding + roundings.block * blocks.length)) / 3);

const lengthOf = (values: Float64Array) => Math.hypot(...values);

function expectShare(actual: Float64Array, meaning: Float64Array, limit: number, where: string) {
	const error = lengthOf(actual.map((value, at) => value - meaning[at]!));
	expect(error / lengthOf(meaning), where).toBeLessThan(limit);
}

/** Embeddings row by row; what a layer behind the blocks enlarges, it says for each row. */
export function expectNear(
	actual: Matrix,
	meaning: Matrix,
	spec: ModelSpec,
	enlargement: readonly number[] = [],
): void {
	expect([actual.rows, actual.columns]).toEqual([meaning.rows, meaning.columns]);
	for (let row = 0; row < meaning.rows; row += 1) {
		const [own, whole] = [actual, meaning].map(x => rowsOf(x, row, row + 1).values);
		expectShare(own!, whole!, limitOf(spec, 1) * (enlargement[row] ?? 1), `row ${row}`);
	}
}

type Gradients = ReadonlyMap<string, Matrix>;

/** All gradients as one vector: what is wrong with them went there and back. */
export function expectGradientNear(actual: Gradients, meaning: Gradients, spec: ModelSpec): void {
	expect([...actual.keys()]).toEqual([...meaning.keys()]);
	const [own, whole] = [actual, meaning].map(all =>
		Float64Array.from([...all.values()].flatMap(({values}) => [...values])),
	);
	expectShare(own!, whole!, limitOf(spec, 2), 'the gradient');
}
