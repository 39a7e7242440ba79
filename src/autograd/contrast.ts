// The fused softmax of a batch. Native side: ops/contrast.h.

import type {Fields, Tensor} from '../native.js';
import {expectShape, expectWidth, refuse} from './shapes.js';
import type {Shape, Tape, Variable} from './tape.js';

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
	/** Scores before the temperature beyond these count as these, and have no gradient. */
	clamp?: readonly [lowest: number, highest: number];
	/** Weighs negatives by how hard they are. */
	hardness?: Hardness;
	/** Takes columns from rows that they are likely to be positives of, never a row's own. */
	rules?: ContrastRules;
	/**
	A softmax of each of so many leading columns of the vectors, in one pass. They rise, are multiples of
	16 but the last, which is the whole width, and go with neither limit nor guide. Default the whole.
	*/
	widths?: readonly number[];
};

export type Hardness = {
	/** Times the score before the temperature, as a constant, is added to a score. */
	strength: number;
	/** Whether that is done for a row's own hard negatives, and for what belongs to other rows. */
	own: boolean;
	others: boolean;
};

export type ContrastRules = {
	/** Removed: columns whose key is among those of the row. Keys are from 0 to 2²⁴ − 1. */
	lists?: readonly KeyLists[];
	/** Removed: columns of another set. Sets are from 0 to 2²⁴ − 1. */
	sets?: {rows: Int32Array; columns: Int32Array};
	/** Removed: columns of a score above this, (N, 1); it takes no gradient. */
	limit?: Variable;
	/** Removed: columns whose cosine of these vectors is above the limit, (N, 1). */
	guide?: {rows: Variable; columns: Variable; limit: Variable};
};

/** The keys offsets[n] to offsets[n + 1] are those of row n; a column with a negative key has none. */
export type KeyLists = {offsets: Int32Array; keys: Int32Array; columns: Int32Array};

export type Contrast = {
	/** The log of the sum of the exponentials of scores, (N, W); minus infinity of none. */
	lse: Variable;
	/** The mean of each row's scores, (N, W); zero of none. W is the number of widths. */
	mean: Variable;
	/** How many columns each row meets, (N, 1). */
	count: Variable;
	/** With rules: how many pairs each removed, the first counting: the lists, sets, limit, guide. */
	removed?: Variable;
	/**
	With rules: of the columns that limit or guide removed, for each row the one of the largest score,
	or −1, and that score, (N, 2).
	*/
	suspects?: Variable;
};

/** Scores of rows against columns of the batch and their softmax. No matrix of scores is stored. */
export function contrast(
	tape: Tape,
	rows: Variable,
	columns: Variable,
	options: ContrastOptions,
): Contrast {
	const operands = operandsOf(tape, rows, columns, options);
	const each = options.widths?.length ?? 1;
	const [lse, mean, count] = [each, each, 1].map(columns => tape.empty(rows.rows, columns));
	const found = options.rules && {
		removed: tape.empty(1, (options.rules.lists?.length ?? 0) + 3),
		suspects: tape.empty(rows.rows, 2),
	};
	tape.device.run('contrastForward', {...operands, lse, mean, count, ...found});

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
	return {
		lse: lseResult!,
		mean: meanResult!,
		count: tape.constant(count!),
		...(found && {
			removed: tape.constant(found.removed),
			suspects: tape.constant(found.suspects),
		}),
	};
}

function operandsOf(
	tape: Tape,
	rows: Variable,
	columns: Variable,
	{temperature, cosine, owner, clamp, hardness, rules, widths, ...met}: ContrastOptions,
): Fields {
	const nested = widths && tape.indices(expectWidths(widths, rows.columns));
	expectWidth('contrast', 'columns', columns, rows.columns);
	expectShape('contrast', 'the temperature', temperature, {rows: 1, columns: 1});
	if (owner.length !== columns.rows) {
		refuse('contrast', `owner of ${columns.rows} numbers`, owner.length);
	}
	return {
		rows: rows.tensor,
		columns: columns.tensor,
		temperature: temperature.tensor,
		owner: tape.indices(owner),
		...(tape.shortProducts && {shortProducts: true}),
		...(nested && {widths: nested}),
		rowScale: cosine ? inverseLengths(tape, rows, nested) : undefined,
		columnScale: cosine ? inverseLengths(tape, columns, nested) : undefined,
		...met,
		...(clamp && {lowest: clamp[0], highest: clamp[1]}),
		...(hardness && {
			hardness: hardness.strength,
			weighsOwn: hardness.own,
			weighsOthers: hardness.others,
		}),
		...(rules && ruleOperands(tape, rules, {rows: rows.rows, columns: columns.rows})),
	};
}

function inverseLengths(tape: Tape, x: Variable, widths?: Tensor): Tensor {
	const shape = {rows: x.rows, columns: widths?.columns ?? 1};
	return tape.compute('rowNorms', shape, {x: x.tensor, ...(widths && {widths})}, 'inverse');
}

function expectWidths(widths: readonly number[], whole: number): Int32Array {
	const isRight = (width: number, n: number) =>
		(width % 16 === 0 || width === whole) && width > (widths[n - 1] ?? 0);
	if (widths.at(-1) !== whole || !widths.every(isRight)) {
		refuse('contrast', `rising widths, multiples of 16, up to ${whole}`, widths.join(', '));
	}
	return Int32Array.from(widths);
}

function ruleOperands(
	tape: Tape,
	{lists = [], sets, limit, guide}: ContrastRules,
	{rows, columns}: Shape,
): Fields {
	const listed = lists.length > 0 ? listOperands(tape, lists, {rows, columns}) : {};
	return {
		...listed,
		...(sets && {
			rowSet: tape.indices(expectNumbers('sets of rows', sets.rows, rows)),
			columnSet: tape.indices(expectNumbers('sets of columns', sets.columns, columns)),
		}),
		...(limit && {limit: limit.tensor}),
		...(guide && {
			guideRows: guide.rows.tensor,
			guideColumns: guide.columns.tensor,
			guideRowScale: inverseLengths(tape, guide.rows),
			guideColumnScale: inverseLengths(tape, guide.columns),
			guideLimit: guide.limit.tensor,
		}),
	};
}

/** The lists behind one another: their keys share one list, in which offsets begin anew for each. */
function listOperands(tape: Tape, lists: readonly KeyLists[], {rows, columns}: Shape): Fields {
	const listOffsets = new Int32Array(lists.length * (rows + 1));
	const columnKeys = new Int32Array(lists.length * columns);
	const total = lists.reduce((sum, {keys}) => sum + keys.length, 0);
	const listKeys = new Int32Array(Math.max(1, total));
	let begin = 0;
	for (const [n, list] of lists.entries()) {
		expectNumbers('offsets of lists', list.offsets, rows + 1);
		expectNumbers('keys of columns', list.columns, columns);
		listOffsets.set(
			list.offsets.map(offset => offset + begin),
			n * (rows + 1),
		);
		columnKeys.set(list.columns, n * columns);
		listKeys.set(list.keys, begin);
		begin += list.keys.length;
	}
	return {
		listOffsets: tape.own(tape.indices(listOffsets).reshape(lists.length, rows + 1)),
		listKeys: tape.indices(listKeys),
		columnKeys: tape.own(tape.indices(columnKeys).reshape(lists.length, columns)),
	};
}

function expectNumbers(what: string, numbers: Int32Array, length: number): Int32Array {
	if (numbers.length !== length) refuse('contrast', `${what} of ${length} numbers`, numbers.length);
	return numbers;
}
