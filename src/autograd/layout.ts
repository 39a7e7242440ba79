// Parts of matrices put together and taken apart, each with its gradient beside it. Native side:
// ops/layout.h.

import type {Tensor} from '../native.js';
import {expectIndices, expectRows, expectWidth, expectWithin, refuse} from './shapes.js';
import type {Tape, Variable} from './tape.js';

/** The rows [begin, begin + count), a view. */
export function rows(tape: Tape, x: Variable, begin: number, count: number): Variable {
	expectWithin('rows', x.rows, begin, count);
	const y = tape.own(x.tensor.slice(begin, count));
	return tape.record(y, [x, dy => tape.compute('paste', x, {row: begin, clear: true, x: dy})]);
}

/** The columns [begin, begin + count), a copy. */
export function columns(tape: Tape, x: Variable, begin: number, count: number): Variable {
	expectWithin('columns', x.columns, begin, count);
	const y = tape.compute('cut', {rows: x.rows, columns: count}, {column: begin, x: x.tensor});
	return tape.record(y, [x, dy => tape.compute('paste', x, {column: begin, clear: true, x: dy})]);
}

export function concatRows(tape: Tape, parts: readonly Variable[]): Variable {
	const [first] = parts;
	if (!first) {
		refuse('concatRows', 'at least one matrix', 'none');
	}
	const begins = beginsOf(parts.map(part => part.rows));
	const y = tape.empty(begins.at(-1)!, first.columns);
	for (const [n, part] of parts.entries()) {
		expectWidth('concatRows', `matrix ${n}`, part, first.columns);
		tape.device.run('paste', {row: begins[n], x: part.tensor, y});
	}
	const share = (n: number) => (dy: Tensor) => tape.own(dy.slice(begins[n]!, parts[n]!.rows));
	return tape.record(y, ...parts.map((part, n) => [part, share(n)] as const));
}

export function concatColumns(tape: Tape, parts: readonly Variable[]): Variable {
	const [first] = parts;
	if (!first) {
		refuse('concatColumns', 'at least one matrix', 'none');
	}
	const begins = beginsOf(parts.map(part => part.columns));
	const y = tape.empty(first.rows, begins.at(-1)!);
	for (const [n, part] of parts.entries()) {
		expectRows('concatColumns', `matrix ${n}`, part, first.rows);
		tape.device.run('paste', {column: begins[n], x: part.tensor, y});
	}
	const share = (n: number) => (dy: Tensor) =>
		tape.compute('cut', parts[n]!, {column: begins[n], x: dy});
	return tape.record(y, ...parts.map((part, n) => [part, share(n)] as const));
}

/** Element numbers[n] of row n. */
export function pick(tape: Tape, x: Variable, numbers: ArrayLike<number>): Variable {
	if (numbers.length !== x.rows) {
		refuse('pick', `${x.rows} column numbers, one a row`, numbers.length);
	}
	const places = tape.indices(expectIndices('pick', numbers, x.columns));
	const y = tape.compute('pickForward', {rows: x.rows, columns: 1}, {x: x.tensor, columns: places});
	return tape.record(y, [x, dy => tape.compute('pickBackward', x, {dy, columns: places}, 'dx')]);
}

/** The rows of these numbers, any of them several times. */
export function gatherRows(tape: Tape, x: Variable, numbers: ArrayLike<number>): Variable {
	const places = tape.indices(expectIndices('gatherRows', numbers, x.rows));
	const shape = {rows: numbers.length, columns: x.columns};
	const y = tape.compute('gatherForward', shape, {x: x.tensor, rows: places});
	return tape.record(y, [x, dy => tape.compute('gatherBackward', x, {dy, rows: places}, 'dx')]);
}

/** Where each part begins, and at the end where all end. */
function beginsOf(extents: readonly number[]): number[] {
	const begins = [0];
	for (const extent of extents) {
		begins.push(begins.at(-1)! + extent);
	}
	return begins;
}
