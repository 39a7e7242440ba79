// The rows of an epoch: a row is one query with one positive and its negatives, as the loss sees
// it. It knows how to find its record and its texts.

import {EngineError} from '../errors.js';
import {giveTurn} from '../pace.js';
import {
	type Choice,
	type ChoiceOptions,
	type ChoiceRule,
	choiceRule,
	choose,
	isShort,
} from './choose.js';
import type {Dataset} from './dataset.js';
import type {TrainingRecord} from './record.js';

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

const quotedRecords = 5;

/**
All rows that a data set has under a rule; the same in every epoch, but for what is chosen for them.
*/
export class Rows {
	readonly #dataset: Dataset;
	readonly #rule: ChoiceRule;
	/** The first row of each record when a record has a row per positive. */
	readonly #starts: Float64Array | undefined;
	/** Rows, and how many of them are left out for want of negatives. */
	readonly length: number;
	readonly short: number;

	private constructor(dataset: Dataset, rule: ChoiceRule, counted: Counted) {
		this.#dataset = dataset;
		this.#rule = rule;
		this.#starts = counted.starts;
		this.length = this.#starts?.at(-1) ?? dataset.length;
		this.short = counted.short;
	}

	/** Counts the rows; refuses data that the rule says to refuse. */
	static async select(
		dataset: Dataset,
		options: ChoiceOptions = {},
		{signal}: {signal?: AbortSignal | undefined} = {},
	): Promise<Rows> {
		const rule = choiceRule(options);
		return new Rows(dataset, rule, await count(dataset, rule, signal));
	}

	/** The number of the record that a row comes from. */
	record(row: number): number {
		const starts = this.#starts;
		if (starts === undefined) return row;
		let low = 0;
		let high = starts.length - 1;
		while (high - low > 1) {
			const middle = (low + high) >>> 1;
			if (starts[middle]! <= row) low = middle;
			else high = middle;
		}

		return low;
	}

	/** What a row takes in an epoch; nothing for a row that is left out. */
	choose(row: number, epoch: number): Choice | undefined {
		const record = this.record(row);
		const negatives = this.#dataset.negativeCount(record);
		if (isShort(negatives, this.#rule)) return;
		const own = this.#starts === undefined ? 0 : row - this.#starts[record]!;
		const supply = {positives: this.#dataset.positiveCount(record), negatives};
		return choose(this.#rule, {epoch, row}, supply, own);
	}

	/** The hashes of the texts that a row takes. */
	hashes(row: number, {positive, negatives}: Choice): number[] {
		const record = this.record(row);
		const firstNegative = 1 + this.#dataset.positiveCount(record);
		const taken = firstNegative === 1 ? [] : [1 + positive];
		const all = Array.from({length: firstNegative - 1}, (_, n) => 1 + n);
		const own = this.#rule.positives === 'all' ? all : taken;
		const texts = [0, ...own, ...negatives.map(negative => firstNegative + negative)];
		return texts.map(text => this.#dataset.textHash(record, text));
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
}

function textsOf(
	record: TrainingRecord,
	{positive, negatives}: Choice,
	{set, isAll}: {set: number; isAll: boolean},
): RowTexts {
	const {query, prompt, label, negativeScores, teacherRow, queryId} = record;
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

interface Counted {
	/**
	The first row of each record when it may have several, and behind them the number of all rows.
	*/
	starts: Float64Array | undefined;
	short: number;
}

async function count(dataset: Dataset, rule: ChoiceRule, signal?: AbortSignal): Promise<Counted> {
	const starts = rule.positives === 'each' ? new Float64Array(dataset.length + 1) : undefined;
	const quoted: number[] = [];
	let short = 0;
	let shortRecords = 0;
	for (let record = 0; record < dataset.length; record++) {
		if (record % 256 === 0) await giveTurn(signal);
		const rows = rule.positives === 'each' ? Math.max(1, dataset.positiveCount(record)) : 1;
		if (starts !== undefined) starts[record + 1] = starts[record]! + rows;
		if (!isShort(dataset.negativeCount(record), rule)) continue;
		short += rows;
		shortRecords++;
		if (quoted.length < quotedRecords) quoted.push(record);
	}

	if (shortRecords > 0 && rule.onShortage !== 'drop') {
		await refuseShort(dataset, rule, {quoted, shortRecords});
	}

	return {starts, short};
}

async function refuseShort(
	dataset: Dataset,
	{negatives, onShortage}: ChoiceRule,
	{quoted, shortRecords}: {quoted: number[]; shortRecords: number},
): Promise<never> {
	const [first, ...others] = await dataset.locate(quoted);
	const wanted = onShortage === 'error' ? `${negatives} negatives` : `a negative to ${onShortage}`;
	const got = `${dataset.negativeCount(quoted[0]!)}`;
	const list =
		others.length === 0 ? '' : `; ${shortRecords} such records in all, also ${others.join(', ')}`;
	const hint = 'lower --negatives or use --on-shortage fewer or drop';
	throw new EngineError('DATA_ROW', `${first}: expected ${wanted}, got ${got}${list}; ${hint}`);
}
