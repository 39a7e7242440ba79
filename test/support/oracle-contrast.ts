// What the contrastive softmax means: scores of chosen pairs, their log-sum-exp and mean by row, and the
// gradient of both, in float64 or rounded after every operation. See oracle.ts.

import {type Matrix, matrixOf, zeros} from './matrix.js';
import {dotOfRows} from './oracle.js';
import {exact, type Round} from './tolerance.js';

export type Switches = {own: boolean; others: boolean; ownHard: boolean; otherHard: boolean};

export type ContrastCase = {
	rows: Matrix;
	columns: Matrix;
	/** Whether the vectors of a side are brought to unit length. */
	cosine: {rows: boolean; columns: boolean};
	temperature: number;
	/** The row that each column belongs to. */
	owner: Int32Array;
	/** How many columns are positives; the others are hard negatives. */
	positives: number;
	switches: Switches;
};

export type Softmax = {lse: Matrix; mean: Matrix; count: Matrix};
export type SoftmaxGradient = {dlse: Matrix; dmean?: Matrix | undefined};
export type ContrastGradient = {drows: Matrix; dcolumns: Matrix; dtemperature: Matrix};

export function isCandidate(given: ContrastCase, row: number, column: number): boolean {
	const {own, others, ownHard, otherHard} = given.switches;
	const owned = given.owner[column] === row;
	return column < given.positives ? (owned ? own : others) : owned ? ownHard : otherHard;
}

/** 1 / |x| by rows, |x| at least 1e-12. */
export function rowNorms(x: Matrix, round: Round = exact): Matrix {
	return matrixOf(x.rows, 1, row => {
		const length = round(Math.sqrt(dotOfRows(x, row, x, row, round)));
		return round(1 / Math.max(length, 1e-12));
	});
}

/** The score of every pair, candidate or not; the oracles take them where they are known already. */
export function scoresOf(given: ContrastCase, round: Round): Matrix {
	const {rows, columns, temperature} = given;
	const {ofRows, ofColumns} = scalesOf(given, round);
	return matrixOf(rows.rows, columns.rows, at => {
		const [row, column] = [Math.floor(at / columns.rows), at % columns.rows];
		const dot = dotOfRows(rows, row, columns, column, round);
		return round(round(round(dot * ofRows[row]!) * ofColumns[column]!) / temperature);
	});
}

function scalesOf({rows, columns, cosine}: ContrastCase, round: Round) {
	const scales = (x: Matrix, unit: boolean) =>
		unit ? rowNorms(x, round).values : new Float64Array(x.rows).fill(1);
	return {ofRows: scales(rows, cosine.rows), ofColumns: scales(columns, cosine.columns)};
}

export function contrastForward(
	given: ContrastCase,
	round: Round = exact,
	scores: Matrix = scoresOf(given, round),
): Softmax {
	const [lse, mean, count] = [0, 1, 2].map(() => zeros(given.rows.rows, 1)) as [
		Matrix,
		Matrix,
		Matrix,
	];
	for (let row = 0; row < scores.rows; row += 1) {
		const met = candidatesOf(given, scores, row);
		const most = met.reduce((a, b) => Math.max(a, b), -Infinity);
		const powers = met.map(score => round(Math.exp(round(score - most))));
		const total = powers.reduce((sum, power) => round(sum + power), 0);
		lse.values[row] = met.length > 0 ? round(most + round(Math.log(total))) : -Infinity;
		const sum = met.reduce((all, score) => round(all + score), 0);
		mean.values[row] = met.length > 0 ? round(sum / met.length) : 0;
		count.values[row] = met.length;
	}
	return {lse, mean, count};
}

function candidatesOf(given: ContrastCase, scores: Matrix, row: number): number[] {
	const begin = row * scores.columns;
	return [...scores.values.subarray(begin, begin + scores.columns)].filter((_, column) =>
		isCandidate(given, row, column),
	);
}

/** The gradient of the sum of dlse lse + dmean mean. */
export function contrastBackward(
	given: ContrastCase,
	gradient: SoftmaxGradient,
	round: Round = exact,
	scores: Matrix = scoresOf(given, round),
): ContrastGradient {
	const {rows, columns, temperature, cosine} = given;
	const dscores = gradientOfScores(given, scores, gradient, round);
	const {ofRows, ofColumns} = scalesOf(given, round);
	const [across, sides] = [transposed(scores), transposed(dscores)];
	const ofRow = {x: rows, scale: ofRows, unit: cosine.rows};
	const ofColumn = {x: columns, scale: ofColumns, unit: cosine.columns};
	let along = 0;
	for (const [at, g] of dscores.values.entries()) {
		along = round(along + round(g * scores.values[at]!));
	}
	return {
		drows: gradientOfSide(ofRow, ofColumn, scores, dscores, temperature, round),
		dcolumns: gradientOfSide(ofColumn, ofRow, across, sides, temperature, round),
		dtemperature: matrixOf(1, 1, () => round(-along / temperature)),
	};
}

