// Some rows of a batch as a batch of their own: for losses that see pools, passes or data sets apart.

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {EngineError} from '../errors.js';
import {
	type Column,
	columnOf,
	type LossInputs,
	type LossNeeds,
	type RowsKnown,
	textsOf,
} from './loss.js';
import {needsOfSet} from './needs.js';

/** The texts of a column that belong to some rows of the batch, and where those of each begin. */
type Taken = {places: Int32Array; offsets: Int32Array | undefined};

/** What belongs to these rows, in their order. `needs` are those of the loss that sees the batch. */
export function someRows(
	ops: LossOperations,
	inputs: LossInputs,
	rows: Int32Array,
	needs: LossNeeds = {},
): LossInputs {
	const {columns, labels, scores, teacher, known, guide, sets, onSuspects, ...others} = inputs;
	const taken = columns.map(column => takenOf(column, rows));
	const cut = columns.map((column, n) => columnFrom(ops, column, taken[n]!, rows.length));
	const positions = (list: Float32Array) => Float32Array.from(rows, row => list[row]!);
	return {
		...others,
		columns: cut.filter((column, n) => n < 2 || column.rows > 0),
		...(labels && {labels: positions(labels)}),
		...(scores && {scores: scoresFrom(inputs, rows, needs)}),
		...(teacher && {teacher: ops.gatherRows(teacher, rows)}),
		...(known && {known: knownFrom(known, rows, taken)}),
		...(guide && {guide: guide.map((column, n) => gathered(ops, column, taken[n]!.places))}),
		...(sets && {sets: Array.from(rows, row => sets[row]!)}),
		...(onSuspects && {
			onSuspects: found => {
				const own = found.rows ?? rows.map((_, n) => n);
				onSuspects({...found, rows: own.map(row => rows[row]!)});
			},
		}),
	};
}

/** So many numbers from `begin` on. */
export function span(begin: number, count: number): Int32Array {
	return Int32Array.from({length: count}, (_, n) => begin + n);
}

function takenOf({offsets}: Column, rows: Int32Array): Taken {
	if (!offsets) return {places: rows, offsets: undefined};
	const places = Array.from(rows, row => span(offsets[row]!, offsets[row + 1]! - offsets[row]!));
	const own = new Int32Array(rows.length + 1);
	for (const [n, {length}] of places.entries()) own[n + 1] = own[n]! + length;
	return {places: Int32Array.from(places.flatMap(each => [...each])), offsets: own};
}

function columnFrom(
	ops: LossOperations,
	column: Column,
	{places, offsets}: Taken,
	queries: number,
): Column {
	if (!column.tokens) return columnOf(gathered(ops, column, places), queries, offsets);
	const tokens = takenOf({offsets: column.tokens} as Column, places);
	return columnOf(gathered(ops, column, tokens.places), queries, offsets, tokens.offsets);
}

function gathered(ops: LossOperations, x: Variable, places: Int32Array): Variable {
	return places.length > 0 ? ops.gatherRows(x, places) : ops.constant([], 0, x.columns);
}

/** Row after row; a row has what its loss asks for, or where none asks one. */
function scoresFrom(inputs: LossInputs, rows: Int32Array, needs: LossNeeds): Float32Array {
	const {scores = new Float32Array(), columns} = inputs;
	const count = columns[0] ? textsOf(columns[0]) : 0;
	const asked = Array.from({length: count}, (_, row) => scoreCount(inputs, row, needs));
	const whole = asked.reduce((sum, each) => sum + each, 0);
	if (whole !== scores.length && scores.length !== count) {
		const expected = `expected ${whole} scores for ${count} rows, got ${scores.length}`;
		throw new EngineError('LOSS_INVALID', `scores: ${expected}`);
	}
	const begins = new Int32Array(count + 1);
	for (const [row, own] of asked.entries()) {
		begins[row + 1] = begins[row]! + (whole === scores.length ? own : 1);
	}
	return Float32Array.from(
		Array.from(rows).flatMap(row => [...scores.subarray(begins[row], begins[row + 1])]),
	);
}

function scoreCount({columns, sets}: LossInputs, row: number, needs: LossNeeds): number {
	const own = needsOfSet(needs, sets?.[row] ?? '');
	if (own.scores?.of !== 'candidates') return own.scores ? 1 : 0;
	return columns
		.slice(1)
		.reduce((sum, {offsets}) => sum + (offsets ? offsets[row + 1]! - offsets[row]! : 1), 0);
}

function knownFrom(known: RowsKnown, rows: Int32Array, taken: readonly Taken[]): RowsKnown {
	const numbers = (list: Float64Array, places: Int32Array = new Int32Array()) =>
		Float64Array.from(places, place => list[place]!);
	const offsets = known.positives.offsets;
	const positives = takenOf({offsets} as Column, rows);
	return {
		texts: known.texts.map((list, n) => numbers(list, taken[n]?.places)),
		queries: numbers(known.queries, rows),
		documents: known.documents.map((list, n) => numbers(list, taken[n + 1]?.places)),
		positives: {
			offsets: positives.offsets!,
			documents: numbers(known.positives.documents, positives.places),
		},
		sets: numbers(known.sets, rows),
	};
}
