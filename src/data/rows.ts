// The rows of an epoch: a row is one query with one positive and its negatives, as the loss sees
// it. It knows how to find its record and its texts.

import {giveTurn} from '../pace.js';
import {
	type Choice,
	type ChoiceOptions,
	type ChoiceRule,
	choiceRule,
	choose,
	isShort,
} from './choose.js';
import {type Counted, countRows} from './count-rows.js';
import type {DataSet, Dataset} from './dataset.js';
import type {LimitOptions} from './limits.js';
import {expectMixable, type PerSet} from './per-set.js';
import type {TrainingRecord} from './record.js';
import type {RowStarts} from './row-starts.js';
import type {Selection} from './selection.js';

/** The texts of one row. */
export interface RowTexts {
	query: string;
	/** Missing where a row is a text alone. */
	positive?: string;
	/** Further positives of the row, where it takes all of its record. */
	morePositives?: readonly string[];
	negatives: string[];
	/** The prompt that the record brings for its query. */
	prompt?: string;
	/** The task of the record, by which prompts are chosen. */
	task?: string;
	/** What the record says of its query and positive together. */
	label?: number;
	score?: number;
	/** A score for each of the negatives. */
	negativeScores?: number[];
	/** The row of the teacher's vectors, where the record says it. */
	teacherRow?: number;
	/** Where the record has ids: of its query, of the positive taken, and of the negatives. */
	queryId?: string;
	positiveId?: string;
	negativeIds?: string[];
	/** All positives of the record, taken or not, and their ids. */
	positives: readonly string[];
	positiveIds?: readonly string[];
	/** The data set that the record is of, from 0. */
	set: number;
}

/** The rows of one data set that are used, numbered in the order of the data. */
export interface RowSet {
	readonly name: string;
	readonly length: number;
	/** The row of a number. */
	at(index: number): number;
}

/**
All rows that data have under a rule; the same in every epoch, but for what is chosen for them.
*/
export class Rows {
	/** The data sets, in the order in which they were named. */
	readonly sets: readonly RowSet[];
	/** What was left out, said once. */
	readonly messages: readonly string[];
	readonly #dataset: Dataset;
	readonly #rule: ChoiceRule;
	/** The rule of each data set, where some have their own. */
	readonly #rules: readonly ChoiceRule[] | undefined;
	/** Where the rows of each record begin when a record has a row per positive. */
	readonly #starts: RowStarts | undefined;
	readonly #used: Selection;
	/** Rows, and how many of them are left out for want of negatives. */
	readonly length: number;
	readonly short: number;

