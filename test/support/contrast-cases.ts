// Contrastive cases of every shape, and the ops of native/ops/contrast.h run on them.

import {expect} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {
	blank,
	lazy,
	type Matrix,
	matrixOf,
	normals,
	randomMatrix,
	roundToBf16,
	rowsOf,
} from './matrix.js';
import {mapped} from './oracle.js';
import {
	type ContrastCase,
	type ContrastGradient,
	contrastBackward,
	contrastForward,
	contrastScale,
	type Rules,
	type Softmax,
	type SoftmaxGradient,
	type Switches,
	scoresOf,
} from './oracle-contrast.js';
import {integers, type Operand, runOp} from './run-op.js';
import {exact, type Round, single} from './tolerance.js';

export type Outline = {
	texts: number;
	width: number;
	cosine?: 'none' | 'rows' | 'columns' | 'both';
	temperature?: number;
	spread?: number;
	switches?: Partial<Switches>;
	clamp?: readonly [number, number];
	hardness?: {strength: number; own: boolean; others: boolean};
	rules?: readonly RuleName[];
	/** On a card alone: products of 16 bits, of vectors that these hold. */
	short?: boolean;
	/** So many of the rows or columns alone. */
	only?: {rows?: number; columns?: number};
};

export type RuleName = 'lists' | 'sets' | 'limit' | 'guide';

export const everyone: Switches = {own: true, others: true, ownHard: true, otherHard: true};

/**
A positive for each row and a second one for every fifth, then 0 to 2 hard negatives of each row and a
few that are no row's.
*/
export function caseOf(outline: Outline): ContrastCase {
	const {rows: allRows, columns: allColumns, owner, positives, ...rest} = wholeCaseOf(outline);
	const {rows = allRows.rows, columns = allColumns.rows} = outline.only ?? {};
	return {
		...rest,
		...(outline.short && {short: true}),
		rows: mapped(rowsOf(allRows, 0, rows), outline.short ? roundToBf16 : exact),
		columns: mapped(rowsOf(allColumns, 0, columns), outline.short ? roundToBf16 : exact),
		owner: owner.slice(0, columns),
		positives: Math.min(positives, columns),
	};
}

function wholeCaseOf(outline: Outline): ContrastCase {
	const {texts, width, cosine = 'none', temperature = 0.5, spread = 1, switches} = outline;
	const {clamp, hardness, rules} = outline;
	const all = Array.from({length: texts}, (_, row) => row);
	const second = all.filter(row => row % 5 === 4).reverse();
	const hard = all.flatMap(row => Array.from({length: row % 3}, () => row));
	const owner = Int32Array.from([...all, ...second, ...hard, -1, texts, 2 ** 31 - 1]);
	const random = normals(texts * 1000 + width);
	return {
		...(clamp && {clamp}),
		...(hardness && {hardness}),
		...(rules && {rules: rulesOf(rules, texts, owner.length)}),
		rows: randomMatrix(texts, width, random, spread / Math.sqrt(width)),
		columns: randomMatrix(owner.length, width, random, spread),
		cosine: {
			rows: cosine === 'rows' || cosine === 'both',
			columns: cosine === 'columns' || cosine === 'both',
		},
		temperature: Math.fround(temperature),
		owner,
		positives: texts + second.length,
		switches: {...everyone, ...switches},
	};
}

/** Two lists, of which the first is empty for most rows, three sets, and limits that remove some. */
function rulesOf(names: readonly RuleName[], rows: number, columns: number): Rules {
	const random = normals(rows + columns);
	const list = (count: number, from: (row: number) => number[]) => ({
		rows: Array.from({length: rows}, (_, row) => from(row)),
		columns: Array.from({length: columns}, (_, column) =>
			column % count === 3 ? -1 : column % count,
		),
	});
	const numbers = (length: number, from: (n: number) => number) =>
		Array.from({length}, (_, n) => from(n));
	const all: Required<Rules> = {
		lists: [
			list(11, row => (row % 7 === 1 ? [0, row % 11] : [])),
			list(19, row => numbers(row % 4, n => (row + 5 * n) % 19)),
		],
		sets: {rows: numbers(rows, row => row % 3), columns: numbers(columns, at => (at >> 2) % 3)},
		limit: randomMatrix(rows, 1, random, 0.7),
		guide: {
			rows: randomMatrix(rows, 6, random),
			columns: randomMatrix(columns, 6, random),
			limit: randomMatrix(rows, 1, random, 0.5),
		},
	};
	return Object.fromEntries(names.map(name => [name, all[name]]));
}

export function gradientOf({rows}: ContrastCase): SoftmaxGradient {
	const random = normals(rows.rows);
	return {dlse: randomMatrix(rows.rows, 1, random), dmean: randomMatrix(rows.rows, 1, random)};
}

export async function norms(device: NativeDevice, x: Matrix): Promise<Matrix> {
	return (await runOp(device, 'rowNorms', {x}, {inverse: blank(x.rows, 1)})).inverse;
}

