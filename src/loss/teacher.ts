// Scores of a teacher beside those of the student, for each query's own documents: its positive, then
// its negatives.

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {measured, refuse, type Similarity, type Triplets, tripletsOf} from './inputs.js';
import type {LossInputs} from './loss.js';

export type Taught = {
	/** Which negatives belong to each query. */
	own: readonly (readonly number[])[];
	/** The teacher's scores of each query's documents, in their order. */
	teacher: readonly (readonly number[])[];
};

export type Scored = Taught & {
	/** The student's scores of positives, (N, 1), and of negatives, if there are any. */
	near: Variable;
	far: Variable | undefined;
};

export type Candidates = Triplets & Scored;

/** Queries with their documents and a teacher's score of each, given row after row. */
export function expectCandidates(
	ops: LossOperations,
	loss: string,
	inputs: LossInputs,
	similarity: Similarity,
): Candidates {
	const triplets = tripletsOf(ops, loss, inputs.columns);
	const {query, positive, negative, owner} = triplets;
	const taught = expectTaught(loss, inputs, owner, query.rows);
	const from = measured(ops, similarity, query);
	const near = ops.rowDots(from, measured(ops, similarity, positive));
	const far =
		negative && ops.rowDots(ops.gatherRows(from, owner), measured(ops, similarity, negative));
	return {...triplets, near, far, ...taught};
}

/** A teacher's scores of the documents of so many queries, whose negatives belong to these. */
export function expectTaught(
	loss: string,
	inputs: Pick<LossInputs, 'scores' | 'labels'>,
	owner: Int32Array,
	queries: number,
): Taught {
	const scores = inputs.scores ?? inputs.labels;
	const count = queries + owner.length;
	if (scores?.length !== count) {
		const what = `${count} scores of a teacher, a query's positive and then its negatives`;
		refuse(loss, what, scores ? `${scores.length}` : 'none');
	}
	const own = placesOf(owner, queries);
	const lengths = own.map(places => 1 + places.length);
	return {own, teacher: cut(scores, lengths)};
}

/** Which negatives belong to each query. */
export function placesOf(owner: Int32Array, rows: number): number[][] {
	const own: number[][] = Array.from({length: rows}, () => []);
	for (const [place, row] of owner.entries()) {
		own[row]!.push(place);
	}
	return own;
}

/** Numbers row after row, as lists of these lengths. */
export function cut(numbers: Float32Array, lengths: readonly number[]): number[][] {
	let at = 0;
	return lengths.map(length => {
		at += length;
		return [...numbers.subarray(at - length, at)];
	});
}

/**
The student's scores as a matrix (N, most documents of a query), each row in the given order of its
own documents (0: the positive); `filler` stands where a query has fewer.
*/
export function listed(
	ops: LossOperations,
	{near, far, own}: Pick<Scored, 'near' | 'far' | 'own'>,
	orders: readonly (readonly number[])[],
	filler: number,
): Variable {
	const rows = near.rows;
	const parts = [near, ...(far ? [far] : []), ops.constant([filler], 1, 1)];
	const all = ops.concatRows(parts);
	const width = Math.max(...orders.map(order => order.length));
	const columns = Array.from({length: width}, (_, rank) =>
		ops.gatherRows(
			all,
			orders.map((order, row) => {
				const place = order[rank];
				if (place === undefined) return all.rows - 1;
				return place === 0 ? row : rows + own[row]![place - 1]!;
			}),
		),
	);
	return ops.concatColumns(columns);
}

/** Numbers of each query as a matrix; `filler` stands where a query has fewer. */
export function tabled(
	ops: LossOperations,
	lists: readonly (readonly number[])[],
	filler: number,
): Variable {
	const width = Math.max(...lists.map(list => list.length));
	const values = lists.flatMap(list => Array.from({length: width}, (_, n) => list[n] ?? filler));
	return ops.constant(values, lists.length, width);
}

/** e^(x / temperature) over their sum. */
export function distribution(scores: readonly number[], temperature: number): number[] {
	const most = Math.max(...scores);
	const powers = scores.map(score => Math.exp((score - most) / temperature));
	const total = powers.reduce((sum, power) => sum + power, 0);
	return powers.map(power => power / total);
}

/**
Mean over rows of Σ p log(p / q), where p is the teacher's distribution over a row's own documents and
q the student's. A document of p = 0 adds nothing.
*/
export function divergence(
	ops: LossOperations,
	candidates: Scored,
	{studentTemperature, teacherTemperature}: Temperatures,
): Variable {
	const wanted = candidates.teacher.map(scores => distribution(scores, teacherTemperature));
	const orders = wanted.map(list => list.map((_, place) => place));
	const scores = ops.scale(listed(ops, candidates, orders, -Infinity), 1 / studentTemperature);
	const normaliser = ops.logSumExpRows(scores);
	const finite = ops.scale(listed(ops, candidates, orders, 0), 1 / studentTemperature);
	const weights = tabled(ops, wanted, 0);
	const surprise = ops.sum(ops.multiply(weights, ops.subtract(normaliser, finite)));
	const rows = wanted.length;
	return ops.scale(ops.addScalar(surprise, -entropyOf(wanted.flat())), 1 / rows);
}

export type Temperatures = {studentTemperature: number; teacherTemperature: number};

/** −Σ p log p. */
export function entropyOf(shares: readonly number[]): number {
	return shares.reduce((sum, share) => (share > 0 ? sum - share * Math.log(share) : sum), 0);
}
