// What a loss may be given beside embeddings: numbers and vectors of the rows.

import type {Tape, Variable} from '../autograd/tape.js';
import type {LossInputs} from '../loss/loss.js';

export type RowFacts = Pick<LossInputs, 'labels' | 'scores' | 'epoch' | 'known' | 'sets'> & {
	/** A teacher's vector of each row, end to end. */
	teacher?: Float32Array | undefined;
	/** A guide's vectors of each column, end to end. */
	guide?: readonly Float32Array[] | undefined;
};

/** The facts of so many rows as a loss takes them. */
export function factsOn(
	tape: Tape,
	{teacher, guide, ...numbers}: RowFacts,
	rows: number,
): Omit<LossInputs, 'columns' | 'parameters'> {
	const matrix = (values: Float32Array, columns: number): Variable =>
		tape.constant(values, {rows: values.length / columns, columns});
	const width = guide ? guide[0]!.length / rows : 0;
	return {
		...numbers,
		...(teacher && {teacher: matrix(teacher, teacher.length / rows)}),
		...(guide && {guide: guide.map(column => matrix(column, width))}),
	};
}
