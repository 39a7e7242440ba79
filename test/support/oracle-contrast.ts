// What the contrastive softmax means: scores of chosen pairs, their log-sum-exp and mean by row, and the
// gradient of both, in float64 or rounded after every operation. See oracle.ts.

import {type Matrix, matrixOf, zeros} from './matrix.js';
import {addScaledRow, dotOfRows} from './oracle.js';
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
	clamp?: readonly [number, number];
	hardness?: {strength: number; own: boolean; others: boolean};
	rules?: Rules;
	/** That cards are asked for products of 16 bits; means nothing here. */
	short?: boolean;
};

export type Rules = {
	/** The keys of each row, and the key of each column. */
	lists?: readonly {rows: readonly (readonly number[])[]; columns: readonly number[]}[];
	sets?: {rows: readonly number[]; columns: readonly number[]};
	limit?: Matrix;
	guide?: {rows: Matrix; columns: Matrix; limit: Matrix};
};

export type Softmax = {lse: Matrix; mean: Matrix; count: Matrix};
export type SoftmaxGradient = {dlse: Matrix; dmean?: Matrix | undefined};
export type ContrastGradient = {drows: Matrix; dcolumns: Matrix; dtemperature: Matrix};

/** Whether its class makes a column a candidate; rules may remove it. */
function isAdmitted(given: ContrastCase, row: number, column: number): boolean {
	const {own, others, ownHard, otherHard} = given.switches;
	const owned = given.owner[column] === row;
	return column < given.positives ? (owned ? own : others) : owned ? ownHard : otherHard;
}

type Judgement = {by: Int32Array; rules: number};

const judgements = new WeakMap<Matrix, Judgement>();

/** The same for one matrix of scores, which belongs to one case, however often it is asked. */
function judged(given: ContrastCase, scores: Matrix): Judgement {
	const judgement = judgements.get(scores) ?? judge(given, scores);
	judgements.set(scores, judgement);
	return judgement;
}

/** For each pair by which rule it is removed, or −1 by its class; `rules` for a candidate. */
function judge(given: ContrastCase, scores: Matrix): Judgement {
	const {lists = [], sets, limit, guide} = given.rules ?? {};
	const cosines = guide && scoresOf(guideCase(given, guide), exact);
	const tests: ((row: number, column: number, at: number) => boolean)[] = [
		...lists.map(
			list => (row: number, column: number) => list.rows[row]!.includes(list.columns[column]!),
		),
		(row, column) => sets !== undefined && sets.rows[row] !== sets.columns[column],
		(row, _, at) => limit !== undefined && scores.values[at]! > limit.values[row]!,
		(row, _, at) => cosines !== undefined && cosines.values[at]! > guide!.limit.values[row]!,
	];
	const by = Int32Array.from(scores.values, (_, at) => {
		const [row, column] = [Math.floor(at / scores.columns), at % scores.columns];
		if (!isAdmitted(given, row, column)) return -1;
		if (!given.rules) return tests.length;
		const isKept = column < given.positives && given.owner[column] === row;
		const rule = isKept ? -1 : tests.findIndex(test => test(row, column, at));
		return rule < 0 ? tests.length : rule;
	});
	return {by, rules: tests.length};
}

function guideCase(given: ContrastCase, {rows, columns}: {rows: Matrix; columns: Matrix}) {
	const cosine = {rows: true, columns: true};
	return {...given, rows, columns, cosine, temperature: 1};
}

/** How many pairs each rule removes, and of each row what limit and guide remove with the largest score. */
export function contrastRemoved(given: ContrastCase): {removed: Matrix; suspects: Matrix} {
	const scores = scoresOf(given, exact);
	const {by, rules} = judged(given, scores);
	const suspects = matrixOf(scores.rows, 2, at => (at % 2 === 0 ? -1 : 0));
	for (const [at, rule] of by.entries()) {
		if (rule < rules - 2 || rule === rules) continue;
		const [row, column] = [Math.floor(at / scores.columns), at % scores.columns];
		const isFirst = suspects.values[2 * row] === -1;
		if (!isFirst && suspects.values[2 * row + 1]! >= scores.values[at]!) continue;
		suspects.values.set([column, scores.values[at]!], 2 * row);
	}
	const count = (rule: number) => by.reduce((sum, each) => sum + (each === rule ? 1 : 0), 0);
	return {removed: matrixOf(1, rules, count), suspects};
}

