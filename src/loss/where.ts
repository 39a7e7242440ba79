// Choices by the value of a number that is not yet known when the loss is recorded.

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';

/** Larger than the inverse of any difference of float32 numbers that are not tiny. */
const steep = 1e30;

/** 1 where x is above 0, otherwise 0; no gradient goes to x. */
export function isAbove(ops: LossOperations, x: Variable): Variable {
	const sign = ops.tanh(ops.addScalar(ops.scale(ops.detach(x), steep), -30));
	return ops.scale(ops.addScalar(sign, 1), 0.5);
}

/** a where the condition is 1, b where it is 0. */
export function choose(
	ops: LossOperations,
	condition: Variable,
	a: Variable,
	b: Variable,
): Variable {
	const otherwise = ops.addScalar(ops.scale(condition, -1), 1);
	return ops.add(ops.multiply(condition, a), ops.multiply(otherwise, b));
}
