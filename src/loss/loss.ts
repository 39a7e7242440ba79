// What a loss is: a function of matrices and nothing else. It knows no model and holds no state.

import type {LossOperations} from '../autograd/operations.js';
import {operationsOf} from '../autograd/operations.js';
import type {Shape, Tape, Variable} from '../autograd/tape.js';
import {EngineError, kindOf} from '../errors.js';

/**
One role of the batch: row n of the query, of the positive and of each negative belong together.
With `offsets`, the texts offsets[n] to offsets[n + 1] belong to query n. A text is a row, or with
`tokens` the rows tokens[n] to tokens[n + 1].
*/
export type Column = Variable & {readonly offsets?: Int32Array; readonly tokens?: Int32Array};

export type LossInputs = {
	/** The query, the positive, then negatives. */
	readonly columns: readonly Column[];
	/** One number for each row, where the data have them. */
	readonly labels?: Float32Array;
	/** Scores of a teacher, row after row, where the data have them. */
	readonly scores?: Float32Array;
	/** A teacher's vector of each query, (N, its width), where the data have them. */
	readonly teacher?: Variable;
	/** What is known of rows and texts, for finding false negatives. */
	readonly known?: RowsKnown;
	/** A guide's vectors of each column, where there is a guide. */
	readonly guide?: readonly Variable[];
	/** Takes what masks suspect to be false negatives, for whoever wants to look at it. */
	readonly onSuspects?: (found: SuspectPairs) => void;
	/** Documents of earlier steps, for a loss that keeps a queue. */
	readonly queue?: LossQueue;
	/** The name of the data set of each row, where a loss asks for it. */
	readonly sets?: readonly string[];
	/** How often the data were passed before. Default 0. */
	readonly epoch?: number;
	/** What the loss itself learns, by name. */
	readonly parameters: Readonly<Record<string, Variable>>;
};

export type SuspectPairs = {
	/** For each query the document of the highest score that is suspected, or −1, and the score. */
	readonly pairs: Variable;
	/** Documents are positives, then those of earlier steps, then hard negatives. */
	readonly positives: number;
	readonly earlier: number;
	/** Which rows of the batch the queries are, where they are not all of them. */
	readonly rows?: Int32Array;
};

/** Numbers of what rows and texts are: equal ones are the same; 0 is nothing known. */
export type RowsKnown = {
	/** The texts of each column. */
	readonly texts: readonly Float64Array[];
	/** The query of each row, by its id or else its text. */
	readonly queries: Float64Array;
	/** The documents of each column after the query, by their ids or else their texts. */
	readonly documents: readonly Float64Array[];
	/** All documents that are known to be positives of row n: from offsets[n] to offsets[n + 1]. */
	readonly positives: {readonly offsets: Int32Array; readonly documents: Float64Array};
	/** The data set of each row. */
	readonly sets: Float64Array;
};

/** What is known of columns, as RowsKnown is of rows. */
export type ColumnsKnown = {
	readonly texts: Float64Array;
	/** The query that a column is a positive of, or is itself. */
	readonly queries: Float64Array;
	readonly documents: Float64Array;
	readonly sets: Float64Array;
};

/** Vectors of the documents of earlier steps, as the model then saw them. */
export type LossQueue = {
	/** Without a gradient; nothing before the first step. */
	readonly vectors: Variable | undefined;
	readonly known: ColumnsKnown;
	/** How many steps ago they were made: on average, and the oldest. */
	readonly age: {readonly mean: number; readonly most: number};
	/** Puts the documents of this step in the place of the oldest, once the step is done. */
	push(vectors: Variable, known: ColumnsKnown | undefined): void;
};

/** A number, or a matrix, that a loss learns; it does not decay. */
export type LossParameter = {
	readonly name: string;
	/** What every element starts from. */
	readonly value: number;
	/** The shape of a matrix, by the width of the embeddings. Default (1, 1). */
	readonly shape?: (width: number) => Shape;
	/**
	Elements are drawn evenly between value − spread and value + spread, by the seed of the run.
	Default 0.
	*/
	readonly spread?: (shape: Shape) => number;
};

/** Which numbers a loss takes. */
export type NumbersNeeded = {
	readonly from?: number;
	readonly to?: number;
	/** Whether only whole numbers will do. Default false. */
	readonly whole?: boolean;
	/** These numbers and no others. */
	readonly among?: readonly number[];
};

