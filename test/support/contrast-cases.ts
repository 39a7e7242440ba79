// Contrastive cases of every shape, and the ops of native/ops/contrast.h run on them.

import {expect} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {blank, lazy, type Matrix, matrixOf, normals, randomMatrix} from './matrix.js';
import {
	type ContrastCase,
	type ContrastGradient,
	contrastBackward,
	contrastForward,
	contrastScale,
	type Softmax,
	type SoftmaxGradient,
	type Switches,
	scoresOf,
} from './oracle-contrast.js';
import {type Operand, runOp} from './run-op.js';
import {exact, type Round, single} from './tolerance.js';

export type Outline = {
	texts: number;
	width: number;
	cosine?: 'none' | 'rows' | 'columns' | 'both';
	temperature?: number;
	spread?: number;
	switches?: Partial<Switches>;
};

export const everyone: Switches = {own: true, others: true, ownHard: true, otherHard: true};

/**
A positive for each row and a second one for every fifth, then 0 to 2 hard negatives of each row and a
few that are no row's.
*/
export function caseOf(outline: Outline): ContrastCase {
	const {texts, width, cosine = 'none', temperature = 0.5, spread = 1, switches} = outline;
	const all = Array.from({length: texts}, (_, row) => row);
	const second = all.filter(row => row % 5 === 4).reverse();
	const hard = all.flatMap(row => Array.from({length: row % 3}, () => row));
	const owner = Int32Array.from([...all, ...second, ...hard, -1, texts, 2 ** 31 - 1]);
	const random = normals(texts * 1000 + width);
	return {
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

export function gradientOf({rows}: ContrastCase): SoftmaxGradient {
	const random = normals(rows.rows);
	return {dlse: randomMatrix(rows.rows, 1, random), dmean: randomMatrix(rows.rows, 1, random)};
}

export async function norms(device: NativeDevice, x: Matrix): Promise<Matrix> {
	return (await runOp(device, 'rowNorms', {x}, {inverse: blank(x.rows, 1)})).inverse;
}

export async function operandsOf(device: NativeDevice, given: ContrastCase) {
	const {rows, columns, cosine, temperature, owner, positives, switches} = given;
	return {
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
