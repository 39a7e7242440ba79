// Several losses of the same batch, each with its weight.

import {EngineError, kindOf} from '../errors.js';
import {defineLoss, type Loss} from './loss.js';
import {unitedNeeds} from './needs.js';
import {expectNumber} from './options.js';
import {expectLoss, inputsOf, nameOf, type Part, parametersOf, recordOf, refuse} from './parts.js';

export type WeightedLoss = {
	loss: Loss;
	/** What the loss counts. Default 1. */
	weight?: number;
};

type Weighted = Part & {weight: number};

/**
Σ weight loss over the parts. Each is reported as `losses.<name>`, before its weight; what else is
reported is that of the first part that says it. The rows must have what all parts need.

Columns: those of the parts.

@example
const loss = weightedSum([{loss: cosent()}, {loss: infoNce(), weight: 0.5}]);
*/
export function weightedSum(losses: readonly WeightedLoss[]): Loss {
	const parts = partsOf(losses);
	const [queued, ...others] = parts.filter(({loss}) => loss.queue);
	if (others.length > 0) refuse('weightedsum', 'one loss with a queue', `${others.length + 1}`);
	const all = parts.map(({loss}) => loss);
	const facts = {
		parameters: parametersOf(parts),
		options: {of: parts.map(({name, loss, weight}) => ({...recordOf(name, loss), weight}))},
		needs: unitedNeeds('weightedsum', all),
		...(queued && {queue: queued.loss.queue!}),
	};
	return defineLoss('weightedsum', facts, (ops, inputs) => {
		const said = new Set<string>();
		const report: typeof ops.report = (name, value) => {
			if (!said.has(name)) ops.report(name, value);
			said.add(name);
		};
		const terms = parts.map(part => {
			const term = part.loss({...ops, report}, inputsOf(part, inputs));
			ops.report(`losses.${part.name}`, term);
			return ops.scale(term, part.weight);
		});
		return ops.sum(ops.concatColumns(terms));
	});
}

/** A name that comes again is numbered. */
function partsOf(losses: readonly WeightedLoss[]): Weighted[] {
	if (!Array.isArray(losses) || losses.length === 0) {
		const message = `weightedsum: expected a list of losses, got ${kindOf(losses)}`;
		throw new EngineError('LOSS_INVALID', message);
	}
	const parts: Weighted[] = [];
	for (const {loss, weight = 1} of losses as readonly WeightedLoss[]) {
		expectLoss('weightedsum', loss);
		expectNumber('weightedsum', 'each weight', weight, {from: 0});
		const name = nameOf(loss);
		const count = parts.filter(part => nameOf(part.loss) === name).length;
		parts.push({name: count === 0 ? name : `${name}-${count + 1}`, loss, weight});
	}
	if (parts.some(({weight}) => weight > 0)) return parts;
	return refuse('weightedsum', 'a weight above 0', 'none');
}
