// Classes as directions, each to be met by its texts with an angle to spare (ArcFace, Deng and others,
// 2019).

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {classesOption, classNeed, expectClasses, marks, smoothedEntropy} from './classes.js';
import {refuse} from './inputs.js';
import {defineLoss, expectColumns, type Loss, type LossInputs, type LossParameter} from './loss.js';
import {numberOption, numbersOption, type Settled, settled, switchOption} from './options.js';
import {choose, isAbove} from './where.js';

export type ArcFaceOptions = {
	/** How many classes there are; labels are whole numbers from 0. Default 2. */
	classes?: number;
	/** What cosines are multiplied with. Default 30. */
	scale?: number;
	/**
	The angle to spare, in radians; of several the first epoch takes the first and so on, and epochs
	beyond them the last. Default 0.5.
	*/
	margin?: number | readonly number[];
	/** Whether the margin counts only for texts within a right angle of their class. Default false. */
	easyMargin?: boolean;
	/** How much of the target is spread evenly over all classes. Default 0. */
	labelSmoothing?: number;
};

const schema = {
	classes: classesOption,
	scale: numberOption(30, {from: 0, open: true}),
	margin: numbersOption([0.5], {from: 0, below: Math.PI / 2}),
	easyMargin: switchOption(false),
	labelSmoothing: numberOption(0, {from: 0, below: 1}),
};

type Settings = Settled<typeof schema>;

/**
Cross-entropy, with label smoothing as in torch, over scale cos θ, where θ is the angle of a text and
the learned direction of a class; of the text's own class it is scale cos(θ + margin). Where θ + margin
is beyond a straight angle, cos θ − margin sin(margin) takes its place, so that it falls on; with
easyMargin the margin counts only where cos θ is above 0.

Columns: the texts. Labels: the class of each. Learns `weight`, (classes, E), the directions.

@example
await train(model, {data: 'classes.jsonl', loss: arcFace({classes: 12, margin: [0.2, 0.35, 0.5]})});
*/
export function arcFace(options: ArcFaceOptions = {}): Loss {
	const settings = settled('arcface', schema, options);
	const {classes, labelSmoothing, scale} = settings;
	if (settings.margin.length === 0) {
		refuse('arcface', 'at least one margin', 'none');
	}
	const needs = {row: 'text', label: classNeed(classes), across: 'nothing'} as const;
	const logits: Loss['logits'] = (ops, inputs) => ops.scale(cosinesOf(ops, inputs), scale);
	const facts = {options: settings, needs, parameters: [directionsOf(classes)], logits};
	return defineLoss('arcface', facts, (ops, inputs) => {
		const cosines = cosinesOf(ops, inputs);
		const labels = expectClasses('arcface', inputs, cosines.rows, classes);
		const own = ops.pick(cosines, labels);
		const spared = ops.subtract(withMargin(ops, settings, own, inputs.epoch), own);
		const target = ops.add(cosines, ops.multiply(marks(ops, labels, classes), spared));
		return smoothedEntropy(ops, ops.scale(target, scale), labels, labelSmoothing);
	});
}

/** Of each text and each class, (N, classes). */
function cosinesOf(ops: LossOperations, {columns, parameters}: LossInputs): Variable {
	const [text] = expectColumns('arcface', columns, 1);
	return ops.products(ops.normalizeRows(text), ops.normalizeRows(parameters['weight']!));
}

/** cos(θ + margin) of cos θ, (N, 1), or what takes its place. */
function withMargin(
	ops: LossOperations,
	{margin, easyMargin}: Settings,
	cosine: Variable,
	epoch = 0,
): Variable {
	const angle = margin[Math.min(epoch, margin.length - 1)]!;
	ops.report('margin', angle);
	const sine = ops.sqrt(ops.relu(ops.addScalar(ops.scale(ops.square(cosine), -1), 1)));
	const turned = ops.subtract(ops.scale(cosine, Math.cos(angle)), ops.scale(sine, Math.sin(angle)));
	if (easyMargin) {
		return choose(ops, isAbove(ops, cosine), turned, cosine);
	}
	const isWithin = isAbove(ops, ops.addScalar(cosine, Math.cos(angle)));
	return choose(ops, isWithin, turned, ops.addScalar(cosine, -angle * Math.sin(angle)));
}

/** Drawn as Glorot and Bengio do. */
function directionsOf(classes: number): LossParameter {
	return {
		name: 'weight',
		value: 0,
		shape: width => ({rows: classes, columns: width}),
		spread: ({rows, columns}) => Math.sqrt(6 / (rows + columns)),
	};
}