/** The documents of a batch beside a query's own positive. */
export const candidateKinds = ['inBatchPositives', 'ownHard', 'otherHard'] as const;
export type Candidates = (typeof candidateKinds)[number];

/** What a loss needs of every row of the data, which is checked before training. */
export type LossNeeds = {
	/** A query with its positive, or a text alone. Default pair. */
	readonly row?: 'pair' | 'text';
	/** Whether a text alone is encoded twice, under two dropouts: as query and as positive. Default 1. */
	readonly views?: 1 | 2;
	/**
	Whether all rows are encoded twice, under two dropouts: the rows of the second pass then come after
	those of the first, in every column. Default 1.
	*/
	readonly passes?: 1 | 2;
	/** What is needed of the rows of a data set, by its name, and of the others. Default the same of all. */
	readonly sets?: Readonly<Record<string, LossNeeds>>;
	readonly otherSets?: LossNeeds;
	/** Whether a row may have several positives, which the loss takes together. Default one. */
	readonly positives?: 'one' | 'several';
	/** Hard negatives of a row: at least one, exactly one, or none. Default: any number. */
	readonly negatives?: 'some' | 'one' | 'none';
	/** A label; optional for all rows together, or for those with negatives. */
	readonly label?: NumbersNeeded & {readonly optional?: 'always' | 'withNegatives'};
	/**
	A score of each row, for which its label stands in, or of its positive and then of each of its
	negatives.
	*/
	readonly scores?: NumbersNeeded & {
		readonly of: 'row' | 'candidates';
		/** Optional for rows without negatives, which then have NaN. */
		readonly optional?: 'withoutNegatives';
	};
	/** A teacher's vector of each query. Default false. */
	readonly teacher?: boolean;
	/** What is known of rows and texts. Default false. */
	readonly known?: boolean;
	/** A guide's vectors of each column. Default false. */
	readonly guide?: boolean;
	/** A row for each token of a text instead of one for the text. Default false. */
	readonly tokens?: boolean;
	/** Embeddings of at least so many columns. Default 1. */
	readonly width?: number;
	/**
	What the loss sees of other rows: their texts, of which then none stands twice in a batch, only
	their numbers, or nothing, so that a row may be alone. Default texts.
	*/
	readonly across?: 'texts' | 'rows' | 'nothing';
	/** The documents that a query is compared with. Default by what it sees: all, the own negatives, none. */
	readonly meets?: readonly Candidates[];
};

/**
A loss: a (1, 1) of what is to become small.

@example
const loss: Loss = (ops, {columns}) => {
	const [query, positive] = expectColumns('distance', columns, 2);
	return ops.mean(ops.square(ops.subtract(query, positive)));
};
*/
export type Loss = ((ops: LossOperations, inputs: LossInputs) => Variable) & {
	/** What the loss learns beside the model. */
	readonly parameters?: readonly LossParameter[];
	/** What it was made with: run.json records it, and a run goes on under no other. */
	readonly options?: Readonly<Record<string, unknown>>;
	/** What it needs of the data. */
	readonly needs?: LossNeeds;
	/** How many documents of earlier steps it wants to see. Default none. */
	readonly queue?: number;
	/** What it is of held-out rows, without what only training adds. Default the same. */
	readonly heldOut?: Loss;
	/** What it takes the softmax of in each row, where that is not over the documents of the batch. */
	readonly logits?: (ops: LossOperations, inputs: LossInputs) => Variable;
	/** The same at several widths in one pass, where the loss can do that. */
	readonly nested?: (nesting: Nesting) => LossFunction | undefined;
};

export type LossFunction = (ops: LossOperations, inputs: LossInputs) => Variable;

/** Leading columns of embeddings, rising up to all of them, and what the loss at each of them counts. */
export type Nesting = {
	readonly widths: readonly number[];
	readonly weights: readonly number[];
	/** Whether what is cut gets length 1 again. */
	readonly renormalize: boolean;
};

/** A loss with its name and what it declares. */
export function defineLoss(
	name: string,
	facts: Pick<Loss, 'parameters' | 'options' | 'needs' | 'queue' | 'logits' | 'heldOut' | 'nested'>,
	loss: LossFunction,
): Loss {
	return Object.assign(Object.defineProperty(loss, 'name', {value: name}), facts);
}

