// Bayesian personalised ranking (Rendle and others, 2009).

import {type GapOptions, gapNeeds, gapsOf, meanOver, type Opponents, opponents} from './gaps.js';
import {type Similarity, similarities} from './inputs.js';
import {defineLoss, type Loss} from './loss.js';
import {settled, wordOption} from './options.js';

/** Scores are dot products by default, as in the factor models that this loss comes from. */
export type BprOptions = GapOptions;

const schema = {
	similarity: wordOption<Similarity>('dot', similarities),
	negatives: wordOption<Opponents>('own', opponents),
};

/**
Mean over comparisons of −log σ(s⁺ − s⁻). Scores are not divided by anything: `logistic` is the same
with a temperature.

Columns: query, positive, negatives, any number of them in each row.

@example
await train(model, {data: 'triplets.jsonl', loss: bpr({negatives: 'all'})});
*/
export function bpr(options: BprOptions = {}): Loss {
	const settings = settled('bpr', schema, options);
	const facts = {options: settings, needs: gapNeeds(settings)};
	return defineLoss('bpr', facts, (ops, {columns}) => {
		const gaps = gapsOf(ops, 'bpr', columns, settings);
		return meanOver(ops, gaps, ops.softplus(ops.scale(gaps.gap, -1)));
	});
}
