// The embeddings of a batch as the columns that a loss sees, and how near queries are in them to their own
// positives, their own negatives and the positives of others.

import {operationsOf} from '../autograd/operations.js';
import type {Tape, Variable} from '../autograd/tape.js';
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
	return columns.map(({tensor, offsets, tokens}) => {
		const texts = offsets ? offsets[count]! : count;
		const rows = tape.constant(tape.own(tensor.slice(0, tokens ? tokens[texts]! : texts)));
		const own = offsets?.slice(0, count + 1);
		return columnOf(rows, count, own, tokens?.slice(0, texts + 1));
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
