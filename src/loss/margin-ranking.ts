// Which of two documents is to score higher, said by a label.

import {gapsOf, meanOver} from './gaps.js';
import {expectLabels, refuse, type Similarity, similarities, tripletsOf} from './inputs.js';
import {defineLoss, type Loss, type LossInputs} from './loss.js';
import {numberOption, settled, wordOption} from './options.js';

export type MarginRankingOptions = {
	/** How much higher, in scores. Default 0. */
	margin?: number;
	/** What a score is. Default cosine. */
	similarity?: Similarity;
};

const schema = {
	margin: numberOption(0, {from: 0}),
	similarity: wordOption<Similarity>('cosine', similarities),
};

const needs = {
	negatives: 'some',
	label: {among: [1, -1], optional: 'always'},
	across: 'nothing',
} as const;

/**
Mean over (row, negative) of max(0, margin − y (s⁺ − s⁻)), MarginRankingLoss of torch: y is the label
of the row, 1 where its positive is to be above its negatives, −1 where it is to be below. Without
labels y is 1.

Columns: query, positive, negatives, any number of them in each row. Labels: 1 or −1, or none.

@example
await train(model, {data: 'triplets.jsonl', loss: marginRanking({margin: 0.1})});
*/
export function marginRanking(options: MarginRankingOptions = {}): Loss {
	const {margin, similarity} = settled('marginranking', schema, options);
	const facts = {options: {margin, similarity}, needs};
	return defineLoss('marginranking', facts, (ops, inputs) => {
		const {columns} = inputs;
		const gaps = gapsOf(ops, 'marginranking', columns, {similarity, negatives: 'own'});
		const {owner, query} = tripletsOf(ops, 'marginranking', columns);
		const signs = signsOf(inputs, query.rows);
		const signed = signs
			? ops.multiply(
					gaps.gap,
					ops.constant(
						Float32Array.from(owner, row => signs[row]!),
						owner.length,
						1,
					),
				)
			: gaps.gap;
		return meanOver(ops, gaps, ops.relu(ops.addScalar(ops.scale(signed, -1), margin)));
	});
}

function signsOf(inputs: LossInputs, rows: number): Float32Array | undefined {
	if (!inputs.labels) {
		return undefined;
	}
	const signs = expectLabels('marginranking', inputs, rows);
	const wrong = signs.find(sign => Math.abs(sign) !== 1);
	if (wrong !== undefined) {
		refuse('marginranking', 'labels of 1 or −1', `${wrong}`);
	}
	return signs;
}