	private constructor(
		dataset: Dataset,
		{rule, rules}: {rule: ChoiceRule; rules: readonly ChoiceRule[] | undefined},
		counted: Counted,
	) {
		const {starts, used, short, messages} = counted;
		this.#dataset = dataset;
		this.#rule = rule;
		this.#rules = rules;
		this.#starts = starts;
		this.#used = used;
		this.length = starts?.length ?? dataset.length;
		this.short = short;
		this.messages = messages;
		this.sets = dataset.sets.map(set => this.#rowSet(set));
	}

	/** Counts the rows; refuses data that the rule says to refuse. */
	static async select(
		dataset: Dataset,
		options: ChoiceOptions & LimitOptions & {perSet?: PerSet | undefined} = {},
		{signal}: {signal?: AbortSignal | undefined} = {},
	): Promise<Rows> {
		const rule = choiceRule(options);
		const {perSet} = options;
		const own = ({name}: DataSet) => choiceRule({...options, ...perSet?.get(name)});
		const rules = perSet && expectMixable(rule, perSet) ? dataset.sets.map(own) : undefined;
		const counted = await countRows(dataset, {rule, limit: options, perSet}, signal);
		return new Rows(dataset, {rule, rules}, counted);
	}

	/**
	With how many others a row may have a text in common, at most; without a limit where a row may
	stand more than once.
	*/
	get rivals(): number {
		const {texts, repeats} = this.#dataset.crowded;
		const {negatives, positives} = this.#rule;
		if (this.#starts !== undefined) return Number.POSITIVE_INFINITY;
		const isSome = negatives !== 'all' && positives !== 'all';
		return (isSome ? Math.min(texts, 2 + negatives) : texts) * Math.max(0, repeats - 1);
	}

	/** How many rows are used. */
	get used(): number {
		return this.#used.length;
	}

	/** The used row of a number. */
	at(index: number): number {
		return this.#used.at(index);
	}

	/** The number of the record that a row comes from. */
	record(row: number): number {
		return this.#starts === undefined ? row : this.#starts.find(row).record;
	}

	/** The place of that record among all of the data, those left out included. */
	number(row: number): number {
		return this.#dataset.numberOf(this.record(row));
	}

	/** What a row takes in an epoch; nothing for a row that is left out for want of negatives. */
	choose(row: number, epoch: number): Choice | undefined {
		return this.#take(row, epoch)?.choice;
	}

	/** The hashes of the texts that a row takes in an epoch; none of a row that is left out. */
	hashes(row: number, epoch: number): number[] {
		const taken = this.#take(row, epoch);
		if (taken === undefined) return [];
		const {record, choice, supply} = taken;
		const firstNegative = 1 + supply.positives;
		const texts = [0];
		if (this.#rule.positives === 'all') {
			for (let text = 1; text < firstNegative; text++) texts.push(text);
		} else if (supply.positives > 0) {
			texts.push(1 + choice.positive);
		}

		for (const negative of choice.negatives) texts.push(firstNegative + negative);
		return this.#dataset.hashes(record, texts);
	}

	/** Reads the texts of rows, in the order asked for. */
	async read(
		rows: ArrayLike<number>,
		epoch: number,
		{signal}: {signal?: AbortSignal | undefined} = {},
	): Promise<RowTexts[]> {
		const wanted = Array.from(rows);
		const records = await this.#dataset.records(
			wanted.map(row => this.record(row)),
			{signal},
		);
		const texts: RowTexts[] = [];
		for (const [n, row] of wanted.entries()) {
			if (n % 64 === 0) await giveTurn(signal);
			const set = this.#dataset.setOf(this.record(row));
			const isAll = this.#rule.positives === 'all';
			texts.push(textsOf(records[n]!, this.choose(row, epoch)!, {set, isAll}));
		}

		return texts;
	}

	/** Where rows stand in their files, for messages. */
	async locate(rows: readonly number[]): Promise<string[]> {
		return this.#dataset.locate(rows.map(row => this.record(row)));
	}

	#take(row: number, epoch: number) {
		const {record, own} = this.#starts?.find(row) ?? {record: row, own: 0};
		const supply = this.#dataset.supply(record);
		if (isShort(supply.negatives, this.#rule)) return;
		const rule = this.#rules?.[this.#dataset.setOf(record)] ?? this.#rule;
		return {record, supply, choice: choose(rule, {epoch, row}, supply, own)};
	}

	#rowSet({name, parts}: DataSet): RowSet {
		const first = (record: number) => this.#starts?.first(record) ?? record;
		const spans = parts.map(({begin, end}) => {
			const from = this.#used.before(first(begin));
			return {from, count: this.#used.before(first(end)) - from};
		});
		const at = (index: number) => {
			let left = index;
			const span = spans.find(({count}) => {
				if (left < count) return true;
				left -= count;
				return false;
			});
			return this.#used.at(span!.from + left);
		};
		return {name, length: spans.reduce((sum, {count}) => sum + count, 0), at};
	}
}

function textsOf(
	record: TrainingRecord,
	{positive, negatives}: Choice,
	{set, isAll}: {set: number; isAll: boolean},
): RowTexts {
	const {query, prompt, task, label, negativeScores, teacherRow, queryId} = record;
	const {positives, positiveIds, negativeIds} = record;
	const positiveId = positiveIds?.[positive];
	const own = record.positives[positive];
	const score = record.positiveScores?.[positive] ?? record.score;
	return {
		query,
		...(own !== undefined && {positive: own}),
		...(isAll && {morePositives: positives.slice(1)}),
		negatives: negatives.map(negative => record.negatives[negative]!),
		...(prompt !== undefined && {prompt}),
		...(task !== undefined && {task}),
		...(label !== undefined && {label}),
		...(score !== undefined && {score}),
		...(teacherRow !== undefined && {teacherRow}),
		...(negativeScores && {negativeScores: negatives.map(negative => negativeScores[negative]!)}),
		...(queryId !== undefined && {queryId}),
		...(positiveId !== undefined && {positiveId}),
		...(negativeIds && {negativeIds: negatives.map(negative => negativeIds[negative]!)}),
		positives,
		...(positiveIds && {positiveIds}),
		set,
	};
}
