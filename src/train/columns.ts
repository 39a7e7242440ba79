// The embeddings of a batch as the columns that a loss sees.

import type {Tape} from '../autograd/tape.js';
import {type Column, columnOf, textsOf} from '../loss/loss.js';
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
