// The fused softmax of a batch. Native side: ops/contrast.h.

import type {Fields} from '../native.js';
import {expectShape, expectWidth, refuse} from './shapes.js';
import type {Tape, Variable} from './tape.js';

export type ContrastOptions = {
	/** For each column the row that it belongs to. */
	owner: Int32Array;
	/** How many columns, from the first, are positives; the others are hard negatives. */
	positives: number;
	/** Whether a row meets its own positive. */
	own: boolean;
	/** Whether a row meets the positives of other rows. */
	others: boolean;
	/** Whether a row meets its own hard negatives. */
	ownHard: boolean;
	/** Whether a row meets the hard negatives of other rows. */
	otherHard: boolean;
	/** What scores are divided by, (1, 1). */
	temperature: Variable;
	/** Whether scores are cosines; otherwise they are dot products. */
	cosine: boolean;
};

export type Contrast = {
	/** The log of the sum of the exponentials of scores, (N, 1); minus infinity of none. */
	lse: Variable;
	/** The mean of each row's scores, (N, 1); zero of none. */
	mean: Variable;
	/** How many columns each row meets, (N, 1). */
	count: Variable;
};

/** Scores of rows against columns of the batch and their softmax. No matrix of scores is stored. */
export function contrast(
	tape: Tape,
	rows: Variable,
	columns: Variable,
	options: ContrastOptions,
): Contrast {
	const operands = operandsOf(tape, rows, columns, options);
	const [lse, mean, count] = [0, 1, 2].map(() => tape.empty(rows.rows, 1));
	tape.device.run('contrastForward', {...operands, lse, mean, count});

	const parents = [rows, columns, options.temperature];
	const [lseResult, meanResult] = tape.recordAll([lse!, mean!], parents, ([dlse, dmean]) => {
		const wanted = parents.map(parent =>
			parent.needsGradient ? tape.empty(parent.rows, parent.columns) : undefined,
		);
		const [drows, dcolumns, dtemperature] = wanted;
		const given = {...operands, lse, count, dlse: dlse ?? tape.zeros(lse!), dmean};
		tape.device.run('contrastBackward', {...given, drows, dcolumns, dtemperature});
		return wanted;
	});
	return {lse: lseResult!, mean: meanResult!, count: tape.constant(count!)};
}

function operandsOf(
	tape: Tape,
	rows: Variable,
	columns: Variable,
	{temperature, cosine, owner, ...met}: ContrastOptions,
): Fields {
	expectWidth('contrast', 'columns', columns, rows.columns);
	expectShape('contrast', 'the temperature', temperature, {rows: 1, columns: 1});
	if (owner.length !== columns.rows) {
		refuse('contrast', `owner of ${columns.rows} numbers`, owner.length);
	}
	const inverseLengths = (x: Variable) =>
		tape.compute('rowNorms', {rows: x.rows, columns: 1}, {x: x.tensor}, 'inverse');
	return {
		rows: rows.tensor,
		columns: columns.tensor,
		temperature: temperature.tensor,
		owner: tape.indices(owner),
		rowScale: cosine ? inverseLengths(rows) : undefined,
		columnScale: cosine ? inverseLengths(columns) : undefined,
		...met,
	};
}
