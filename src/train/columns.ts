// The embeddings of a batch as the columns that a loss sees, and what can be seen of a batch in them:
// how near queries are to their own positives, their own negatives and the positives of others.

import {operationsOf} from '../autograd/operations.js';
import type {Tape, Variable} from '../autograd/tape.js';
import {joined} from '../loss/inputs.js';
import {type Column, columnOf, ownersOf, textsOf} from '../loss/loss.js';
import type {Tensor} from '../native.js';
import {rowsOfTexts, type TrainingBatch} from './batch.js';

/**
Query, positives, of which a row may have several, and, when there are any, the ragged negatives; or
the texts alone.
*/
export function columnsOf(tape: Tape, embeddings: Tensor, batch: TrainingBatch): Column[] {
	const {rows, texts, positiveOffsets, negativeOffsets} = batch;
	const positives = positiveOffsets[rows]!;
	const first = rows + positives;
	const slice = (begin: number, count: number, offsets?: Int32Array): Column => {
		const place = rowsOfTexts(batch, begin, count);
		const part = tape.own(embeddings.slice(place.begin, place.count));
		return columnOf(tape.variable(part), rows, offsets, place.tokens);
	};
	const columns: Column[] = [slice(0, rows)];
	if (positives === rows) columns.push(slice(rows, rows));
	else if (positives > 0) columns.push(slice(rows, positives, positiveOffsets));
	if (texts > first) columns.push(slice(first, texts - first, negativeOffsets));
	return columns;
}

/** The columns of the first rows of a batch, for looking at. */
export function firstRows(tape: Tape, columns: readonly Column[], count: number): Column[] {
	if (columns[0] && textsOf(columns[0]) === count) return [...columns];
	return columns.map(({tensor, offsets}) => {
		const rows = tape.constant(tape.own(tensor.slice(0, offsets ? offsets[count]! : count)));
		return columnOf(rows, count, offsets?.slice(0, count + 1));
	});
}

/** Mean cosines of queries; null where there is nothing to be near to. */
export type Nearness = {
	/** To their own positives. */
	positiveCosine: number | null;
	/** To their own hard negatives. */
	negativeCosine: number | null;
	/** To the positives of the other rows, where each row has one. */
	inBatchCosine: number | null;
};

export async function nearnessOf(tape: Tape, columns: readonly Column[]): Promise<Nearness> {
	const nothing = {positiveCosine: null, negativeCosine: null, inBatchCosine: null};
	if (columns.length < 2 || columns[0]!.tokens) return nothing;
	const ops = operationsOf(tape);
	const [query, ...others] = columns.map(({tensor}) => ops.normalizeRows(tape.constant(tensor)));
	const cosines = others.map((unit, n) =>
		ops.rowDots(ops.gatherRows(query!, ownersOf(columns[n + 1]!)), unit),
	);
	const means = cosines.map(each => ops.mean(each));
	const isEven = !columns[1]!.offsets && query!.rows > 1;
	const strangers = isEven ? meanOfOthers(tape, query!, others[0]!, cosines[0]!) : undefined;
	const read = async (of: Variable | undefined) => (of ? (await tape.read(of))[0]! : null);
	const [positiveCosine, negativeCosine, inBatchCosine] = await Promise.all(
		[means[0], means[1], strangers].map(read),
	);
	return {
		positiveCosine: positiveCosine!,
		negativeCosine: negativeCosine!,
		inBatchCosine: inBatchCosine!,
	};
}

/** The mean of all products of rows of a and b but the own ones: that of their sums, less these. */
function meanOfOthers(tape: Tape, a: Variable, b: Variable, own: Variable): Variable {
	const ops = operationsOf(tape);
	const ones = ops.constant(new Float32Array(a.rows).fill(1), 1, a.rows);
	const [left, right] = [a, b].map(x => ops.products(ones, ops.transpose(x)));
	const all = ops.rowDots(left!, right!);
	return ops.scale(ops.subtract(all, ops.sum(own)), 1 / (a.rows * (a.rows - 1)));
}

/** For each query the nearest text that is not its own positive, and how near its own one is. */
export type Hardest = {
	/** The number of the document, positives before negatives, or −1; and its score. */
	pairs: Float32Array;
	/** The score of each positive, in their order. */
	own: Float32Array;
};

export type HardestOptions = {
	/** Whether texts of other rows count, or a row's own negatives alone. */
	others: boolean;
	/** Whether scores are cosines; otherwise they are dot products. */
	cosine: boolean;
};

/** Below every score. */
const lowest = -3e38;

/** Nothing where there are no documents, or texts have a row for each token. */
export async function hardestOf(
	tape: Tape,
	columns: readonly Column[],
	{others, cosine}: HardestOptions,
): Promise<Hardest | undefined> {
	const [query, positive, negative] = columns.map(({tensor}) => tape.constant(tensor));
	if (!positive || columns[0]!.tokens) return undefined;
	const ops = operationsOf(tape);
	const owners = columns.slice(1).map(ownersOf);
	const count = query!.rows;
	const met = {temperature: ops.constant([1], 1, 1), cosine};
	const documents = negative ? ops.concatRows([positive, negative]) : positive;
	// What a limit removes is reported with its largest score: here that is everything.
	const {suspects} = ops.contrast(query!, documents, {
		...met,
		owner: joined(owners),
		positives: positive.rows,
		own: false,
		others,
		ownHard: true,
		otherHard: others,
		rules: {limit: ops.constant(new Float32Array(count).fill(lowest), count, 1)},
	});
	// By the same arithmetic, so that equal texts have equal scores.
	const {mean: own} = ops.contrast(ops.gatherRows(query!, owners[0]!), positive, {
		...met,
		owner: Int32Array.from({length: positive.rows}, (_, n) => n),
		positives: positive.rows,
		own: true,
		others: false,
		ownHard: false,
		otherHard: false,
	});
	const [pairs, scores] = await Promise.all([tape.read(suspects!), tape.read(own)]);
	return {pairs, own: scores};
}