/** Records a loss on a tape and checks that it is one number. */
export function applyLoss(tape: Tape, loss: Loss, inputs: LossInputs): Variable {
	const value: unknown = loss(operationsOf(tape), inputs);
	if (!isVariable(value)) {
		throw new EngineError(
			'LOSS_INVALID',
			`loss: expected it to return a variable, got ${kindOf(value)}; end with ops.mean`,
		);
	}
	if (value.rows !== 1 || value.columns !== 1) {
		throw new EngineError(
			'LOSS_INVALID',
			`loss: expected one number, got ${value.rows} x ${value.columns}; end with ops.mean`,
		);
	}
	return value;
}

type Repeated<Count extends number, List extends Column[] = []> = List['length'] extends Count
	? List
	: Repeated<Count, [...List, Column]>;

export type ColumnsExpected = {
	/** Whether further columns may follow, with any number of rows for each query. Default false. */
	more?: boolean;
};

/** The columns of a loss that takes `count` of them, one row for each query. */
export function expectColumns<Count extends number>(
	loss: string,
	columns: readonly Column[],
	count: Count,
	{more = false}: ColumnsExpected = {},
): [...Repeated<Count>, ...Column[]] {
	if (columns.length < count || (columns.length > count && !more)) {
		const wanted = more ? `at least ${count}` : `${count}`;
		refuse(loss, `${wanted} columns (query, positive, negatives)`, columns.length);
	}
	const queries = columns[0] ? textsOf(columns[0]) : 0;
	for (const [n, column] of columns.entries()) {
		const {offsets} = column;
		const rows = textsOf(column);
		if (offsets && n < count && !isEven(offsets)) {
			refuse(loss, `column ${n} with one row for each query`, 'several or none for some');
		}
		if (!offsets && rows !== queries) {
			refuse(loss, `column ${n} of ${queries} rows, as the query has`, rows);
		}
	}
	return columns as [...Repeated<Count>, ...Column[]];
}

/** How many texts a column has. */
export function textsOf({rows, tokens}: Column): number {
	return tokens ? tokens.length - 1 : rows;
}

/** For each text of a column the query that it belongs to. */
export function ownersOf(column: Column): Int32Array {
	const {offsets} = column;
	const texts = textsOf(column);
	if (!offsets) {
		return Int32Array.from({length: texts}, (_, text) => text);
	}
	const owners = new Int32Array(texts);
	for (let query = 0; query + 1 < offsets.length; query++) {
		owners.fill(query, offsets[query], offsets[query + 1]);
	}
	return owners;
}

/** A column from a variable; its offsets, and those of the tokens of its texts, are checked. */
export function columnOf(
	variable: Variable,
	queries: number,
	offsets?: Int32Array,
	tokens?: Int32Array,
): Column {
	if (tokens) expectRising('tokens', tokens, variable.rows);
	const column: Column = tokens ? Object.assign(variable, {tokens}) : variable;
	if (!offsets) {
		return column;
	}
	if (offsets.length !== queries + 1) {
		refuse('offsets', `${queries + 1} numbers for ${queries} queries`, offsets.length);
	}
	expectRising('offsets', offsets, textsOf(column));
	return Object.assign(column, {offsets});
}

function expectRising(name: string, offsets: Int32Array, end: number): void {
	if (offsets[0] !== 0 || offsets.at(-1) !== end) {
		refuse(name, `0 to ${end}`, `${offsets[0]} to ${offsets.at(-1)}`);
	}
	const falls = offsets.findIndex((offset, n) => n > 0 && offset < offsets[n - 1]!);
	if (falls >= 0) {
		refuse(name, 'rising numbers', `${offsets[falls]} after ${offsets[falls - 1]}`);
	}
}

function isEven(offsets: Int32Array): boolean {
	return offsets.every((offset, n) => offset === n);
}

function isVariable(value: unknown): value is Variable {
	return typeof value === 'object' && value !== null && 'tensor' in value && 'rows' in value;
}

function refuse(where: string, expected: string, got: string | number): never {
	throw new EngineError('LOSS_INVALID', `${where}: expected ${expected}, got ${got}`);
}
