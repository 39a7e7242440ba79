// The logistic ranking loss: how unlikely it is that a negative scores higher than the positive.

import {type GapOptions, gapNeeds, gapsOf, meanOver, type Opponents, opponents} from './gaps.js';
import {type Similarity, similarities} from './inputs.js';
import {defineLoss, type Loss} from './loss.js';
import {numberOption, settled, wordOption} from './options.js';

export type LogisticOptions = GapOptions & {
	/** What differences of scores are divided by. Default 0.05. */
	temperature?: number;
};

const schema = {
	temperature: numberOption(0.05, {from: 0, open: true}),
	similarity: wordOption<Similarity>('cosine', similarities),
	negatives: wordOption<Opponents>('own', opponents),
};

/**
Mean over comparisons of log(1 + exp(−(s⁺ − s⁻) / temperature)), as open-retrievals names it. With
one negative in each row this is the softmax over the own two documents.

Columns: query, positive, negatives, any number of them in each row.

@example
await train(model, {data: 'triplets.jsonl', loss: logistic({temperature: 0.1})});
*/
export function logistic(options: LogisticOptions = {}): Loss {
	const settings = settled('logistic', schema, options);
	const facts = {options: settings, needs: gapNeeds(settings)};
	return defineLoss('logistic', facts, (ops, {columns}) => {
		const gaps = gapsOf(ops, 'logistic', columns, settings);
		return meanOver(ops, gaps, ops.softplus(ops.scale(gaps.gap, -1 / settings.temperature)));
	});
}
