// What a loss learns starts here: shapes by the width of the embeddings, values by a seed.

import type {Shape} from '../autograd/tape.js';
import {fraction, keyOf} from '../draws.js';
import type {LossParameter} from './loss.js';

export type ParameterStart = Shape & {values: Float32Array};

/** A parameter before the first step: a function of the seed, its name and its shape. */
export function startOf(parameter: LossParameter, width: number, seed: number): ParameterStart {
	const {name, value, shape = () => ({rows: 1, columns: 1}), spread = () => 0} = parameter;
	const {rows, columns} = shape(width);
	const values = new Float32Array(rows * columns).fill(value);
	const reach = spread({rows, columns});
	if (reach > 0) {
		const key = keyOf(seed, name);
		for (let n = 0; n < values.length; n++) {
			values[n]! += reach * (2 * fraction(key, n) - 1);
		}
	}
	return {rows, columns, values};
}
