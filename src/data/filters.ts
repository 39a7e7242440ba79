// Which records are left out of the data for what they say: by the scores of their teacher, or by the
// length of their texts.

import {EngineError} from '../errors.js';
import type {TrainingRecord} from './record.js';

export interface FilterOptions {
	/** The least that the highest score of a record may be. */
	teacherMin?: number | undefined;
	/** The least that its highest and its lowest score may lie apart. */
	teacherMargin?: number | undefined;
	/** Characters of its query and of each positive, as `10-2000`, `10-` or `-2000`. */
	filterLength?: string | undefined;
}

export type FilterName = keyof FilterOptions;

type Test = (record: TrainingRecord) => boolean;

/** The filters as they are asked for; nothing where none is. */
export function filtersOf(options: FilterOptions): Filters | undefined {
	const {teacherMin, teacherMargin, filterLength} = options;
	const tests = new Map<FilterName, Test>();
	if (teacherMin !== undefined) {
		tests.set('teacherMin', record => holdsFor(record, scores => highest(scores) >= teacherMin));
	}

	if (teacherMargin !== undefined) {
		tests.set('teacherMargin', record =>
			holdsFor(record, scores => highest(scores) - lowest(scores) >= teacherMargin),
		);
	}

	if (filterLength !== undefined) {
		const {from, to} = rangeOf(filterLength);
		tests.set('filterLength', ({query, positives}) =>
			[query, ...positives].every(text => isWithin(characters(text), from, to)),
		);
	}

	return tests.size === 0 ? undefined : {key: JSON.stringify(options), tests};
}

export interface Filters {
	/** What they ask, for telling one from another. */
	key: string;
	tests: ReadonlyMap<FilterName, Test>;
}

/** What filters do to the records of one file. */
export class Filtering {
	readonly #filters: Filters;
	readonly #removed = new Map<FilterName, number>();
	#seen = 0;
	#scored = 0;

	constructor(filters: Filters) {
		this.#filters = filters;
	}

	/** Whether a record stays. It counts for the first filter that takes it. */
	keeps(record: TrainingRecord): boolean {
		this.#seen++;
		if (scoresOf(record).length > 0) this.#scored++;
		for (const [name, test] of this.#filters.tests) {
			if (test(record)) continue;
			this.#removed.set(name, (this.#removed.get(name) ?? 0) + 1);
			return false;
		}

		return true;
	}

	/** Whether scores are asked for and no record has any. */
	get lacksScores(): boolean {
		const {tests} = this.#filters;
		return this.#scored === 0 && (tests.has('teacherMin') || tests.has('teacherMargin'));
	}

	/** What was left out, to be said. */
	warnings(path: string): string[] {
		return Array.from(this.#filters.tests.keys(), name => {
			const count = this.#removed.get(name) ?? 0;
			return `${path}: ${count} of ${this.#seen} records left out by ${spelled(name)}`;
		});
	}
}

/** A record without scores says nothing that could be wrong. */
function holdsFor(record: TrainingRecord, test: (scores: number[]) => boolean): boolean {
	const scores = scoresOf(record);
	return scores.length === 0 || test(scores);
}

function scoresOf({positiveScores = [], negativeScores = []}: TrainingRecord): number[] {
	return [...positiveScores, ...negativeScores];
}

function highest(numbers: readonly number[]): number {
	return numbers.reduce((most, number) => Math.max(most, number));
}

function lowest(numbers: readonly number[]): number {
	return numbers.reduce((least, number) => Math.min(least, number));
}

/** The two ends of `MIN-MAX`, each of which may be left out. */
export function rangeOf(text: string): {from: number; to: number} {
	const [, first, last] = /^(\d*)-(\d*)$/.exec(text.trim()) ?? [];
	const from = Number(first || 0);
	const to = last ? Number(last) : Number.POSITIVE_INFINITY;
	if (last !== undefined && (first || last) && from <= to) return {from, to};
	const expected = 'expected numbers of characters as 10-2000, 10- or -2000';
	throw new EngineError('OPTION_RANGE', `filterLength: ${expected}, got ${JSON.stringify(text)}`);
}

function isWithin(number: number, from: number, to: number): boolean {
	return number >= from && number <= to;
}

/** Characters are code points. */
function characters(text: string): number {
	return text.length - (text.match(/[\uD800-\uDBFF][\uDC00-\uDFFF]/g)?.length ?? 0);
}

function spelled(name: FilterName): string {
	return name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);
}
