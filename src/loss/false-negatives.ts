// Rules that take candidates from a query because they are likely to be its positives. Here they
// become keys, lists and limits, by which the contrastive op removes columns tile by tile.

import type {Contrast, ContrastRules, KeyLists} from '../autograd/contrast.js';
import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {EngineError} from '../errors.js';
import type {ColumnsKnown, RowsKnown} from './loss.js';
import type {Taught} from './teacher.js';

/** In the order in which they count: a column is removed by the first that applies. */
export const maskRules = [
	'same-text',
	'same-query',
	'known',
	'teacher',
	'other-set',
	'margin',
	'guide',
] as const;

export type MaskRule = (typeof maskRules)[number];

/** Rules that judge by scores, so that what they take out may be looked at by its score. */
export const judgingRules = ['margin', 'guide', 'teacher'] as const;

export function isJudge(rule: MaskRule): boolean {
	return (judgingRules as readonly MaskRule[]).includes(rule);
}

export type Margin = {absolute: number} | {relative: number};

export type MaskSettings = {mask: readonly MaskRule[]; margin: Margin};

/** What rows meet. Column n is its owner's own positive where n is below `positives`. */
export type Meeting = {
	known: RowsKnown | undefined;
	columns: ColumnsKnown | undefined;
	/** Whether the columns are queries. */
	isQueries: boolean;
	owner: Int32Array;
	positives: number;
	/** Where the positives of each row begin, when some have several. */
	positiveOffsets: Int32Array | undefined;
	limit: Variable | undefined;
	guide: ContrastRules['guide'];
	/** A teacher's scores of each row's own documents. */
	taught: Taught | undefined;
};

const listed = ['same-text', 'same-query', 'known', 'teacher'] as const;

/** The rules for one direction; nothing where none is asked for. */
export function rulesOf(settings: MaskSettings, meeting: Meeting): ContrastRules | undefined {
	const {mask, margin} = settings;
	if (mask.length === 0) return undefined;
	const {known, columns, limit, guide} = meeting;
	const asked = listed.filter(rule => mask.includes(rule));
	if (needsKnown(settings) && !(known && columns)) {
		refuse('what is known of the rows, as the masks need', 'none');
	}
	const lists = asked.map(rule =>
		rule === 'teacher'
			? taughtLists(meeting, margin)
			: listOf(rule, {...meeting, known: known!, columns: columns!}),
	);
	const sets = mask.includes('other-set') && setsOf(known!.sets, columns!.sets);
	return {
		lists,
		...(sets && {sets}),
		...(mask.includes('margin') && limit && {limit}),
		...(mask.includes('guide') && guide && {guide}),
	};
}

/** Whether a rule looks at what is known of rows and texts. */
export function needsKnown({mask}: Pick<MaskSettings, 'mask'>): boolean {
	return mask.some(rule => !isJudge(rule));
}

/**
A key for each own negative that its teacher scores above the positive's less the margin; only its own
row has it.
*/
function taughtLists({taught, owner, positives, isQueries}: Meeting, margin: Margin): KeyLists {
	const {own, teacher} = taught!;
	const columns = new Int32Array(owner.length).fill(-1);
	const offsets = new Int32Array(teacher.length + 1);
	const keys: number[] = [];
	for (const [row, [near = Number.NaN, ...scores]] of teacher.entries()) {
		const limit = highestBeside(near, margin);
		for (const [n, place] of own[row]!.entries()) {
			const column = positives + place;
			if (isQueries || column >= owner.length || !(scores[n]! > limit)) continue;
			columns[column] = keys.push(keys.length) - 1;
		}
		offsets[row + 1] = keys.length;
	}
	return {offsets, keys: Int32Array.from(keys), columns};
}

/** The largest score that a candidate may have beside a positive of that score. */
export function highestBeside(score: number, margin: Margin): number {
	if ('absolute' in margin) return score - margin.absolute;
	return score - Math.abs(score) * (1 - margin.relative);
}

/** The largest score that a candidate may have beside an own positive of that score. */
export function limitOf(
	ops: LossOperations,
	own: Variable,
	margin: Margin,
	temperature?: Variable,
): Variable {
	const score = ops.detach(own);
	if ('relative' in margin) {
		return ops.subtract(score, ops.scale(ops.abs(score), 1 - margin.relative));
	}
	const absolute = ops.constant([margin.absolute], 1, 1);
	const far = temperature ? ops.divide(absolute, ops.detach(temperature)) : absolute;
	return ops.detach(ops.subtract(score, far));
}

