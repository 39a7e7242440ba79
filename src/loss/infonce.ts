// The in-batch loss: each query must find its own positive among the texts of the batch.

import {needsKnown} from './false-negatives.js';
import {inBatchLoss} from './in-batch.js';
import {
	type Direction,
	type InfoNceOptions,
	meetsOthers,
	recordOf,
	type Settings,
	settle,
} from './infonce-options.js';
import {defineLoss, type Loss, type LossFunction, type LossNeeds, type Nesting} from './loss.js';

export type {Direction, InfoNceOptions} from './infonce-options.js';
export type {Candidates} from './loss.js';

/**
Mean over queries of log Σ eˢ − (1 − ε) s⁺ − ε mean(s), where s runs over the candidates of a query,
s⁺ is the score of its own positive, which always is a candidate, and ε the label smoothing. Scores
are divided by the temperature. Of several positives of a query s⁺ is the mean, or log Σ eˢ.

Every direction meets its own pair's score: in dq a document meets all queries, in qq and dd the pair
stands beside the other texts of the same kind; `candidates` chooses among documents, in qd and dd.
A joint softmax unites what the directions meet, so with qd and dq it counts the own pair in both,
as sentence-transformers and GTE do.

A query whose candidates are all masked has its own positive alone, and no loss.

InfoNCE of van den Oord and others (2018); with the temperature 0.05 MultipleNegativesRankingLoss of
sentence-transformers, of which it has the masks of GISTEmbed, the directions of GTE and the hardness
weights too.

Columns: query, positive, negatives, any number of them in each row; of a row several positives where
`directions` begin with a query.

@example
await train(model, {data: 'pairs.jsonl', loss: infoNce({directions: ['qd', 'dq']})});
*/
export function infoNce(options: InfoNceOptions = {}): Loss {
	const settings = settle('infonce', options);
	const {directions, partition} = settings;
	const groups = partition === 'joint' ? [directions] : directions.map(each => [each]);
	const needsOwn = !meetsOthers(settings) && !settings.candidates.includes('otherHard');
	const needs = needsOwn ? ({negatives: 'some', across: 'nothing'} as const) : {};
	return inBatch('infonce', settings, groups, needs);
}

/**
A loss of the in-batch family by that name, with a softmax for each group of directions. Options that
are taken are the loss's own.
*/
export function inBatch(
	name: string,
	settings: Settings,
	groups: readonly (readonly Direction[])[],
	{taken = [], ...needs}: LossNeeds & {taken?: readonly (keyof InfoNceOptions)[]},
): Loss {
	const {learnTemperature, temperature, queue, mask, directions} = settings;
	const isOne = taken.includes('positives') || mask.includes('teacher');
	const isSeveral = !isOne && directions.every(each => each[0] === 'q');
	const parameters = learnTemperature ? [{name: 'temperature', value: temperature}] : [];
	const byTeacher = mask.includes('teacher');
	const nestedLoss =
		(nesting: Nesting): LossFunction =>
		(ops, inputs) =>
			inBatchLoss(ops, {...settings, nesting}, groups, inputs);
	const facts = {
		parameters,
		options: recordOf(settings, taken),
		needs: {
			...needs,
			...(!taken.includes('candidates') && {meets: settings.candidates}),
			...(isSeveral && {positives: 'several' as const}),
			...(needsKnown(settings) && {known: true}),
			...(byTeacher && {
				scores: {of: 'candidates' as const, optional: 'withoutNegatives' as const},
			}),
			...(mask.includes('guide') && {guide: true}),
		},
		...(queue > 0 && {queue}),
		nested: (nesting: Nesting) => (canNest(settings, nesting) ? nestedLoss(nesting) : undefined),
	};
	return defineLoss(name, facts, (ops, inputs) => inBatchLoss(ops, settings, groups, inputs));
}

/** Whether one pass can do several widths: not where what is masked depends on scores. */
function canNest({mask}: Settings, {widths}: Nesting): boolean {
	const isEven = widths.every((width, n) => width % 16 === 0 || n === widths.length - 1);
	return isEven && !mask.includes('margin') && !mask.includes('guide');
}
