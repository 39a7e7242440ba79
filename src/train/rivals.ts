// Of a batch the hardest rival of each query's own positive: what scores highest of all else that it is
// compared with.

import {operationsOf} from '../autograd/operations.js';
import type {Tape} from '../autograd/tape.js';
import {behindOneAnother, joined} from '../loss/inputs.js';
import {type Candidates, type Column, ownersOf, textsOf} from '../loss/loss.js';
import {giveTurn} from '../pace.js';

/** For each query the nearest document that is not its own positive, and how near its own one is. */
export type Hardest = {
	/** The number of the document, positives before negatives, or −1; and its score. */
	pairs: Float32Array;
	/** The score of each positive, in their order. */
	own: Float32Array;
};

export type HardestOptions = {
	/** What a query is compared with beside its own positive. */
	meets: readonly Candidates[];
	/** Whether scores are cosines; otherwise they are dot products. */
	cosine: boolean;
};

/** Below every score. */
const lowest = -3e38;

/** Which columns an op looks at beside a query's own positive. */
const switchesOf = (meets: readonly Candidates[]) => ({
	others: meets.includes('inBatchPositives'),
	ownHard: meets.includes('ownHard'),
	otherHard: meets.includes('otherHard'),
});

/** Nothing where there are no documents. Of token vectors scores are means over the query's tokens. */
export async function hardestOf(
	tape: Tape,
	columns: readonly Column[],
	{meets, cosine}: HardestOptions,
): Promise<Hardest | undefined> {
	if (columns.length < 2 || meets.length === 0) return undefined;
	if (columns[0]!.tokens) return hardestOfTokens(tape, columns, meets);
	const [query, positive, negative] = columns.map(({tensor}) => tape.constant(tensor));
	const ops = operationsOf(tape);
	const owners = columns.slice(1).map(ownersOf);
	const count = query!.rows;
	const met = {temperature: ops.constant([1], 1, 1), cosine};
	const documents = negative ? ops.concatRows([positive!, negative]) : positive!;
	// What a limit removes is reported with its largest score: here that is everything.
	const {suspects} = ops.contrast(query!, documents, {
		...met,
		owner: joined(owners),
		positives: positive!.rows,
		own: false,
		...switchesOf(meets),
		rules: {limit: ops.constant(new Float32Array(count).fill(lowest), count, 1)},
	});
	// By the same arithmetic, so that equal texts have equal scores.
	const {mean: own} = ops.contrast(ops.gatherRows(query!, owners[0]!), positive!, {
		...met,
		owner: Int32Array.from({length: positive!.rows}, (_, n) => n),
		positives: positive!.rows,
		own: true,
		...switchesOf([]),
	});
	const [pairs, scores] = await Promise.all([tape.read(suspects!), tape.read(own)]);
	return {pairs, own: scores};
}

/** Scores are divided by the tokens of the query, which leaves them between −1 and 1. */
async function hardestOfTokens(
	tape: Tape,
	columns: readonly Column[],
	meets: readonly Candidates[],
): Promise<Hardest> {
	const ops = operationsOf(tape);
	const [query, ...documents] = columns as [Column, Column, ...Column[]];
	const unit = (column: Column) => ops.normalizeRows(tape.constant(column.tensor));
	const owner = joined(documents.map(ownersOf));
	const positives = textsOf(documents[0]!);
	const queryOffsets = query.tokens!;
	const scores = ops.maxSim(unit(query), ops.concatRows(documents.map(unit)), {
		queryOffsets,
		documentOffsets: behindOneAnother(documents.map(({tokens}) => tokens!)),
		...{owner, positives, own: true},
		...switchesOf(meets),
	});
	const values = await tape.read(scores);
	const found = {pairs: new Float32Array(2 * scores.rows), own: new Float32Array(positives)};
	for (let row = 0; row < scores.rows; row++) {
		const pause = giveTurn();
		if (pause !== undefined) await pause;
		const own = values.subarray(row * scores.columns, (row + 1) * scores.columns);
		const tokens = Math.max(1, queryOffsets[row + 1]! - queryOffsets[row]!);
		fill(found, {row, tokens, own, owner});
	}
	return found;
}

type RowScores = {row: number; tokens: number; own: Float32Array; owner: Int32Array};

/** Those that do not meet have a score of minus infinity. */
function fill({pairs, own: near}: Hardest, {row, tokens, own, owner}: RowScores): void {
	let hardest = -1;
	for (const [document, score] of own.entries()) {
		const isOwn = document < near.length && owner[document] === row;
		if (isOwn) near[document] = score / tokens;
		else if (score > (own[hardest] ?? Number.NEGATIVE_INFINITY)) hardest = document;
	}
	pairs[2 * row] = hardest;
	pairs[2 * row + 1] = hardest < 0 ? 0 : own[hardest]! / tokens;
}
