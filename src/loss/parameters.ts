// What a loss learns starts here: shapes by the width of the embeddings, values by a seed.

import type {Shape} from '../autograd/tape.js';
import type {LossParameter} from './loss.js';

export type ParameterStart = Shape & {values: Float32Array};

/** A parameter before the first step: a function of the seed, its name and its shape. */
export function startOf(parameter: LossParameter, width: number, seed: number): ParameterStart {
	const {name, value, shape = () => ({rows: 1, columns: 1}), spread = () => 0} = parameter;
	const {rows, columns} = shape(width);
	const values = new Float32Array(rows * columns).fill(value);
	const reach = spread({rows, columns});
	if (reach > 0) {
		const key = Array.from(name).reduce((sum, letter) => mixed(sum ^ letter.codePointAt(0)!), seed);
		for (let n = 0; n < values.length; n++) {
			values[n]! += reach * (2 * fraction(key, n) - 1);
		}
	}
	return {rows, columns, values};
}

/** A number in [0, 1) for each pair of key and index. */
function fraction(key: number, index: number): number {
	return mixed(mixed(key + Math.imul(index, 0x9e3779b9)) ^ index) / 2 ** 32;
}

/** A permutation of the words of 32 bits in which each bit depends on all. */
function mixed(word: number): number {
	let x = word >>> 0;
	x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
	x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
	return (x ^ (x >>> 15)) >>> 0;
}
