// Oracles of Adafactor and of AdamW over 8-bit moments, as plain as they come.

import {type Matrix, matrixOf} from './matrix.js';
import {mapped} from './oracle.js';
import {exact, type Round} from './tolerance.js';

/** A matrix with the means of squares of its rows and of its columns. */
export type Factored = {weight: Matrix; rows: Matrix; columns: Matrix};

export type Adafactor = {rate: number; decay: number; gradientScale: number; step: number};

/** One step as transformers takes it without scale_parameter and relative_step. */
export function adafactor(
	{weight, rows, columns}: Factored,
	gradient: Matrix,
	{rate, decay, gradientScale, step}: Adafactor,
	round: Round = exact,
): Factored {
	const beta = 1 - step ** -0.8;
	const g = mapped(gradient, value => round(value * gradientScale));
	const squares = mapped(g, value => round(round(value * value) + 1e-30));
	const width = weight.columns;
	const meanOf = (values: readonly number[]) =>
		round(values.reduce((sum, value) => round(sum + value), 0) / values.length);
	const blend = (before: number, fresh: number) =>
		round(round(beta * before) + round((1 - beta) * fresh));
	const all = [...squares.values];
	const r = mapped(rows, (before, row) =>
		blend(before, meanOf(all.slice(row * width, (row + 1) * width))),
	);
	const c = mapped(columns, (before, column) =>
		blend(before, meanOf(all.filter((_, at) => at % width === column))),
	);
	const mean = meanOf([...r.values]);
	const direction = mapped(g, (value, at) => {
		const row = 1 / Math.sqrt(round(r.values[Math.floor(at / width)]! / mean));
		return round(round(value * round(row)) * round(1 / Math.sqrt(c.values[at % width]!)));
	});
	const length = Math.sqrt(meanOf([...direction.values].map(value => round(value * value))));
	const most = Math.max(1, length);
	const moved = mapped(weight, (value, at) =>
		round(
			round(value * round(1 - rate * decay)) - round(rate * round(direction.values[at]! / most)),
		),
	);
	return {weight: moved, rows: r, columns: c};
}

/** The values of the dynamic maps of Dettmers and others (2022), numbered as they rise. */
export function dynamicMap(signed: boolean): number[] {
	const values = [0, 1];
	for (let decade = 0; decade < 7; decade++) {
		const parts = 2 ** decade * (signed ? 1 : 2);
		for (let part = 0; part < parts; part++) {
			const value = 10 ** (decade - 6) * (0.1 + (0.9 * (part + 0.5)) / parts);
			values.push(value, ...(signed ? [-value] : []));
		}
	}
	return values.map(Math.fround).sort((a, b) => a - b);
}

/** Moments as codes and the scale of each block. */
export type Coded = {codes: number[]; scales: number[]};

export const blockSize = 256;

export function decoded({codes, scales}: Coded, map: readonly number[]): Matrix {
	return matrixOf(1, codes.length, at => map[codes[at]!]! * scales[Math.floor(at / blockSize)]!);
}

/** The nearest codes, tried one by one; of two equally near that of the smaller magnitude. */
export function encoded({values}: Matrix, map: readonly number[]): Coded {
	const blocks = Array.from({length: Math.ceil(values.length / blockSize)}, (_, n) =>
		values.slice(n * blockSize, (n + 1) * blockSize),
	);
	const scales = blocks.map(block => block.reduce((most, x) => Math.max(most, Math.abs(x)), 0));
	const nearest = (x: number) =>
		map
			.map((value, code) => ({code, apart: Math.abs(x - value), size: Math.abs(value)}))
			.reduce((a, b) => (b.apart < a.apart || (b.apart === a.apart && b.size < a.size) ? b : a))
			.code;
	const codes = blocks.flatMap((block, n) =>
		[...block].map(x => nearest(scales[n]! > 0 ? x / scales[n]! : 0)),
	);
	return {codes, scales};
}

export type Moments8 = {weight: Matrix; first: Coded; second: Coded};

export const maps = {first: dynamicMap(true), second: dynamicMap(false)};
