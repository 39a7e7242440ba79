// R-Drop: every row goes through the model twice, under two dropouts, and what the model says must be
// alike both times (Liang and others, 2021).

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {EngineError} from '../errors.js';
import {leastTemperature} from './infonce-options.js';
import {rowScores, type Similarity} from './inputs.js';
import {
	type Candidates,
	defineLoss,
	type Loss,
	type LossInputs,
	ownersOf,
	textsOf,
} from './loss.js';
import {metBy} from './needs.js';
import {numberOption, settled, wordOption} from './options.js';
import {expectLoss, nameOf, optionOf, recordOf, refuse} from './parts.js';
import {quiet} from './reports.js';
import {someRows, span} from './some-rows.js';

const divergences = ['auto', 'kl', 'squares'] as const;
type Divergence = (typeof divergences)[number];

export type RDropOptions = {
	/** What the divergence of the two passes counts. Default 4. */
	alpha?: number;
	/**
	How far apart two passes are: `kl` of the distributions of rows, `squares` of the scores of pairs.
	Default kl, but squares where the loss needs a score or label of each pair, or is of texts alone.
	*/
	divergence?: Divergence;
};

const schema = {
	alpha: numberOption(4, {from: 0}),
	divergence: wordOption<Divergence>('auto', divergences),
};

/**
(loss₁ + loss₂) / 2 + alpha / 4 (D(1, 2) + D(2, 1)), the form of bert4keras and open-retrievals, which is
half of that of the paper. D is a mean over rows:

- kl: Kullback-Leibler of what the two passes make of a query: the softmax of its scores with the
  documents of the batch that the loss lets it meet, by the loss's temperature (0.05 where it has
  none) and before masks; of a loss of classes, the softmax over these; of late interaction, over its
  scores;
- squares: the squared difference of the similarity of each pair, as the paper has it for regression; of
  texts alone the squared distance of the two embeddings at length 1.

kl holds matrices of all queries by all documents. Without dropout both passes are one, and what is
left is the loss.

Columns: those of the loss for the first pass, and below them in each column those of the second.
Reported as `losses.<name>`, the mean of the loss, and `losses.rdrop`, (D(1, 2) + D(2, 1)) / 2.

@example
await train(model, {data: 'pairs.jsonl', loss: rDrop(infoNce(), {alpha: 4}), dropout: 0.1});
*/
export function rDrop(loss: Loss, options: RDropOptions = {}): Loss {
	expectLoss('rdrop', loss);
	const settings = settled('rdrop', schema, options);
	const {parameters, needs, queue} = loss;
	if (needs?.passes === 2) refuse('rdrop', 'a loss of one pass', nameOf(loss));
	if (needs?.sets) refuse('rdrop', 'the loss of one data set, within lossFor', nameOf(loss));
	if (needs?.tokens && !loss.logits) refuse('rdrop', 'one loss of token vectors', nameOf(loss));
	const kind = kindOf(loss, settings.divergence);
	const facts = {
		...(parameters && {parameters}),
		...(queue && {queue}),
		options: {...settings, of: recordOf(nameOf(loss), loss)},
		needs: {...needs, passes: 2 as const},
		heldOut: loss.heldOut ?? loss,
	};
	return defineLoss('rdrop', facts, (ops, inputs) => {
		const count = (inputs.columns[0] ? textsOf(inputs.columns[0]) : 0) / 2;
		if (!Number.isInteger(count)) {
			const message = `rdrop: expected the rows of two passes, got ${2 * count}`;
			throw new EngineError('LOSS_INVALID', message);
		}
		const [first, second] = [0, count].map(begin =>
			someRows(ops, inputs, span(begin, count), needs),
		) as [LossInputs, LossInputs];
		const terms = [loss(ops, first), loss(quiet(ops), unheard(second))];
		const mean = ops.mean(ops.concatColumns(terms));
		const apart =
			kind === 'kl'
				? divergence(ops, logitsOf(ops, loss, first), logitsOf(ops, loss, second))
				: squares(ops, said(ops, loss, first), said(ops, loss, second));
		ops.report(`losses.${nameOf(loss)}`, mean);
		ops.report('losses.rdrop', apart);
		return ops.add(mean, ops.scale(apart, settings.alpha / 2));
	});
}

/** Inputs of which nobody is told: a queue and a file of suspects see the first pass alone. */
function unheard({queue, onSuspects: _, ...inputs}: LossInputs): LossInputs {
	return {...inputs, ...(queue && {queue: {...queue, push: () => undefined}})};
}