/** Reports how many pairs each rule removed, in all directions together. */
export function reportMasked(
	ops: LossOperations,
	{mask}: MaskSettings,
	softmaxes: readonly Pick<Contrast, 'removed'>[],
): void {
	const removed = softmaxes.flatMap(softmax => (softmax.removed ? [softmax.removed] : []));
	const lists = listed.filter(rule => mask.includes(rule));
	const places = [...lists, 'other-set', 'margin', 'guide'] as const;
	for (const rule of maskRules.filter(each => mask.includes(each))) {
		const counts = removed.map(count => ops.columns(count, places.indexOf(rule), 1));
		ops.report(`masked.${rule}`, counts.length > 0 ? counts.reduce(ops.add) : 0);
	}
}

type Known = Meeting & {known: RowsKnown; columns: ColumnsKnown};

function listOf(rule: Exclude<(typeof listed)[number], 'teacher'>, meeting: Known): KeyLists {
	const {known, columns, isQueries} = meeting;
	if (rule === 'same-text') {
		const [queries, positives] = known.texts;
		return keyLists(meeting, columns.texts, [single(queries!), grouped(positives!, meeting)]);
	}
	if (rule === 'same-query') {
		return keyLists(meeting, columns.queries, [single(known.queries)]);
	}
	if (!isQueries) {
		const {offsets, documents} = known.positives;
		return keyLists(meeting, columns.documents, [{offsets, values: documents}]);
	}
	// a query is told by its number here: those that know the row's own document
	const numbers = Float64Array.from(columns.queries, (_, query) => query + 1);
	return keyLists(meeting, numbers, [knowing(known, meeting.positiveOffsets)]);
}

type Lists = {offsets: Int32Array; values: Float64Array};

function single(values: Float64Array): Lists {
	return {offsets: Int32Array.from({length: values.length + 1}, (_, n) => n), values};
}

/** The values of a row's own positives, which stand in the order of the rows. */
function grouped(values: Float64Array, {positiveOffsets}: Known): Lists {
	return positiveOffsets ? {offsets: positiveOffsets, values} : single(values);
}

/** For each row the queries, from 1, that know one of its own documents as a positive. */
function knowing(
	{documents: [own], positives, queries}: RowsKnown,
	positiveOffsets: Int32Array | undefined,
): Lists {
	const knowers = new Map<number, number[]>();
	for (let query = 0; query < queries.length; query++) {
		for (let n = positives.offsets[query]!; n < positives.offsets[query + 1]!; n++) {
			const document = positives.documents[n]!;
			const list = knowers.get(document);
			if (list) list.push(query + 1);
			else knowers.set(document, [query + 1]);
		}
	}
	const begins = positiveOffsets ?? single(own!).offsets;
	const offsets = new Int32Array(queries.length + 1);
	const values: number[] = [];
	for (let row = 0; row < queries.length; row++) {
		for (let n = begins[row]!; n < begins[row + 1]!; n++) {
			for (const query of knowers.get(own![n]!) ?? []) values.push(query);
		}
		offsets[row + 1] = values.length;
	}
	return {offsets, values: Float64Array.from(values)};
}

/** Numbers keys from 0, and drops those that no column has but the row's own positive. */
function keyLists(
	{owner, positives, known}: Known,
	columns: Float64Array,
	lists: readonly Lists[],
): KeyLists {
	const keys = new Map<number, {key: number; columns: number; last: number}>();
	const columnKeys = Int32Array.from(columns, (value, column) => {
		if (value === 0) return -1;
		const found = keys.get(value) ?? {key: keys.size, columns: 0, last: 0};
		found.columns += 1;
		found.last = column;
		keys.set(value, found);
		return found.key;
	});
	const rows = known.queries.length;
	const offsets = new Int32Array(rows + 1);
	const wanted: number[] = [];
	for (let row = 0; row < rows; row++) {
		const seen = new Set<number>();
		for (const {offsets: at, values} of lists) {
			for (let n = at[row]!; n < at[row + 1]!; n++) {
				const found = keys.get(values[n]!);
				if (!found) continue;
				const isOwn = found.last < positives && owner[found.last] === row;
				if (found.columns > 1 || !isOwn) seen.add(found.key);
			}
		}
		for (const key of seen) wanted.push(key);
		offsets[row + 1] = wanted.length;
	}
	return {offsets, keys: Int32Array.from(wanted), columns: columnKeys};
}

/** Sets numbered from 0; nothing where all are one. */
function setsOf(rows: Float64Array, columns: Float64Array): ContrastRules['sets'] {
	const numbers = new Map<number, number>();
	const numbered = (values: Float64Array) =>
		Int32Array.from(values, value => {
			const number = numbers.get(value) ?? numbers.size;
			numbers.set(value, number);
			return number;
		});
	const sets = {rows: numbered(rows), columns: numbered(columns)};
	return numbers.size > 1 ? sets : undefined;
}

function refuse(expected: string, got: string): never {
	throw new EngineError('LOSS_INVALID', `infonce: expected ${expected}, got ${got}`);
}
