// Scores as distributions: the student's is to be the teacher's.

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {expectPairs, expectRowScores, rowScores, type Similarity, similarities} from './inputs.js';
import {defineLoss, type Loss, type LossInputs, type LossNeeds} from './loss.js';
import {numberOption, settled, wordOption} from './options.js';
import {
	distribution,
	divergence,
	entropyOf,
	expectCandidates,
	type Temperatures,
} from './teacher.js';

const groups = ['own', 'batch'] as const;
type Group = (typeof groups)[number];

export type KlOnScoresOptions = {
	/**
	What a distribution is over: the documents of a query, its positive and negatives, or all pairs of
	the batch, whose scores must then be comparable. Default own.
	*/
	group?: Group;
	/** What a score is. Default cosine. */
	similarity?: Similarity;
	/** What the student's scores are divided by. Default 0.05. */
	studentTemperature?: number;
	/** What the teacher's scores are divided by. Default 0.05. */
	teacherTemperature?: number;
};

const schema = {
	group: wordOption<Group>('own', groups),
	similarity: wordOption<Similarity>('cosine', similarities),
	studentTemperature: numberOption(0.05, {from: 0, open: true}),
	teacherTemperature: numberOption(0.05, {from: 0, open: true}),
};

const needsOf: Readonly<Record<Group, LossNeeds>> = {
	own: {negatives: 'some', scores: {of: 'candidates'}, across: 'nothing'},
	batch: {negatives: 'none', scores: {of: 'row'}, across: 'rows'},
};

/**
The Kullback-Leibler divergence Σ p log(p / q) of the student's distribution q from the teacher's p,
each a softmax of scores divided by its temperature; a mean over rows, and over the batch the sum of
its one distribution divided by the number of rows, as RAG-Retrieval has it.

Columns: query, positive, and for `own` negatives. Scores: of each row's positive and then its
negatives, row after row; for `batch` one for each row.

@example
await train(model, {data: 'teacher-scores.jsonl', loss: klOnScores({teacherTemperature: 1})});
*/
export function klOnScores(options: KlOnScoresOptions = {}): Loss {
	const settings = settled('klonscores', schema, options);
	const {group, similarity} = settings;
	const facts = {options: settings, needs: needsOf[group]};
	return defineLoss('klonscores', facts, (ops, inputs) => {
		if (group === 'batch') {
			return overBatch(ops, inputs, settings);
		}
		return divergence(ops, expectCandidates(ops, 'klonscores', inputs, similarity), settings);
	});
}

function overBatch(
	ops: LossOperations,
	inputs: LossInputs,
	{similarity, studentTemperature, teacherTemperature}: Temperatures & {similarity: Similarity},
): Variable {
	const [left, right] = expectPairs('klonscores', inputs.columns);
	const scores = [...expectRowScores('klonscores', inputs, left.rows)];
	const wanted = distribution(scores, teacherTemperature);
	const found = ops.scale(rowScores(ops, similarity, left, right), 1 / studentTemperature);
	const surprises = ops.subtract(ops.logSumExpRows(ops.transpose(found)), found);
	const sum = ops.sum(ops.multiply(surprises, ops.constant(wanted, wanted.length, 1)));
	return ops.scale(ops.addScalar(sum, -entropyOf(wanted)), 1 / left.rows);
}
