// Nested widths (Matryoshka): any loss on the leading columns of embeddings as well, so that these
// can later be cut. The model computes once; only the loss is computed for each width.

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {EngineError, kindOf} from '../errors.js';
import {
	columnOf,
	defineLoss,
	type Loss,
	type LossInputs,
	type LossParameter,
	type LossQueue,
	textsOf,
} from './loss.js';
import {numbersOption, type Settled, settled, switchOption, wordOption} from './options.js';
import {nameOf, recordOf} from './parts.js';
import {quiet} from './reports.js';

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
`reduce: 'mean'` divided by the number of widths. What the loss reports is that of the widest. A matrix
that a loss of classes learns is cut too: its first d columns are the classes at width d (MRL-E of
Kusupati and others, 2022). The documents of a queue are cut where they are met.

Columns: those of the loss.

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
	const {parameters = [], needs, logits, queue} = loss;
	const facts = {
		parameters,
		options: {...settings, of: recordOf(nameOf(loss), loss)},
		needs: {...needs, width: widest},
		...(logits && {logits}),
		...(queue && {queue}),
	};
	return defineLoss('matryoshka', facts, (ops, inputs) => {
		const fused = fusedOver(loss, settings);
		const cutTo = (width: number, renormalize = settings.renormalize) =>
			cutInputs(ops, {loss, inputs, renormalize, isWidest: width === widest}, width);
		if (fused && !inputs.onSuspects) return fused(ops, cutTo(widest, false));
		const terms = widths.map((width, n) => {
			const term = loss(width === widest ? ops : quiet(ops), cutTo(width));
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

type Cut = {loss: Loss; inputs: LossInputs; renormalize: boolean; isWidest: boolean};

/** What the loss sees at a width. The documents of a queue stay whole, and only the widest adds to them. */
function cutInputs(
	ops: LossOperations,
	{loss, inputs, renormalize, isWidest}: Cut,
	width: number,
): LossInputs {
	const {columns, queue, onSuspects, ...others} = inputs;
	const queries = columns[0] ? textsOf(columns[0]) : 0;
	const cut = (whole: Variable): Variable => {
		// The whole width is copied too: offsets are put on what is new.
		const slice = ops.columns(whole, 0, width);
		return renormalize ? ops.normalizeRows(slice) : slice;
	};
	const push: LossQueue['push'] = (_, known) => {
		if (isWidest) queue?.push(columns[1]!, known);
	};
	return {
		...others,
		columns: columns.map(each => columnOf(cut(each), queries, each.offsets, each.tokens)),
		parameters: cutParameters(ops, loss, inputs, width),
		...(isWidest && onSuspects && {onSuspects}),
		...(queue && {queue: {...queue, vectors: queue.vectors && cut(queue.vectors), push}}),
	};
}

/** What a loss learns as wide as the embeddings is cut as they are. */
function cutParameters(
	ops: LossOperations,
	{parameters: learned = []}: Loss,
	{columns, parameters}: LossInputs,
	width: number,
): LossInputs['parameters'] {
	const whole = columns[0]?.columns ?? width;
	const cut = learned.filter(isWide).map(({name, shape}) => {
		const parts = Array.from({length: shape!(1).columns}, (_, n) =>
			ops.columns(parameters[name]!, n * whole, width),
		);
		return [name, parts.length === 1 ? parts[0]! : ops.concatColumns(parts)] as const;
	});
	return {...parameters, ...Object.fromEntries(cut)};
}

/** Whether a matrix has a column for each of the embeddings, or several times as many. */
function isWide({shape}: Pick<LossParameter, 'shape'>): boolean {
	return shape !== undefined && shape(1).columns < shape(2).columns;
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
	const odd = loss.parameters?.find(({shape}) => {
		return shape && isWide({shape}) && shape(2).columns !== 2 * shape(1).columns;
	});
	if (odd) {
		const expected = 'matrices that are as wide as the embeddings, or several times';
		refuse('OPTION_CONFLICT', expected, odd.name);
	}
	return {...settings, weights: weights.length === 0 ? widths.map(() => 1) : weights};
}

function refuse(code: 'OPTION_RANGE' | 'OPTION_CONFLICT', expected: string, got: string): never {
	throw new EngineError(code, `matryoshka: expected ${expected}, got ${got}`);
}