/** What the softmax is over: clamped scores c, and z, to which hardness adds. */
function bent(given: ContrastCase, scores: Matrix, round: Round): {c: Matrix; z: Matrix} {
	const {temperature, clamp = [-Infinity, Infinity], hardness} = given;
	if (!given.clamp && !hardness) return {c: scores, z: scores};
	const [low, high] = clamp.map(end => round(end / temperature)).sort((a, b) => a - b);
	const c = {...scores, values: scores.values.map(s => Math.max(low!, Math.min(high!, s)))};
	const gain = round((hardness?.strength ?? 0) * temperature);
	const z = matrixOf(scores.rows, scores.columns, at => {
		const [row, column] = [Math.floor(at / scores.columns), at % scores.columns];
		const isOwn = given.owner[column] === row;
		const isWeighted = isOwn ? hardness?.own && column >= given.positives : hardness?.others;
		return isWeighted ? round(c.values[at]! + round(gain * c.values[at]!)) : c.values[at]!;
	});
	return {c, z};
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
	const {z} = bent(given, scores, round);
	const {by, rules} = judged(given, scores);
	for (let row = 0; row < scores.rows; row += 1) {
		const begin = row * scores.columns;
		const met = [...z.values.subarray(begin, begin + scores.columns)].filter(
			(_, column) => by[begin + column] === rules,
		);
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

/** The gradient of the sum of dlse lse + dmean mean. */
export function contrastBackward(
	given: ContrastCase,
	gradient: SoftmaxGradient,
	round: Round = exact,
	scores: Matrix = scoresOf(given, round),
): ContrastGradient {
	const {rows, columns, temperature, cosine} = given;
	const whole = gradientOfScores(given, scores, gradient, round);
	const {c} = bent(given, scores, round);
	const dscores = matrixOf(scores.rows, scores.columns, at =>
		c.values[at] === scores.values[at] ? whole.values[at]! : 0,
	);
	const {ofRows, ofColumns} = scalesOf(given, round);
	const [across, sides] = [transposed(scores), transposed(dscores)];
	const ofRow = {x: rows, scale: ofRows, unit: cosine.rows};
	const ofColumn = {x: columns, scale: ofColumns, unit: cosine.columns};
	let along = 0;
	for (let at = 0; at < whole.values.length; at += 1) {
		along = round(along + round(whole.values[at]! * c.values[at]!));
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
	const {z} = bent(given, scores, round);
	const {by, rules} = judged(given, scores);
	return matrixOf(scores.rows, scores.columns, at => {
		const row = Math.floor(at / scores.columns);
		if (by[at] !== rules) return 0;
		const share = round(Math.exp(round(z.values[at]! - lse.values[row]!)));
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
			const at = row * scores.columns + column;
			const g = dscores.values[at]!;
			along = round(along + round(g * scores.values[at]!));
			addScaledRow(out, other.x, column, {factor: round(g * other.scale[column]!), round});
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
	const turned = zeros(columns, rows);
	for (let row = 0; row < rows; row += 1) {
		for (let column = 0; column < columns; column += 1) {
			turned.values[column * rows + row] = values[row * columns + column]!;
		}
	}
	return turned;
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
	const {z} = bent(given, scores, exact);
	const {by, rules} = judged(given, scores);
	const gain = 1 + Math.abs((given.hardness?.strength ?? 0) * temperature);
	const perRow = zeros(rows.rows, 2);
	const perColumn = zeros(columns.rows, 2);
	let [largest, total] = [0, 0];
	for (let at = 0; at < by.length; at += 1) {
		if (by[at] !== rules) continue;
		const score = z.values[at]!;
		const [row, column] = [Math.floor(at / columns.rows), at % columns.rows];
		const left = lengths[0]![row]! * ofRows[row]!;
		const right = lengths[1]![column]! * ofColumns[column]!;
		const size = (gain * (left * right)) / temperature;
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
