// The hardest negatives of the last pass over the data: for a query the text that the model put nearest
// beside its own positive. Each is what there is left to learn, or a positive that the data lack.

import type {RowTexts} from '../data/rows.js';
import type {TrainingBatch} from './batch.js';
import type {Hardest} from './rivals.js';
import {documentsOf} from './suspects.js';

export type HardPair = {
	step: number;
	/** The cosine of query and negative by the model as it was in that step, and of query and positive. */
	score: number;
	positiveScore: number;
	query: string;
	positive: string;
	negative: string;
	/** Whether the negative is one of the row's own, or of another row of the batch. */
	origin: 'hard' | 'in-batch';
};

/** How many pairs are kept, and how much of their texts. */
const most = 40;
const longest = 600;

/** Those known and those of a step together, the ones that come nearest to their positive first. */
export function withHardest(
	known: readonly HardPair[],
	{step, texts, batch}: {step: number; texts: readonly RowTexts[]; batch: TrainingBatch},
	{pairs, own}: Hardest,
): HardPair[] {
	const places = Array.from(texts, (_, row) => row).filter(row => pairs[2 * row]! >= 0);
	const scores = texts.map((_, row) => {
		const [begin, end] = [batch.positiveOffsets[row]!, batch.positiveOffsets[row + 1]!];
		return own.subarray(begin, end).reduce((a, b) => Math.max(a, b), -1);
	});
	const gap = (row: number) => pairs[2 * row + 1]! - scores[row]!;
	const gaps = Float64Array.from(places, gap).sort();
	const least = Math.max(
		known.length < most ? Number.NEGATIVE_INFINITY : gapOf(known.at(-1)!),
		gaps.at(-most) ?? Number.NEGATIVE_INFINITY,
	);
	const best = places
		.filter(row => gap(row) >= least)
		.sort((a, b) => gap(b) - gap(a) || a - b)
		.slice(0, most);
	if (best.length === 0) return [...known];
	const documents = documentsOf(texts);
	const found = best.map((row): HardPair => {
		const column = pairs[2 * row]!;
		const {query, positive = query} = texts[row]!;
		return {
			step,
			score: pairs[2 * row + 1]!,
			positiveScore: scores[row]!,
			query: clipped(query),
			positive: clipped(positive),
			negative: clipped(documents.text(column).text),
			origin: documents.isNegativeOf(column, row) ? 'hard' : 'in-batch',
		};
	});
	return [...known, ...found].sort((a, b) => gapOf(b) - gapOf(a)).slice(0, most);
}

function gapOf({score, positiveScore}: HardPair): number {
	return score - positiveScore;
}

function clipped(text: string): string {
	return text.length > longest ? `${text.slice(0, longest)}…` : text;
}