export async function operandsOf(device: NativeDevice, given: ContrastCase) {
	const {rows, columns, cosine, temperature, owner, positives, switches} = given;
	const {clamp, hardness} = given;
	return {
		...(given.short && {shortProducts: true}),
		...(clamp && {lowest: clamp[0], highest: clamp[1]}),
		...(hardness && {
			hardness: hardness.strength,
			weighsOwn: hardness.own,
			weighsOthers: hardness.others,
		}),
		...(await ruleOperands(device, given)),
		rows,
		columns,
		rowScale: cosine.rows ? await norms(device, rows) : undefined,
		columnScale: cosine.columns ? await norms(device, columns) : undefined,
		temperature: matrixOf(1, 1, () => temperature),
		owner,
		positives,
		...switches,
	} satisfies Record<string, Operand>;
}

async function ruleOperands(
	device: NativeDevice,
	{rules: {lists = [], sets, limit, guide} = {}, rows, columns}: ContrastCase,
): Promise<Record<string, Operand>> {
	const table = (values: number[], height: number) =>
		integers(device, Int32Array.from(values)).reshape(height, values.length / height);
	const keys = lists.map(list => list.rows.flat());
	const begins = keys.map((_, n) => keys.slice(0, n).flat().length);
	const offsets = lists.flatMap((list, n) => {
		const ends = list.rows.map((_, row) => list.rows.slice(0, row + 1).flat().length);
		return [0, ...ends].map(end => begins[n]! + end);
	});
	const listed = {
		listOffsets: table(offsets, lists.length || 1),
		listKeys: integers(device, Int32Array.from([...keys.flat(), 0])),
		columnKeys: table(
			lists.flatMap(list => [...list.columns]),
			lists.length || 1,
		),
	};
	return {
		...(lists.length > 0 && listed),
		...(sets && {
			rowSet: table([...sets.rows], rows.rows),
			columnSet: table([...sets.columns], columns.rows),
		}),
		limit,
		...(guide && {
			guideRows: guide.rows,
			guideColumns: guide.columns,
			guideRowScale: await norms(device, guide.rows),
			guideColumnScale: await norms(device, guide.columns),
			guideLimit: guide.limit,
		}),
	};
}

/** What forward says of the rules. */
export async function removedBy(device: NativeDevice, given: ContrastCase) {
	const [n, rules] = [given.rows.rows, (given.rules?.lists?.length ?? 0) + 3];
	const outputs = {
		lse: blank(n, 1),
		count: blank(n, 1),
		removed: blank(1, rules),
		suspects: blank(n, 2),
	};
	return runOp(device, 'contrastForward', await operandsOf(device, given), outputs);
}

export async function forward(device: NativeDevice, given: ContrastCase): Promise<Softmax> {
	const n = given.rows.rows;
	const outputs = {lse: blank(n, 1), mean: blank(n, 1), count: blank(n, 1)};
	return runOp(device, 'contrastForward', await operandsOf(device, given), outputs);
}

export const blankGradient = ({rows, columns}: ContrastCase): ContrastGradient => ({
	drows: blank(rows.rows, rows.columns),
	dcolumns: blank(columns.rows, columns.columns),
	dtemperature: blank(1, 1),
});

export async function backward<Name extends string = keyof ContrastGradient>(
	device: NativeDevice,
	given: ContrastCase,
	{dlse, dmean}: SoftmaxGradient,
	outputs: Record<Name, Matrix> = blankGradient(given) as Record<Name, Matrix>,
): Promise<Record<Name, Matrix>> {
	const {lse, count} = await forward(device, given);
	const operands = {...(await operandsOf(device, given)), lse, count, dlse, dmean};
	return runOp(device, 'contrastBackward', operands, outputs);
}

/** Rows that meet no one have minus infinity, exactly those; they are zero in what is returned. */
export function finite(lse: Matrix, {values}: Matrix): Matrix {
	const met = Array.from(values, value => value > 0);
	expect(Array.from(lse.values, value => value !== -Infinity)).toEqual(met);
	return matrixOf(lse.rows, 1, row => (met[row] ? lse.values[row]! : 0));
}

/** An oracle evaluated once for each rounding, though several sets of kernels are held to it. */
export function held(outline: Outline) {
	const given = lazy(() => caseOf(outline));
	const gradient = lazy(() => gradientOf(given()));
	const of = (round: Round) => {
		const scores = lazy(() => scoresOf(given(), round));
		return {
			softmax: lazy(() => contrastForward(given(), round, scores())),
			back: lazy(() => contrastBackward(given(), gradient(), round, scores())),
			scale: lazy(() => contrastScale(given(), gradient(), scores())),
		};
	};
	const oracles = new Map([exact, single].map(round => [round, of(round)]));
	const scale = () => oracles.get(exact)!.scale();
	return {given, gradient, scale, at: (round: Round) => oracles.get(round)!};
}

export type Held = ReturnType<typeof held>;
