// A teacher's vectors, learned as stella and jasper do (Zhang and others, 2024).

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {EngineError} from '../errors.js';
import {refuse} from './inputs.js';
import {defineLoss, expectColumns, type Loss, type LossNeeds} from './loss.js';
import {numberOption, numbersOption, type Settled, settled} from './options.js';

export type DistillVectorsOptions = {
	/** The share of 1 − cos of a student's vector and its teacher's. Default 10. */
	cosineWeight?: number;
	/** The share of the squared difference of the cosines of all pairs of texts. Default 200. */
	similarityWeight?: number;
	/** The share of pairs of pairs that stand in another order than the teacher's. Default 20. */
	tripletWeight?: number;
	/** The share of the squared difference of the vectors themselves. Default 0. */
	mseWeight?: number;
	/** By how much two cosines are to be apart in the teacher's order. Default 0.015. */
	margin?: number;
	/**
	Leading columns of the student's vectors whose cosines are compared, a mean over these widths.
	Default the whole width.
	*/
	widths?: number | readonly number[];
};

const schema = {
	cosineWeight: numberOption(10, {from: 0}),
	similarityWeight: numberOption(200, {from: 0}),
	tripletWeight: numberOption(20, {from: 0}),
	mseWeight: numberOption(0, {from: 0}),
	margin: numberOption(0.015, {from: 0}),
	widths: numbersOption([], {from: 1, whole: true}),
};

type Settings = Settled<typeof schema>;
type Inputs = {student: Variable; teacher: Variable};

/**
cosineWeight A + similarityWeight B + tripletWeight C + mseWeight D over a batch of texts, where s are
the student's vectors and t the teacher's:

- A: mean of 1 − cos(s, t);
- B: mean over all rows² of the squared difference of the students' cosines and the teachers';
- C: with the cosines of all pairs of texts in the order of rows, mean over pairs of pairs of
  max(0, y (x₂ − x₁) + margin), where x are the students' cosines and y is 1 where the teacher's
  second is below its first, else −1; 0 of less than two pairs;
- D: mean over elements of (s − t)².

B and C are means over the widths, each with the student's leading columns alone.

Columns: the texts. Teacher: a vector of each, as wide as the student's for A and D.

@example
await train(model, {data: 'texts.jsonl', teacherVectors: 'teacher.npy', loss: distillVectors()});
*/
export function distillVectors(options: DistillVectorsOptions = {}): Loss {
	const settings = settled('distillvectors', schema, options);
	const facts = {options: settings, needs: needsOf(settings)};
	return defineLoss('distillvectors', facts, (ops, {columns, teacher}) => {
		const [student] = expectColumns('distillvectors', columns, 1);
		if (teacher?.rows !== student.rows) {
			const got = teacher ? `${teacher.rows}` : 'none';
			refuse('distillvectors', `${student.rows} vectors of a teacher, one for each text`, got);
		}
		const terms = termsOf(ops, settings, {student, teacher});
		for (const [name, term] of terms) ops.report(`losses.${name}`, term);
		return [...terms.values()].reduce((sum, term) => ops.add(sum, term));
	});
}

type Terms = Map<'cosine' | 'mse' | 'similarity' | 'triplet', Variable>;

/** The parts of the loss, each with its share. */
function termsOf(ops: LossOperations, settings: Settings, {student, teacher}: Inputs): Terms {
	const {cosineWeight, mseWeight} = settings;
	const terms: Terms = new Map();
	const unit = ops.normalizeRows(teacher);
	if (cosineWeight > 0 || mseWeight > 0) {
		expectSameWidth(student, teacher);
	}
	if (cosineWeight > 0) {
		const cosines = ops.rowDots(ops.normalizeRows(student), unit);
		const apart = ops.addScalar(ops.scale(ops.mean(cosines), -1), 1);
		terms.set('cosine', ops.scale(apart, cosineWeight));
	}
	if (mseWeight > 0) {
		const apart = ops.mean(ops.square(ops.subtract(student, teacher)));
		terms.set('mse', ops.scale(apart, mseWeight));
	}
	addRelations(ops, settings, {student, unit, terms});
	return terms;
}

/** What the cosines of all pairs of texts add, a mean over the widths. */
function addRelations(
	ops: LossOperations,
	settings: Settings,
	{student, unit, terms}: {student: Variable; unit: Variable; terms: Terms},
): void {
	const {similarityWeight, tripletWeight, margin} = settings;
	if (similarityWeight === 0 && tripletWeight === 0) return;
	const add = (name: 'similarity' | 'triplet', term: Variable) => {
		const before = terms.get(name);
		terms.set(name, before ? ops.add(before, term) : term);
	};
	const wanted = ops.products(unit, unit);
	const widths = widthsOf(settings, student.columns);
	for (const width of widths) {
		const part = ops.normalizeRows(ops.columns(student, 0, width));
		const found = ops.products(part, part);
		if (similarityWeight > 0) {
			const apart = ops.mean(ops.square(ops.subtract(found, wanted)));
			add('similarity', ops.scale(apart, similarityWeight / widths.length));
		}
		if (tripletWeight > 0) {
			const turned = ops.orderedPairs(found, wanted, margin);
			add('triplet', ops.scale(turned, tripletWeight / widths.length));
		}
	}
}

function widthsOf({widths}: Settings, whole: number): readonly number[] {
	const wide = widths.find(width => width > whole);
	if (wide !== undefined) {
		refuse('distillvectors', `widths up to ${whole}, that of the embeddings`, `${wide}`);
	}
	return widths.length === 0 ? [whole] : widths;
}

function expectSameWidth(student: Variable, teacher: Variable): void {
	if (student.columns !== teacher.columns) {
		refuse(
			'distillvectors',
			`vectors of a teacher of ${student.columns} columns, as the embeddings`,
			`${teacher.columns}; set cosineWeight and mseWeight to 0, or give the model a Dense module`,
		);
	}
}

function needsOf(settings: Settings): LossNeeds {
	const {cosineWeight, similarityWeight, tripletWeight, mseWeight} = settings;
	if (cosineWeight + similarityWeight + tripletWeight + mseWeight === 0) {
		throw new EngineError(
			'OPTION_CONFLICT',
			'distillvectors: expected a weight above 0, got 0 for all of them',
		);
	}
	const isAcross = similarityWeight > 0 || tripletWeight > 0;
	return {row: 'text', teacher: true, across: isAcross ? 'rows' : 'nothing'};
}
