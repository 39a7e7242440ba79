// Texts by their class: labels as whole numbers, and cross-entropy with smoothing.

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {expectLabels, refuse} from './inputs.js';
import type {LossInputs, NumbersNeeded} from './loss.js';
import {numberOption, type Option} from './options.js';

/** How many classes there are; their labels are 0, 1 and so on. */
export const classesOption: Option<number> = numberOption(2, {from: 2, whole: true});

export function classNeed(classes: number): NumbersNeeded {
	return {from: 0, to: classes - 1, whole: true};
}

/** The class of each row. */
export function expectClasses(
	loss: string,
	inputs: LossInputs,
	rows: number,
	classes: number,
): Float32Array {
	const labels = expectLabels(loss, inputs, rows);
	const wrong = labels.find(label => !(Number.isInteger(label) && label >= 0 && label < classes));
	if (wrong !== undefined) {
		refuse(loss, `labels as whole numbers from 0 to ${classes - 1}`, `${wrong}; set classes`);
	}
	return labels;
}

/** Ones at the class of each row, zeros elsewhere: (N, classes). */
export function marks(ops: LossOperations, labels: Float32Array, classes: number): Variable {
	const values = new Float32Array(labels.length * classes);
	for (const [row, label] of labels.entries()) {
		values[row * classes + label] = 1;
	}
	return ops.constant(values, labels.length, classes);
}

/** Mean over rows of −(1 − ε) log p(own class) − ε mean over classes of log p. */
export function smoothedEntropy(
	ops: LossOperations,
	logits: Variable,
	labels: Float32Array,
	smoothing: number,
): Variable {
	const own = ops.scale(ops.crossEntropy(logits, labels), 1 - smoothing);
	if (smoothing === 0) {
		return own;
	}
	return ops.subtract(own, ops.scale(ops.mean(ops.logSoftmaxRows(logits)), smoothing));
}
