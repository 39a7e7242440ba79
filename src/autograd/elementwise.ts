// Functions of elements and sums, each with its gradient beside it. Native side: ops/matrix.h.

import type {Tensor} from '../native.js';
import {expectElements, spreadShape} from './shapes.js';
import type {Shape, Tape, Variable} from './tape.js';

export type MapFunction =
	| 'scale'
	| 'shift'
	| 'clamp'
	| 'relu'
	| 'exp'
	| 'log'
	| 'sqrt'
	| 'square'
	| 'abs'
	| 'tanh'
	| 'sigmoid'
	| 'softplus';

export type CombineFunction = 'add' | 'subtract' | 'multiply' | 'divide' | 'logAddExp';

export function map(tape: Tape, name: MapFunction, x: Variable, parameter = 0): Variable {
	const fields = {function: name, parameter, x: x.tensor};
	const y = tape.compute('mapForward', x, fields);
	return tape.record(y, [x, dy => tape.compute('mapBackward', x, {...fields, dy}, 'dx')]);
}

/** f(a, b), where an extent of 1 stands for all rows or columns of the other. */
export function combine(tape: Tape, name: CombineFunction, a: Variable, b: Variable): Variable {
	const shape = spreadShape(name, a, b);
	const fields = {function: name, a: a.tensor, b: b.tensor};
	const y = tape.compute('combineForward', shape, fields);
	const into = (result: string, operand: Variable) => (dy: Tensor) => {
		const whole = tape.compute('combineBackward', shape, {...fields, dy}, result);
		return reducedTo(tape, operand, whole);
	};
	return tape.record(y, [a, into('da', a)], [b, into('db', b)]);
}

/** scale times the sum over the extents in which the shape is 1. */
export function reduce(tape: Tape, x: Variable, shape: Shape, scale: number): Variable {
	const y = tape.compute('reduce', shape, {scale, x: x.tensor});
	return tape.record(y, [x, dy => tape.compute('spread', x, {scale, x: dy})]);
}

export function mean(tape: Tape, x: Variable): Variable {
	expectElements('mean', x);
	return reduce(tape, x, {rows: 1, columns: 1}, 1 / (x.rows * x.columns));
}

export function rowMeans(tape: Tape, x: Variable): Variable {
	expectElements('rowMeans', x);
	return reduce(tape, x, {rows: x.rows, columns: 1}, 1 / x.columns);
}

function reducedTo(tape: Tape, shape: Shape, x: Tensor): Tensor {
	const isWhole = shape.rows === x.rows && shape.columns === x.columns;
	return isWhole ? x : tape.compute('reduce', shape, {scale: 1, x});
}
