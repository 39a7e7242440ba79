// Classes by a linear layer over the embeddings, of texts or of pairs of them (Sentence-BERT, Reimers
// and Gurevych, 2019).

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {EngineError} from '../errors.js';
import {classesOption, classNeed, expectClasses, marks, smoothedEntropy} from './classes.js';
import {expectPairs} from './inputs.js';
import {
	type Column,
	defineLoss,
	expectColumns,
	type Loss,
	type LossNeeds,
	type LossParameter,
} from './loss.js';
import {numberOption, type Settled, settled, wordOption} from './options.js';

const rowKinds = ['text', 'pair'] as const;
const forms = ['crossEntropy', 'focal', 'dice'] as const;
type RowKind = (typeof rowKinds)[number];
type Form = (typeof forms)[number];

export type SoftmaxOptions = {
	/** How many classes there are; labels are whole numbers from 0. Default 2. */
	classes?: number;
	/** What a class is of. Default text. */
	row?: RowKind;
	/** Default crossEntropy. */
	form?: Form;
	/** How little texts count whose class is found already, in the form focal. Default 2. */
	gamma?: number;
	/** What is added above and below, in the form dice. Default 1. */
	smooth?: number;
	/** How much of the target is spread evenly over all classes, of crossEntropy. Default 0. */
	labelSmoothing?: number;
};

const schema = {
	classes: classesOption,
	row: wordOption<RowKind>('text', rowKinds),
	form: wordOption<Form>('crossEntropy', forms),
	gamma: numberOption(2, {from: 0}),
	smooth: numberOption(1, {from: 0}),
	labelSmoothing: numberOption(0, {from: 0, below: 1}),
};

type Settings = Settled<typeof schema>;

/** The form that an option belongs to. */
const formOf = {gamma: 'focal', smooth: 'dice', labelSmoothing: 'crossEntropy'} as const;

/**
A mean over rows, where p is the softmax of x Wᵀ + b and y the row's class:

- crossEntropy: −log p(y), with label smoothing as in torch;
- focal: −(1 − p(y))^gamma log p(y), by Lin and others (2017);
- dice: 1 − (2 p(y) + smooth) / (Σ p² + 1 + smooth), by Li and others (2020) with squares below.

x is the text's embedding; of a pair (u, v) it is u, v and |u − v| side by side, which is SoftmaxLoss of
sentence-transformers.

Columns: the texts, or query and positive. Labels: the class of each row. Learns `weight`, (classes,
width of x), and `bias`, (1, classes).

@example
await train(model, {data: 'nli.jsonl', loss: softmax({row: 'pair', classes: 3})});
*/
export function softmax(options: SoftmaxOptions = {}): Loss {
	const settings = settled('softmax', schema, options);
	const {classes, row} = settings;
	expectUsed(options, settings);
	const label = classNeed(classes);
	const needs: LossNeeds =
		row === 'text'
			? {row, label, across: 'nothing'}
			: {row, label, negatives: 'none', across: 'nothing'};
	const logits: Loss['logits'] = (ops, {columns, parameters: {weight, bias}}) =>
		ops.add(ops.products(featuresOf(ops, row, columns), weight!), bias!);
	const facts = {options: settings, needs, parameters: layerOf(settings), logits};
	return defineLoss('softmax', facts, (ops, inputs) => {
		const labels = expectClasses('softmax', inputs, inputs.columns[0]?.rows ?? 0, classes);
		return lossOf(ops, settings, logits(ops, inputs), labels);
	});
}

function lossOf(
	ops: LossOperations,
	{form, classes, gamma, smooth, labelSmoothing}: Settings,
	logits: Variable,
	labels: Float32Array,
): Variable {
	if (form === 'crossEntropy') {
		return smoothedEntropy(ops, logits, labels, labelSmoothing);
	}
	const logShares = ops.logSoftmaxRows(logits);
	const own = ops.pick(logShares, labels);
	if (form === 'focal') {
		// log(1 − p) as the share of all other classes, which is exact where p is near 1.
		const others = ops.scale(marks(ops, labels, classes), -1e9);
		const missing = ops.logSumExpRows(ops.add(logShares, others));
		return ops.scale(ops.mean(ops.multiply(ops.exp(ops.scale(missing, gamma)), own)), -1);
	}
	const above = ops.addScalar(ops.scale(ops.exp(own), 2), smooth);
	const squares = ops.rowSums(ops.square(ops.exp(logShares)));
	const likeness = ops.divide(above, ops.addScalar(squares, 1 + smooth));
	return ops.addScalar(ops.scale(ops.mean(likeness), -1), 1);
}

function featuresOf(ops: LossOperations, row: RowKind, columns: readonly Column[]): Variable {
	if (row === 'text') {
		return expectColumns('softmax', columns, 1)[0];
	}
	const [left, right] = expectPairs('softmax', columns);
	return ops.concatColumns([left, right, ops.abs(ops.subtract(left, right))]);
}

/** As torch begins a linear layer. */
function layerOf({classes, row}: Settings): LossParameter[] {
	const widthOf = (width: number) => (row === 'text' ? width : 3 * width);
	return [
		{
			name: 'weight',
			value: 0,
			shape: width => ({rows: classes, columns: widthOf(width)}),
			spread: ({columns}) => 1 / Math.sqrt(columns),
		},
		{name: 'bias', value: 0, shape: () => ({rows: 1, columns: classes})},
	];
}

function expectUsed(options: SoftmaxOptions, {form}: Settings): void {
	for (const [name, owner] of Object.entries(formOf)) {
		if (options[name as keyof typeof formOf] !== undefined && owner !== form) {
			const message = `softmax: expected ${name} with the form ${owner}, got it with ${form}`;
			throw new EngineError('OPTION_CONFLICT', message);
		}
	}
}
