// The hinge: a query's own positive is to score higher than negatives, by a margin.

import {type GapOptions, gapNeeds, gapsOf, meanOver, type Opponents, opponents} from './gaps.js';
import {type Similarity, similarities} from './inputs.js';
import {defineLoss, type Loss} from './loss.js';
import {numberOption, settled, wordOption} from './options.js';

export type HingeOptions = GapOptions & {
	/** How much higher, in scores. Default 0.5. */
	margin?: number;
};

const schema = {
	margin: numberOption(0.5, {from: 0}),
	similarity: wordOption<Similarity>('cosine', similarities),
	negatives: wordOption<Opponents>('own', opponents),
};

/**
Mean over comparisons of max(0, margin − s⁺ + s⁻). The negatives are the row's own, all hard ones of
the batch (`hard`), or all documents of the batch but the own positive (`all`). open-retrievals
documents it, with the sign turned.

Columns: query, positive, negatives, any number of them in each row.

@example
await train(model, {data: 'triplets.jsonl', loss: hinge({margin: 0.3})});
*/
export function hinge(options: HingeOptions = {}): Loss {
	const settings = settled('hinge', schema, options);
	const facts = {options: settings, needs: gapNeeds(settings)};
	return defineLoss('hinge', facts, (ops, {columns}) => {
		const gaps = gapsOf(ops, 'hinge', columns, settings);
		const value = ops.relu(ops.addScalar(ops.scale(gaps.gap, -1), settings.margin));
		return meanOver(ops, gaps, value);
	});
}
