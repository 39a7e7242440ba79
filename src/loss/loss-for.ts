// A loss for each data set: the rows of a set see each other and the loss of their set alone.

import {EngineError, kindOf} from '../errors.js';
import {defineLoss, type Loss, type LossInputs, textsOf} from './loss.js';
import {sharedNeeds} from './needs.js';
import {expectLoss, inputsOf, type Part, parametersOf, recordOf, refuse} from './parts.js';
import {Reports} from './reports.js';
import {someRows} from './some-rows.js';

export type LossForOptions = {
	/** The loss of the data sets that are not named. Default: such a set is refused. */
	otherwise?: Loss;
};

const rest = 'otherwise';

/**
Σ over the data sets in a batch of (rows of the set / rows) loss(rows of the set). A batch of several
sets is split, so a set's rows are never negatives of another's; a batch of one set has its loss
alone. Each is reported as `losses.<set>`.

Columns: those of the losses, which must be of one kind of row.

@example
await train(model, {
	data: ['qa=pairs.jsonl', 'sts=scored.jsonl'],
	loss: lossFor({qa: infoNce(), sts: cosent()}),
});
*/
export function lossFor(
	losses: Readonly<Record<string, Loss>>,
	{otherwise}: LossForOptions = {},
): Loss {
	const parts = partsOf(losses, otherwise);
	const heldOut = parts.some(({loss}) => loss.heldOut) && forHeldOut(losses, otherwise);
	const all = parts.map(({loss}) => loss);
	if (all.some(({queue}) => queue)) refuse('lossfor', 'losses without a queue', 'one with');
	const needs = {
		...sharedNeeds('lossfor', all),
		sets: Object.fromEntries(Object.entries(losses).map(([set, {needs}]) => [set, needs ?? {}])),
		...(otherwise && {otherSets: otherwise.needs ?? {}}),
	};
	const facts = {
		parameters: parametersOf(parts),
		options: {
			of: Object.fromEntries(parts.map(({name, loss}) => [name, recordOf(loss.name, loss)])),
		},
		needs,
		...(heldOut && {heldOut}),
	};
	return defineLoss('lossfor', facts, (ops, inputs) => {
		const [query] = inputs.columns;
		const count = query ? textsOf(query) : 0;
		const reports = new Reports(ops);
		const terms = [...rowsOfSets(inputs, count)].map(([set, rows]) => {
			const part = partFor(parts, set);
			const share = rows.length / count;
			const cut = inputsOf(part, someRows(ops, inputs, rows, needs));
			const term = part.loss(reports.of(share), cut);
			ops.report(`losses.${set}`, term);
			return ops.scale(term, share);
		});
		reports.tell();
		return ops.sum(ops.concatColumns(terms));
	});
}

function forHeldOut(losses: Readonly<Record<string, Loss>>, otherwise: Loss | undefined): Loss {
	const entries = Object.entries(losses).map(([set, loss]) => [set, loss.heldOut ?? loss] as const);
	const rest = otherwise && {otherwise: otherwise.heldOut ?? otherwise};
	return lossFor(Object.fromEntries(entries), rest);
}

/** The rows of each set, in the order in which the sets come. */
export function rowsOfSets(
	{sets}: Pick<LossInputs, 'sets'>,
	count: number,
): Map<string, Int32Array> {
	if (sets?.length !== count) {
		const got = sets ? `${sets.length}` : 'none';
		const message = `lossfor: expected the data set of each of ${count} rows, got ${got}`;
		throw new EngineError('LOSS_INVALID', message);
	}
	const rows = new Map<string, number[]>();
	for (const [row, set] of sets.entries()) rows.set(set, [...(rows.get(set) ?? []), row]);
	return new Map([...rows].map(([set, list]) => [set, Int32Array.from(list)]));
}

function partFor(parts: readonly Part[], set: string): Part {
	const known = parts.map(({name}) => name);
	const part = parts.find(({name}) => name === set) ?? parts.find(({name}) => name === rest);
	if (part) return part;
	const message = `lossfor: expected rows of ${known.join(', ')}, got some of ${set}`;
	throw new EngineError('LOSS_INVALID', message);
}

function partsOf(losses: Readonly<Record<string, Loss>>, otherwise: Loss | undefined): Part[] {
	if (typeof losses !== 'object' || losses === null || Object.keys(losses).length === 0) {
		const message = `lossfor: expected losses by the names of data sets, got ${kindOf(losses)}`;
		throw new EngineError('LOSS_INVALID', message);
	}
	const all = [...Object.entries(losses), ...(otherwise ? [[rest, otherwise] as const] : [])];
	return all.map(([name, loss]) => {
		expectLoss('lossfor', loss);
		return {name, loss};
	});
}
