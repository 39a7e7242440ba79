// What the ops over packed texts mean: embedding and pooling. See oracle.ts.

import {type Matrix, zeros} from './matrix.js';
import type {Pooling} from './oracle.js';
import {exact, type Round} from './tolerance.js';

export type Tables = {tokens: Matrix; positions?: Matrix | undefined; types?: Matrix | undefined};

/** For every token the rows of the tables that it reads. */
function rowsRead(ids: Int32Array, offsets: Int32Array, positionOffset: number) {
	return [...offsets.subarray(1)].flatMap((end, text) => {
		const begin = offsets[text]!;
		return [...ids.subarray(begin, end)].map(
			(id, place) => [id, place + positionOffset, 0] as const,
		);
	});
}

export type Texts = {ids: Int32Array; offsets: Int32Array; positionOffset: number};

export function embedForward(
	{ids, offsets, positionOffset}: Texts,
	{tokens, positions, types}: Tables,
	round: Round = exact,
): Matrix {
	const x = zeros(ids.length, tokens.columns);
	for (const [token, rows] of rowsRead(ids, offsets, positionOffset).entries()) {
		for (let column = 0; column < x.columns; column += 1) {
			const values = [tokens, positions, types].map(
				(table, kind) => table?.values[rows[kind]! * x.columns + column] ?? 0,
			);
			x.values[token * x.columns + column] = values.reduce((total, value) => round(total + value));
		}
	}
	return x;
}

/** The tables with the rows of dx added where they were read. */
export function embedBackward(
	{ids, offsets, positionOffset}: Texts,
	{dx, before}: {dx: Matrix; before: Record<keyof Tables, Matrix>},
	round: Round = exact,
): Record<keyof Tables, Matrix> {
	const [tokens, positions, types] = [before.tokens, before.positions, before.types].map(table => ({
		...table,
		values: table.values.slice(),
	})) as [Matrix, Matrix, Matrix];
	for (const [token, rows] of rowsRead(ids, offsets, positionOffset).entries()) {
		for (let column = 0; column < dx.columns; column += 1) {
			for (const [kind, {values}] of [tokens, positions, types].entries()) {
				const at = rows[kind]! * dx.columns + column;
				values[at] = round(values[at]! + dx.values[token * dx.columns + column]!);
			}
		}
	}
	return {tokens, positions, types};
}

/** The rows of a text, by their place in it, that make what it pools to; all with the same share. */
function chosenRows(kind: Pooling, length: number): number[] {
	const rows = Array.from({length}, (_, row) => row);
	return {cls: rows.slice(0, 1), mean: rows, last: rows.slice(-1)}[kind];
}

export function poolForward(
	kind: Pooling,
	x: Matrix,
	offsets: Int32Array,
	round: Round = exact,
): Matrix {
	const {columns} = x;
	const y = zeros(offsets.length - 1, columns);
	for (let at = 0; at < y.values.length; at += 1) {
		const [text, column] = [Math.floor(at / columns), at % columns];
		const begin = offsets[text]!;
		const rows = chosenRows(kind, offsets[text + 1]! - begin);
		const value = (row: number) => x.values[(begin + row) * columns + column]!;
		const total = rows.reduce((partial, row) => round(partial + value(row)), 0);
		y.values[at] = round(total / Math.max(1, rows.length));
	}
	return y;
}

export function poolBackward(
	kind: Pooling,
	dy: Matrix,
	offsets: Int32Array,
	round: Round = exact,
): Matrix {
	const {columns} = dy;
	const dx = zeros(offsets.at(-1)!, columns);
	for (let text = 0; text < dy.rows; text += 1) {
		const begin = offsets[text]!;
		const rows = chosenRows(kind, offsets[text + 1]! - begin);
		for (const row of rows) {
			for (let column = 0; column < columns; column += 1) {
				const value = round(dy.values[text * columns + column]! / rows.length);
				dx.values[(begin + row) * columns + column] = value;
			}
		}
	}
	return dx;
}
