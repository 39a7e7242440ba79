// Nested widths (Matryoshka): any loss on the leading columns of embeddings as well, so that these
// can later be cut. The model computes once; only the loss is computed for each width.

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {EngineError, kindOf} from '../errors.js';
import {columnOf, defineLoss, type Loss, type LossInputs, textsOf} from './loss.js';
import {numbersOption, type Settled, settled, switchOption, wordOption} from './options.js';

const reductions = ['sum', 'mean'] as const;

export type MatryoshkaOptions = {
	/** How many leading columns each term sees; the whole width counts only when it is named. */
	widths: number | readonly number[];
	/** What the loss at each width counts, in the order of the widths. Default 1 each. */
	weights?: number | readonly number[];
	/** Whether the weighted losses are added, or added and divided by their number. Default sum. */
	reduce?: (typeof reductions)[number];
	/** Whether what is left of an embedding is brought to length 1 again. Default true. */
	renormalize?: boolean;
};

const schema = {
	widths: numbersOption([], {from: 1, whole: true}),
	weights: numbersOption([], {from: 0}),
	reduce: wordOption('sum', reductions),
	renormalize: switchOption(true),
};

type Settings = Settled<typeof schema>;

/**
Σ over widths d of wᵈ loss(the first d columns), as in sentence-transformers' MatryoshkaLoss; with
`reduce: 'mean'` divided by the number of widths. What the loss reports is that of the widest.

NeMo's form of it takes slices of vectors of length 1 as they are: a model that normalizes,
`renormalize: false`, and a loss of dot products.

@example
const loss = matryoshka(infoNce(), {widths: [384, 128, 64]});
*/
export function matryoshka(loss: Loss, options: MatryoshkaOptions): Loss {
	const settings = checked(loss, options);
	const {widths, weights, reduce} = settings;
	const widest = Math.max(...widths);
	const share = reduce === 'mean' ? 1 / widths.length : 1;
	const {parameters = [], needs} = loss;
	const record = {...settings, of: {name: loss.name || 'custom', ...loss.options}};
	const facts = {parameters, options: record, needs: {...needs, width: widest}};
	return defineLoss('matryoshka', facts, (ops, inputs) => {
		const fused = fusedOver(loss, settings);
		if (fused && !inputs.onSuspects) {
			const whole = cutColumns(ops, {...settings, renormalize: false}, inputs, widest);
			return fused(ops, {...inputs, columns: whole});
		}
		const quiet = {...ops, report: () => undefined};
		const terms = widths.map((width, n) => {
			const cut = {...inputs, columns: cutColumns(ops, settings, inputs, width)};
			const term = loss(width === widest ? ops : quiet, cut);
			return ops.scale(term, weights[n]! * share);
		});
		return ops.sum(ops.concatColumns(terms));
	});
}

/** All widths in one pass, where the loss knows how. */
function fusedOver(loss: Loss, {widths, weights, reduce, renormalize}: Settings) {
	const rising = widths.map((width, n) => ({width, weight: weights[n]!}));
	rising.sort((a, b) => a.width - b.width);
	const share = reduce === 'mean' ? 1 / widths.length : 1;
	return loss.nested?.({
		widths: rising.map(({width}) => width),
		weights: rising.map(({weight}) => weight * share),
		renormalize,
	});
}

/** The first columns of every embedding. */
function cutColumns(
	ops: LossOperations,
	{renormalize}: Settings,
	{columns}: LossInputs,
	width: number,
): LossInputs['columns'] {
	const queries = columns[0] ? textsOf(columns[0]) : 0;
	return columns.map(column => {
		// The whole width is copied too: offsets are put on what is new.
		const slice: Variable = ops.columns(column, 0, width);
		const cut = renormalize ? ops.normalizeRows(slice) : slice;
		return columnOf(cut, queries, column.offsets, column.tokens);
	});
}

function checked(loss: Loss, options: MatryoshkaOptions): Settings {
	if (typeof loss !== 'function') {
		const message = `matryoshka: expected a loss that it is made of, got ${kindOf(loss)}`;
		throw new EngineError('LOSS_INVALID', message);
	}
	const settings = settled('matryoshka', schema, options ?? {});
	const {widths, weights} = settings;
	if (widths.length === 0 || new Set(widths).size < widths.length) {
		refuse('OPTION_RANGE', 'widths, each once', widths.join(', ') || 'none');
	}
	if (weights.length !== 0 && weights.length !== widths.length) {
		refuse('OPTION_RANGE', `${widths.length} weights, one for each width`, `${weights.length}`);
	}
	if (loss.needs?.teacher) {
		refuse('OPTION_CONFLICT', "a loss without a teacher's vectors", `${loss.name}, use its widths`);
	}
	if (loss.queue) refuse('OPTION_CONFLICT', 'a loss without a queue', `one of ${loss.queue}`);
	const isWide = loss.parameters?.some(({shape}) => shape && shape(1).columns < shape(2).columns);
	if (isWide) {
		const expected = 'a loss that learns nothing as wide as the embeddings';
		refuse('OPTION_CONFLICT', expected, loss.name);
	}
	return {...settings, weights: weights.length === 0 ? widths.map(() => 1) : weights};
}

function refuse(code: 'OPTION_RANGE' | 'OPTION_CONFLICT', expected: string, got: string): never {
	throw new EngineError(code, `matryoshka: expected ${expected}, got ${got}`);
}
