// Separate pools: the mean of a loss over parts of a batch that do not see each other, which is what
// accumulating the gradients of small batches computes.

import type {LossOperations} from '../autograd/operations.js';
import {defineLoss, type Loss, type LossInputs, type LossQueue} from './loss.js';
import {Reports} from './reports.js';
import {someRows} from './some-rows.js';

/** The mean over pools, each of some rows and each counting the same whatever its size. */
export function meanOverPools(loss: Loss, pools: readonly Int32Array[]): Loss {
	const {parameters, options, needs, queue} = loss;
	const facts = {
		...(parameters && {parameters}),
		...(options && {options}),
		...(needs && {needs}),
		...(queue && {queue}),
	};
	return defineLoss(loss.name, facts, (ops, inputs) => {
		const share = 1 / pools.length;
		const reports = new Reports(ops);
		const pushed = inputs.queue && new Pushes(inputs.queue);
		const terms = pools.map(rows => {
			const own: LossInputs = someRows(ops, inputs, rows, needs);
			return loss(reports.of(share), {...own, ...(pushed && {queue: pushed.queue})});
		});
		reports.tell();
		pushed?.push(ops);
		return ops.scale(ops.sum(ops.concatColumns(terms)), share);
	});
}

type Pushed = Parameters<LossQueue['push']>;

/** What each pool puts into the queue, to be put there together. */
class Pushes {
	readonly queue: LossQueue;
	readonly #whole: LossQueue;
	readonly #pushed: Pushed[] = [];

	constructor(whole: LossQueue) {
		this.#whole = whole;
		this.queue = {...whole, push: (...pushed) => void this.#pushed.push(pushed)};
	}

	push(ops: LossOperations): void {
		if (this.#pushed.length === 0) return;
		const vectors = ops.concatRows(this.#pushed.map(([each]) => each));
		const all = this.#pushed.map(([, known]) => known);
		const joined = (name: 'texts' | 'queries' | 'documents' | 'sets') =>
			Float64Array.from(all.flatMap(known => [...(known?.[name] ?? [])]));
		const known = all.every(each => each !== undefined) && {
			texts: joined('texts'),
			queries: joined('queries'),
			documents: joined('documents'),
			sets: joined('sets'),
		};
		this.#whole.push(vectors, known || undefined);
	}
}
