// What the masks that judge by scores took for false negatives, for whoever wants to look at it.

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {highestBeside, type MaskSettings} from './false-negatives.js';
import {measured, type Similarity} from './inputs.js';
import type {LossInputs} from './loss.js';
import type {Taught} from './teacher.js';

/** What the direction qd met. */
export type Judged = {
	inputs: LossInputs;
	query: Variable;
	documents: Variable;
	/** Own positives, and behind them documents of earlier steps. */
	positives: number;
	earlier: number;
	similarity: Similarity;
	/** Of each row what limits removed: the document of the largest score, and that score, divided. */
	removed: Variable | undefined;
	temperature: Variable;
	taught: Taught | undefined;
};

/** Scores are as they are before the temperature. */
export function tellSuspects(ops: LossOperations, settings: MaskSettings, judged: Judged): void {
	const {inputs, positives, earlier, removed, temperature, taught} = judged;
	const {onSuspects} = inputs;
	const {mask} = settings;
	if (!onSuspects) return;
	const tell = (pairs: Variable) => onSuspects({pairs, positives, earlier});
	if (removed && (mask.includes('margin') || mask.includes('guide'))) {
		const scores = ops.multiply(ops.columns(removed, 1, 1), ops.detach(temperature));
		tell(ops.concatColumns([ops.columns(removed, 0, 1), scores]));
	}
	if (taught) tell(pairsOfTeacher(ops, settings, {...judged, taught}));
}

/** Of each row the own negative that its teacher scores highest, where the mask removed it. */
function pairsOfTeacher(
	ops: LossOperations,
	{margin}: MaskSettings,
	{query, documents, positives, earlier, similarity, taught}: Judged & {taught: Taught},
): Variable {
	const columns = taught.teacher.map(([near = Number.NaN, ...scores], row) => {
		const most = scores.indexOf(Math.max(...scores));
		const isSuspect = scores[most]! > highestBeside(near, margin);
		return isSuspect ? positives + earlier + taught.own[row]![most]! : -1;
	});
	const met = ops.gatherRows(
		documents,
		columns.map(column => Math.max(0, column)),
	);
	const from = measured(ops, similarity, query);
	const scores = ops.detach(ops.rowDots(from, measured(ops, similarity, met)));
	return ops.concatColumns([ops.constant(columns, columns.length, 1), scores]);
}
