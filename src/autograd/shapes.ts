// What is asked of the shapes of operands. Wrong ones are refused at the call, before any work.

import {EngineError} from '../errors.js';
import type {Shape} from './tape.js';

export function refuse(where: string, expected: string, got: string | number): never {
	throw new EngineError('LOSS_INVALID', `${where}: expected ${expected}, got ${got}`);
}

export const sizes = ({rows, columns}: Shape): string => `${rows} x ${columns}`;

export function expectRows(where: string, name: string, {rows}: Shape, expected: number): void {
	if (rows !== expected) {
		refuse(where, `${name} of ${expected} rows`, rows);
	}
}

export function expectWidth(where: string, name: string, {columns}: Shape, expected: number): void {
	if (columns !== expected) {
		refuse(where, `${name} of ${expected} columns`, columns);
	}
}

export function expectShape(where: string, name: string, shape: Shape, expected: Shape): void {
	if (shape.rows !== expected.rows || shape.columns !== expected.columns) {
		refuse(where, `${name} of ${sizes(expected)}`, sizes(shape));
	}
}

export function expectElements(where: string, shape: Shape): void {
	if (shape.rows * shape.columns === 0) {
		refuse(where, 'at least one element', sizes(shape));
	}
}

/** The shape of f(a, b), where an extent of 1 stands for all of the other's. */
export function spreadShape(where: string, a: Shape, b: Shape): Shape {
	const fits = (one: number, other: number) => one === other || one === 1 || other === 1;
	if (!fits(a.rows, b.rows) || !fits(a.columns, b.columns)) {
		refuse(where, `b of ${sizes(a)}, or 1 in place of an extent`, sizes(b));
	}
	const extent = (one: number, other: number) => (one === 1 ? other : one);
	return {rows: extent(a.rows, b.rows), columns: extent(a.columns, b.columns)};
}

/** A slice [begin, begin + count) of an extent. */
export function expectWithin(where: string, extent: number, begin: number, count: number): void {
	const whole = Number.isInteger(begin) && Number.isInteger(count);
	if (!whole || begin < 0 || count < 0 || begin + count > extent) {
		refuse(where, `a slice within 0 to ${extent}`, `${begin} to ${begin + count}`);
	}
}

/** Numbers of rows or columns, as an op wants them. */
export function expectIndices(
	where: string,
	indices: ArrayLike<number>,
	limit: number,
): Int32Array {
	for (let n = 0; n < indices.length; n++) {
		const index = indices[n]!;
		if (!Number.isInteger(index) || index < 0 || index >= limit) {
			refuse(where, `whole numbers from 0 to ${limit - 1}`, `${index} at ${n}`);
		}
	}
	return Int32Array.from(indices);
}
