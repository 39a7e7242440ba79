// How far a positive is above a negative, learned from a teacher (Hofstätter and others, 2020).

import {gapsOf} from './gaps.js';
import {expectTriplets, refuse, type Similarity, similarities} from './inputs.js';
import {defineLoss, type Loss, type LossInputs, type LossNeeds} from './loss.js';
import {numberOption, settled, wordOption} from './options.js';
import {cut, placesOf} from './teacher.js';

const kinds = ['scores', 'margins'] as const;
type TeacherNumbers = (typeof kinds)[number];

export type MarginMseOptions = {
	/** What a score is. Default cosine; dot can be as far apart as any teacher's scores. */
	similarity?: Similarity;
	/** What differences of scores are multiplied with. Default 1. */
	scale?: number;
	/**
	What the data have: a teacher's scores of each row's documents, or as each row's score the margin
	itself, with one negative in each row. Default scores.
	*/
	teacher?: TeacherNumbers;
};

const schema = {
	similarity: wordOption<Similarity>('cosine', similarities),
	scale: numberOption(1, {from: 0, open: true}),
	teacher: wordOption<TeacherNumbers>('scores', kinds),
};

const needsOf: Readonly<Record<TeacherNumbers, LossNeeds>> = {
	scores: {negatives: 'some', scores: {of: 'candidates'}, across: 'nothing'},
	margins: {negatives: 'one', scores: {of: 'row'}, across: 'nothing'},
};

/**
Mean over (row, negative) of (scale (s⁺ − s⁻) − margin)², where the margin is the teacher's score of
the positive less that of the negative. MarginMSELoss of sentence-transformers with similarity dot.

Columns: query, positive, negatives. Scores: of each row's positive and then its negatives, row after
row; or the margin of each negative.

@example
await train(model, {data: 'teacher-scores.jsonl', loss: marginMse({similarity: 'dot'})});
*/
export function marginMse(options: MarginMseOptions = {}): Loss {
	const settings = settled('marginmse', schema, options);
	const {similarity, scale, teacher} = settings;
	const facts = {options: settings, needs: needsOf[teacher]};
	return defineLoss('marginmse', facts, (ops, inputs) => {
		const {gap} = gapsOf(ops, 'marginmse', inputs.columns, {similarity, negatives: 'own'});
		const {owner, query} = expectTriplets(ops, 'marginmse', inputs.columns);
		const margins = ops.constant(marginsOf(inputs, owner, query.rows), gap.rows, 1);
		return ops.mean(ops.square(ops.subtract(ops.scale(gap, scale), margins)));
	});
}

/** The teacher's margin for each negative; given as such, or as scores of all documents. */
function marginsOf({scores, labels}: LossInputs, owner: Int32Array, rows: number): Float32Array {
	const given = scores ?? labels;
	const own = placesOf(owner, rows);
	const isMargins = given?.length === owner.length;
	if (!given || (!isMargins && given.length !== rows + owner.length)) {
		const what = `${rows + owner.length} scores of a teacher, or ${owner.length} margins`;
		refuse('marginmse', what, given ? `${given.length}` : 'none');
	}
	const lists = cut(
		given,
		own.map(places => places.length + (isMargins ? 0 : 1)),
	);
	const margins = new Float32Array(owner.length);
	for (const [row, list] of lists.entries()) {
		const found = isMargins ? list : list.slice(1).map(score => list[0]! - score);
		for (const [rank, place] of own[row]!.entries()) {
			margins[place] = found[rank]!;
		}
	}
	return margins;
}
