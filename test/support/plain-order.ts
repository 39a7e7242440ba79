// How many pairs of pairs stand in another order than a teacher's, by looking at every one.

import type {Matrix} from './matrix.js';
import {exact, type Round} from './tolerance.js';

/** The elements above the diagonal, row after row. */
export function aboveDiagonal({rows, values}: Matrix): number[] {
	const elements: number[] = [];
	for (let row = 0; row < rows; row++) {
		for (let column = row + 1; column < rows; column++) elements.push(values[row * rows + column]!);
	}
	return elements;
}

export function plainOrderedPairs(
	found: Matrix,
	wanted: Matrix,
	margin: number,
	round: Round = exact,
): number {
	const [x, t] = [aboveDiagonal(found), aboveDiagonal(wanted)];
	if (x.length < 2) return 0;
	let sum = 0;
	for (let n = 0; n < x.length; n++) {
		for (let m = 0; m < n; m++) {
			const y = t[n]! < t[m]! ? 1 : -1;
			const apart = round(y * round(x[n]! - x[m]!));
			sum = round(sum + Math.max(0, round(apart + round(margin))));
		}
	}
	return round(sum * round(2 / (x.length * (x.length - 1))));
}
