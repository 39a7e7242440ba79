// What the ops over packed texts mean: embedding and pooling. See oracle.ts.

import {type Matrix, zeros} from './matrix.js';
import {exact, type Round} from './tolerance.js';

export type Tables = {tokens: Matrix; positions?: Matrix | undefined; types?: Matrix | undefined};

/** For every token the rows of the tables that it reads. */
function rowsRead({ids, offsets, positionOffset, padding = -1}: Texts) {
	return [...offsets.subarray(1)].flatMap((end, text) => {
		const own = [...ids.subarray(offsets[text]!, end)];
		const placeOf = (place: number) => own.slice(0, place).filter(id => id !== padding).length;
		return own.map((id, place) => {
			const row = id === padding ? -1 : placeOf(place);
			return [id, row + positionOffset, 0] as const;
		});
	});
}

export type Texts = {
	ids: Int32Array;
	offsets: Int32Array;
	positionOffset: number;
	/** The id of tokens that are not counted and read the row before the first. */
	padding?: number | undefined;
	/** Of the rows of tokens. */
	scale?: number | undefined;
};

export function embedForward(
	texts: Texts,
	{tokens, positions, types}: Tables,
	round: Round = exact,
): Matrix {
	const {ids, scale = 1} = texts;
	const x = zeros(ids.length, tokens.columns);
	for (const [token, rows] of rowsRead(texts).entries()) {
		for (let column = 0; column < x.columns; column += 1) {
			const [word, ...others] = [tokens, positions, types].map(
				(table, kind) => table?.values[rows[kind]! * x.columns + column] ?? 0,
			);
			const total = others.reduce((sum, value) => round(sum + value), round(word! * scale));
			x.values[token * x.columns + column] = total;
		}
	}
	return x;
}

/** The tables with the rows of dx added where they were read, `scale` times for the tokens. */
export function embedBackward(
	texts: Texts,
	{dx, before}: {dx: Matrix; before: Record<keyof Tables, Matrix>},
	round: Round = exact,
): Record<keyof Tables, Matrix> {
	const [tokens, positions, types] = [before.tokens, before.positions, before.types].map(table => ({
		...table,
		values: table.values.slice(),
	})) as [Matrix, Matrix, Matrix];
	const {padding = -1, scale = 1} = texts;
	for (const [token, rows] of rowsRead(texts).entries()) {
		for (let column = 0; column < dx.columns; column += 1) {
			for (const [kind, {values}] of [tokens, positions, types].entries()) {
				if (rows[0] === padding && kind < 2) continue;
				const at = rows[kind]! * dx.columns + column;
				const value = dx.values[token * dx.columns + column]!;
				values[at] = round(values[at]! + (kind === 0 ? round(value * scale) : value));
			}
		}
	}
	return {tokens, positions, types};
}

export type Pooling = 'cls' | 'max' | 'mean' | 'mean_sqrt_len' | 'weightedmean' | 'last';

export type Pooled = {
	kind: Pooling;
	offsets: Int32Array;
	/** How many leading rows of each text take no part. */
	skip?: Int32Array | undefined;
};

type Term = {row: number; weight: number};

/** The rows of a text that its pooling sees, with their weights before these are divided. */
function termsOf({kind, offsets, skip}: Pooled, text: number): Term[] {
	const [begin, end] = [offsets[text]!, offsets[text + 1]!];
	const all = Array.from({length: end - begin}, (_, place) => ({
		row: begin + place,
		weight: kind === 'weightedmean' ? place + 1 : 1,
	}));
	const left = all.slice(skip?.[text] ?? 0);
	const ends: Partial<Record<Pooling, Term[]>> = {cls: left.slice(0, 1), last: left.slice(-1)};
	return ends[kind] ?? left;
}

/** The generalised mean: the root of the mean of the powers of what is raised to 1e-6. */
export function gemForward(
	{offsets, skip, power}: Omit<Pooled, 'kind'> & {power: number},
	x: Matrix,
	round: Round = exact,
): Matrix {
	const {columns} = x;
	const rows = Array.from({length: offsets.length - 1}, (_, text) => {
		const terms = termsOf({kind: 'mean', offsets, skip}, text);
		return Array.from({length: columns}, (_, column) => {
			const value = ({row}: Term) => Math.max(x.values[row * columns + column]!, 1e-6);
			const add = (sum: number, term: Term) => round(sum + round(value(term) ** power));
			const mean = round(terms.reduce(add, 0) / terms.length);
			return terms.length === 0 ? 0 : round(mean ** round(1 / power));
		});
	});
	return {rows: rows.length, columns, values: Float64Array.from(rows.flat())};
}

function divisorOf(kind: Pooling, terms: readonly Term[], round: Round): number {
	const total = terms.reduce((sum, {weight}) => sum + weight, 0);
	return kind === 'mean_sqrt_len' ? round(Math.sqrt(total)) : total;
}

export function poolForward(pooled: Pooled, x: Matrix, round: Round = exact): Matrix {
	const {columns} = x;
	const rows = Array.from({length: pooled.offsets.length - 1}, (_, text) => {
		const terms = termsOf(pooled, text);
		const divisor = divisorOf(pooled.kind, terms, round);
		return Array.from({length: columns}, (_, column) => {
			const value = (row: number) => x.values[row * columns + column]!;
			if (terms.length === 0) return 0;
			if (pooled.kind === 'max') return Math.max(...terms.map(({row}) => value(row)));
			const add = (sum: number, {row, weight}: Term) => round(sum + round(weight * value(row)));
			return round(terms.reduce(add, 0) / divisor);
		});
	});
	return {rows: rows.length, columns, values: Float64Array.from(rows.flat())};
}

/** The row that holds each largest element, the first of equal ones; -1 for a text without rows. */
export function poolArgmax(pooled: Pooled, x: Matrix): Int32Array {
	const y = poolForward({...pooled, kind: 'max'}, x);
	return Int32Array.from(y.values, (most, at) => {
		const terms = termsOf(pooled, Math.floor(at / x.columns));
		const found = terms.find(({row}) => x.values[row * x.columns + (at % x.columns)] === most);
		return found?.row ?? -1;
	});
}

/** The gradient of x; `argmax` is that of the largest elements. */
export function poolBackward(
	pooled: Pooled & {argmax?: Int32Array | undefined},
	dy: Matrix,
	round: Round = exact,
): Matrix {
	const {columns} = dy;
	const dx = zeros(pooled.offsets.at(-1)!, columns);
	for (const [at, value] of dy.values.entries()) {
		const [text, column] = [Math.floor(at / columns), at % columns];
		const terms = termsOf(pooled, text);
		const divisor = divisorOf(pooled.kind, terms, round);
		for (const {row, weight} of terms) {
			const share = pooled.argmax ? Number(pooled.argmax[at] === row) : round(weight / divisor);
			dx.values[row * columns + column] = round(value * share);
		}
	}
	return dx;
}
