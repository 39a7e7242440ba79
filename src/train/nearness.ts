// How near the queries of a batch are to their own positives, their own negatives and the positives of others.

import {type LossOperations, operationsOf} from '../autograd/operations.js';
import type {Tape, Variable} from '../autograd/tape.js';
import {behindOneAnother, joined} from '../loss/inputs.js';
import {type Column, ownersOf, textsOf} from '../loss/loss.js';

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
	if (columns.length < 2) return nothing;
	if (columns[0]!.tokens) return {...nothing, ...(await nearnessOfTokens(tape, columns))};
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

/** Means of MaxSim over the tokens of the query, which is a mean of cosines too. */
async function nearnessOfTokens(
	tape: Tape,
	columns: readonly Column[],
): Promise<Pick<Nearness, 'positiveCosine' | 'negativeCosine'>> {
	const ops = operationsOf(tape);
	const [query, ...documents] = columns as [Column, ...Column[]];
	const unit = (column: Column) => ops.normalizeRows(tape.constant(column.tensor));
	const positives = textsOf(documents[0]!);
	const scores = ops.maxSim(unit(query), ops.concatRows(documents.map(unit)), {
		queryOffsets: query.tokens!,
		documentOffsets: behindOneAnother(documents.map(({tokens}) => tokens!)),
		owner: joined(documents.map(ownersOf)),
		...{positives, own: true, others: false, ownHard: true, otherHard: false},
	});
	const meanOf = async (begins: readonly number[], ends: readonly number[]) => {
		const own = {begins, ends, tokens: query.tokens!};
		return (await tape.read(meanOfOwn(ops, scores, own)))[0]!;
	};
	const [first, negative] = documents;
	const places = (column: Column, from: number) =>
		Array.from(column.offsets ?? every(textsOf(column)), offset => from + offset);
	const positiveAt = places(first!, 0);
	const negativeAt = negative && places(negative, positives);
	return {
		positiveCosine: await meanOf(positiveAt.slice(0, -1), positiveAt.slice(1)),
		negativeCosine: negativeAt ? await meanOf(negativeAt.slice(0, -1), negativeAt.slice(1)) : null,
	};
}

const every = (count: number) => Int32Array.from({length: count + 1}, (_, n) => n);

type Own = {begins: readonly number[]; ends: readonly number[]; tokens: Int32Array};

/** The mean of the scores of each row's documents from its begin to its end, each by the row's tokens. */
function meanOfOwn(ops: LossOperations, scores: Variable, {begins, ends, tokens}: Own): Variable {
	const counts = begins.map((begin, row) => ends[row]! - begin);
	const count = counts.reduce((sum, each) => sum + each, 0);
	const sums = Array.from({length: Math.max(...counts)}, (_, n) => {
		// A row that has no more takes its first document, which then counts nothing.
		const own = ops.pick(
			scores,
			begins.map((begin, row) => (n < counts[row]! ? begin + n : row)),
		);
		const shares = counts.map((each, row) =>
			n < each ? 1 / Math.max(1, tokens[row + 1]! - tokens[row]!) / count : 0,
		);
		return ops.sum(ops.multiply(own, ops.constant(shares, shares.length, 1)));
	});
	return sums.reduce((a, b) => ops.add(a, b));
}