function gradientOfScores(
	given: ContrastCase,
	scores: Matrix,
	{dlse, dmean}: SoftmaxGradient,
	round: Round,
): Matrix {
	const {lse, count} = contrastForward(given, round, scores);
	return matrixOf(scores.rows, scores.columns, at => {
		const [row, column] = [Math.floor(at / scores.columns), at % scores.columns];
		if (!isCandidate(given, row, column)) return 0;
		const share = round(Math.exp(round(scores.values[at]! - lse.values[row]!)));
		const shift = round((dmean?.values[row] ?? 0) / count.values[row]!);
		return round(round(dlse.values[row]! * share) + shift);
	});
}

type Side = {x: Matrix; scale: Float64Array; unit: boolean};

/** Rows of scores belong to `side`, columns to `other`. */
function gradientOfSide(
	side: Side,
	other: Side,
	scores: Matrix,
	dscores: Matrix,
	temperature: number,
	round: Round,
): Matrix {
	const width = side.x.columns;
	const dx = zeros(side.x.rows, width);
	for (let row = 0; row < dx.rows; row += 1) {
		const out = dx.values.subarray(row * width, (row + 1) * width);
		const scale = side.scale[row]!;
		let along = 0;
		for (let column = 0; column < scores.columns; column += 1) {
			const g = dscores.values[row * scores.columns + column]!;
			along = round(along + round(g * scores.values[row * scores.columns + column]!));
			const weight = round(g * other.scale[column]!);
			for (let k = 0; k < width; k += 1) {
				out[k] = round(out[k]! + round(weight * other.x.values[column * width + k]!));
			}
		}
		const inside = side.unit ? round(round(scale * along) * scale) : 0;
		for (let k = 0; k < width; k += 1) {
			const outside = round(out[k]! * round(scale / temperature));
			out[k] = round(outside - round(inside * side.x.values[row * width + k]!));
		}
	}
	return dx;
}

function transposed({rows, columns, values}: Matrix): Matrix {
	return matrixOf(columns, rows, at => values[(at % rows) * columns + Math.floor(at / rows)]!);
}

export type ContrastScale = {
	lse: number;
	mean: number;
	drows: number;
	dcolumns: number;
	dtemperature: number;
};

/**
The size of the terms that float32 rounds. A score is the sum of terms as large as the lengths of its
vectors; what is wrong with a score is wrong with its exponential, relatively.
*/
export function contrastScale(
	given: ContrastCase,
	gradient: SoftmaxGradient,
	scores: Matrix = scoresOf(given, exact),
): ContrastScale {
	const {rows, columns, temperature} = given;
	const {ofRows, ofColumns} = scalesOf(given, exact);
	const lengths = [rowNorms(rows).values.map(x => 1 / x), rowNorms(columns).values.map(x => 1 / x)];
	const {lse, count} = contrastForward(given, exact, scores);
	const perRow = zeros(rows.rows, 2);
	const perColumn = zeros(columns.rows, 2);
	let [largest, total] = [0, 0];
	for (const [at, score] of scores.values.entries()) {
		const [row, column] = [Math.floor(at / columns.rows), at % columns.rows];
		if (!isCandidate(given, row, column)) continue;
		const left = lengths[0]![row]! * ofRows[row]!;
		const right = lengths[1]![column]! * ofColumns[column]!;
		const size = (left * right) / temperature;
		largest = Math.max(largest, size);
		const unsure = 1 + size + Math.abs(lse.values[row]!);
		const share = Math.abs(gradient.dlse.values[row]!) * Math.exp(score - lse.values[row]!);
		const shift = Math.abs(gradient.dmean?.values[row] ?? 0) / count.values[row]!;
		const weight = share * unsure + shift;
		total += weight * size;
		perRow.values[row * 2]! += (weight * right * ofRows[row]!) / temperature;
		perRow.values[row * 2 + 1]! += weight * size * ofRows[row]!;
		perColumn.values[column * 2]! += (weight * left * ofColumns[column]!) / temperature;
		perColumn.values[column * 2 + 1]! += weight * size * ofColumns[column]!;
	}
	const most = ({values}: Matrix) => values.reduce((a, b) => Math.max(a, b), 0);
	const ofLse = lse.values.filter(Number.isFinite).reduce((a, b) => Math.max(a, Math.abs(b)), 0);
	return {
		lse: Math.max(largest, ofLse),
		mean: largest,
		drows: most(perRow),
		dcolumns: most(perColumn),
		dtemperature: total / temperature,
	};
}
