// What the contrastive softmax means with rules, clamping and hardness, on plain matrices.

import type {ContrastOptions, ContrastRules} from '../../dist/autograd/contrast.js';
import {type Matrix, matrixOf} from './matrix.js';
import type {Round} from './tolerance.js';

export type PlainContrast = {
	lse: Matrix;
	mean: Matrix;
	count: Matrix;
	removed: Matrix;
	suspects: Matrix;
};

/** Matrices in the place of variables. */
export type PlainContrastOptions = Omit<ContrastOptions, 'temperature' | 'rules'> & {
	temperature: number;
	rules?: Omit<ContrastRules, 'limit' | 'guide'> & {
		limit?: Matrix;
		guide?: {rows: Matrix; columns: Matrix; limit: Matrix};
	};
};

export function plainContrast(
	rows: Matrix,
	columns: Matrix,
	options: PlainContrastOptions,
	round: Round,
): PlainContrast {
	const {temperature, clamp = [-Infinity, Infinity], hardness} = options;
	const scores = similarities(rows, columns, options.cosine, round);
	const cosines =
		options.rules?.guide &&
		similarities(options.rules.guide.rows, options.rules.guide.columns, true, round);
	const lists = options.rules?.lists ?? [];
	const found: PlainContrast = {
		lse: zeros(rows.rows, 1),
		mean: zeros(rows.rows, 1),
		count: zeros(rows.rows, 1),
		removed: zeros(1, lists.length + 3),
		suspects: matrixOf(rows.rows, 2, at => (at % 2 === 0 ? -1 : 0)),
	};
	for (let row = 0; row < rows.rows; row++) {
		const met: number[] = [];
		for (let column = 0; column < columns.rows; column++) {
			if (!meets(options, row, column)) continue;
			const at = row * columns.rows + column;
			const score = round(scores[at]! / temperature);
			const rule = removedBy(options, {row, column, score, cosine: cosines?.[at]});
			if (rule === undefined) {
				const c = Math.min(clamp[1], Math.max(clamp[0], scores[at]!));
				const extra = weighs(options, row, column) ? round(hardness!.strength * c) : 0;
				met.push(round(round(c / temperature) + extra));
				continue;
			}
			found.removed.values[rule]! += 1;
			if (rule > lists.length) suspect(found.suspects, row, column, score);
		}
		const most = met.reduce((a, b) => Math.max(a, b), -Infinity);
		const sum = met.reduce((all, z) => round(all + round(Math.exp(round(z - most)))), 0);
		found.lse.values[row] = met.length > 0 ? round(most + round(Math.log(sum))) : -Infinity;
		const total = met.reduce((all, z) => round(all + z), 0);
		found.mean.values[row] = round(total / Math.max(1, met.length));
		found.count.values[row] = met.length;
	}
	return found;
}

type Pair = {row: number; column: number; score: number; cosine: number | undefined};

/** The first rule that removes a pair, in the order of their counts. */
function removedBy(options: PlainContrastOptions, pair: Pair): number | undefined {
	const {row, column, score, cosine} = pair;
	if (options.owner[column] === row && column < options.positives) return undefined;
	const {lists = [], sets, limit, guide} = options.rules ?? {};
	const tests = [
		...lists.map(({offsets, keys, columns}) =>
			keys.subarray(offsets[row], offsets[row + 1]).includes(columns[column]!),
		),
		sets !== undefined && sets.rows[row] !== sets.columns[column],
		limit !== undefined && score > limit.values[row]!,
		guide !== undefined && cosine! > guide.limit.values[row]!,
	];
	const first = tests.indexOf(true);
	return first < 0 ? undefined : first;
}

function suspect({values}: Matrix, row: number, column: number, score: number): void {
	if (values[2 * row] !== -1 && values[2 * row + 1]! >= score) return;
	values[2 * row] = column;
	values[2 * row + 1] = score;
}

function meets(
	{owner, positives, own, others, ownHard, otherHard}: PlainContrastOptions,
	row: number,
	column: number,
): boolean {
	const isOwn = owner[column] === row;
	if (column < positives) return isOwn ? own : others;
	return isOwn ? ownHard : otherHard;
}

function weighs(
	{owner, positives, hardness}: PlainContrastOptions,
	row: number,
	column: number,
): boolean {
	if (!hardness) return false;
	if (owner[column] !== row) return hardness.others;
	return hardness.own && column >= positives;
}

function similarities(rows: Matrix, columns: Matrix, cosine: boolean, round: Round): Float64Array {
	const seen = ({rows: count, columns: width, values}: Matrix) =>
		Array.from({length: count}, (_, row) => {
			const x = values.subarray(row * width, (row + 1) * width);
			const length = Math.max(round(Math.sqrt(dot(x, x, round))), 1e-12);
			return cosine ? x.map(value => round(value / length)) : x;
		});
	const [left, right] = [seen(rows), seen(columns)];
	return Float64Array.from({length: rows.rows * columns.rows}, (_, at) =>
		dot(left[Math.floor(at / columns.rows)]!, right[at % columns.rows]!, round),
	);
}

function dot(a: Float64Array, b: Float64Array, round: Round): number {
	return a.reduce((sum, x, k) => round(sum + round(x * b[k]!)), 0);
}

function zeros(rows: number, columns: number): Matrix {
	return matrixOf(rows, columns, () => 0);
}
