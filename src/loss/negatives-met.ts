// How many negatives a query of the in-batch family meets, by where they come from.

import type {LossOperations} from '../autograd/operations.js';
import type {Direction} from './infonce-options.js';
import type {Candidates} from './loss.js';

/** Texts of a batch: its queries, their positives, all hard negatives, documents of earlier steps. */
export type BatchSizes = {queries: number; positives: number; hard: number; earlier: number};

/** Negatives of one query on average, before masks. */
export type NegativesMet = {
	/** Texts of other rows that are no hard negatives. */
	local: number;
	/** Hard negatives, its own and those of other rows. */
	hard: number;
	/** Documents of earlier steps. */
	queue: number;
};

/** Of one softmax, which is over these directions. */
export function negativesMet(
	candidates: readonly Candidates[],
	{queries, positives, hard, earlier}: BatchSizes,
	group: readonly Direction[],
): NegativesMet {
	const share = (name: Candidates, size: number) => (candidates.includes(name) ? size : 0);
	const ofOthers = (size: number) => size - size / queries;
	const documents = {
		local: share('inBatchPositives', ofOthers(positives)),
		hard: share('otherHard', ofOthers(hard)),
		queue: share('inBatchPositives', earlier),
	};
	const met = {local: 0, hard: 0, queue: 0};
	for (const direction of group) {
		const isQueries = direction[1] === 'q';
		met.local += isQueries ? queries - 1 : documents.local;
		met.hard += isQueries ? 0 : documents.hard;
		met.hard += direction === 'qd' ? share('ownHard', hard / queries) : 0;
		met.queue += isQueries ? 0 : documents.queue;
	}
	return met;
}

/** Reports them as `negatives.local` and so on; those of a queue where there is one. */
export function reportNegatives(
	ops: Pick<LossOperations, 'report'>,
	{local, hard, queue}: NegativesMet,
	hasQueue: boolean,
): void {
	ops.report('negatives.local', local);
	ops.report('negatives.hard', hard);
	if (hasQueue) ops.report('negatives.queue', queue);
}