function kindOf(loss: Loss, given: Divergence): Exclude<Divergence, 'auto'> {
	const {needs = {}, logits} = loss;
	const isAlone = isTextAlone(loss);
	const {label, scores} = needs;
	const isLabelled = label !== undefined && label.optional !== 'always';
	const isScored = isAlone || scores?.of === 'row' || (isLabelled && !logits);
	const kind = given === 'auto' ? (isScored ? 'squares' : 'kl') : given;
	if (isAlone && kind === 'kl') refuse('rdrop', 'squares for a loss of texts alone', kind);
	if (kind === 'squares' && logits) refuse('rdrop', `kl for ${nameOf(loss)}`, kind);
	return kind;
}

/** Whether rows are texts of which nothing is said but their embedding. */
function isTextAlone({needs = {}, logits}: Loss): boolean {
	return needs.row === 'text' && needs.views !== 2 && !logits;
}

/** The mean over rows of half of KL(p‖q) + KL(q‖p), which is half of Σ (p − q)(log p − log q). */
function divergence(ops: LossOperations, a: Variable, b: Variable): Variable {
	const [left, right] = [ops.logSoftmaxRows(a), ops.logSoftmaxRows(b)];
	const shares = ops.subtract(ops.exp(left), ops.exp(right));
	const products = ops.multiply(shares, ops.subtract(left, right));
	return ops.scale(ops.mean(ops.rowSums(products)), 0.5);
}

/** The mean over rows of the squared difference of all that is said of a row. */
function squares(ops: LossOperations, a: Variable, b: Variable): Variable {
	return ops.mean(ops.rowSums(ops.square(ops.subtract(a, b))));
}

/** The similarity of each pair, (N, 1), or the embeddings of texts alone, at length 1. */
function said(ops: LossOperations, loss: Loss, {columns}: LossInputs): Variable {
	const [query, positive] = columns;
	if (isTextAlone(loss)) return ops.normalizeRows(query!);
	return rowScores(ops, similarityOf(loss), query!, positive!);
}

function similarityOf(loss: Loss): Similarity {
	return optionOf(loss, 'similarity') === 'dot' ? 'dot' : 'cosine';
}

/** What a query's softmax is taken of. */
function logitsOf(ops: LossOperations, loss: Loss, inputs: LossInputs): Variable {
	if (loss.logits) return loss.logits(ops, inputs);
	const [query, ...documents] = inputs.columns;
	const normalize = (x: Variable) => (similarityOf(loss) === 'cosine' ? ops.normalizeRows(x) : x);
	const met = normalize(documents.length > 1 ? ops.concatRows(documents) : documents[0]!);
	const scores = tempered(ops, loss, inputs, ops.products(normalize(query!), met));
	const unmet = unmetBy(loss, inputs);
	return unmet ? ops.add(scores, ops.constant(unmet, scores.rows, scores.columns)) : scores;
}

function tempered(ops: LossOperations, loss: Loss, {parameters}: LossInputs, x: Variable) {
	const learned = Object.keys(parameters).find(name => /^(.*\.)?temperature$/.test(name));
	if (learned) return ops.divide(x, ops.clamp(parameters[learned]!, leastTemperature));
	return ops.scale(x, 1 / temperatureOf(loss));
}

/** What the loss divides scores by, in all. */
function temperatureOf(loss: Loss): number {
	const given = ['temperature', 'studentTemperature'].map(name => optionOf(loss, name));
	const numbers = given.filter(value => typeof value === 'number');
	return numbers.length === 0 ? 0.05 : numbers.reduce((product, value) => product * value, 1);
}

/** Far below any score where the loss lets a query not meet a document. */
function unmetBy({needs}: Loss, {columns}: LossInputs): Float32Array | undefined {
	const candidates = metBy(needs);
	if (candidates.length === 3) return undefined;
	const [query, ...documents] = columns;
	const owners = documents.map(ownersOf);
	const width = owners.reduce((sum, {length}) => sum + length, 0);
	const unmet = new Float32Array(query!.rows * width);
	let at = 0;
	for (const [n, list] of owners.entries()) {
		const [own, other] =
			n === 0 ? [true, candidates.includes('inBatchPositives')] : hardMet(candidates);
		for (const [place, owner] of list.entries()) {
			for (let row = 0; row < query!.rows; row++) {
				if (!(row === owner ? own : other)) unmet[row * width + at + place] = -1e9;
			}
		}
		at += list.length;
	}
	return unmet;
}

function hardMet(candidates: readonly Candidates[]): [own: boolean, other: boolean] {
	return [candidates.includes('ownHard'), candidates.includes('otherHard')];
}
