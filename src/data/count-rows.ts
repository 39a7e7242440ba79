// Counts the rows that records make, and marks those that are left out: for want of negatives, or
// because their set has more than are wanted.

import {EngineError} from '../errors.js';
import {giveTurn} from '../pace.js';
import {type ChoiceRule, isShort, leavesOut} from './choose.js';
import type {Dataset} from './dataset.js';
import {type Limit, type LimitOptions, limitOf} from './limits.js';
import type {PerSet} from './per-set.js';
import {RowStarts} from './row-starts.js';
import {Selection} from './selection.js';

const quotedRecords = 5;

/** Where the rows of the data are, and which are used. */
export interface Counted {
	starts: RowStarts | undefined;
	used: Selection;
	short: number;
	messages: string[];
}

export interface CountRule {
	rule: ChoiceRule;
	limit: LimitOptions;
	/** Limits of single sets. */
	perSet?: PerSet | undefined;
}

/** Counts the rows; refuses records that the rule says to refuse. */
export async function countRows(
	dataset: Dataset,
	{rule, limit, perSet}: CountRule,
	signal?: AbortSignal,
): Promise<Counted> {
	const {short: shortRecords, quoted} = await countShort(dataset, rule, signal);
	const all = shortRecords.reduce((sum, records) => sum + records, 0);
	if (all > 0 && !leavesOut(rule)) {
		await refuseShort(dataset, rule, {quoted, shortRecords: all});
	}

	const starts = rule.positives === 'each' ? await startsOf(dataset, signal) : undefined;
	const rows = starts?.length ?? dataset.length;
	const records = dataset.sets.map(({parts}, set) => {
		return parts.reduce((sum, {begin, end}) => sum + end - begin, 0) - shortRecords[set]!;
	});
	const limitFor = (set: number) => ({...limit, ...perSet?.get(dataset.sets[set]!.name)});
	const messages = records.flatMap((number, set) => {
		const {maxRows = Number.POSITIVE_INFINITY} = limitFor(set);
		if (number <= maxRows) return [];
		const {name} = dataset.sets[set]!;
		return [`${name}: ${number - maxRows} of ${number} records left out by max-rows`];
	});
	if (all === 0 && messages.length === 0) {
		return {starts, used: Selection.all(rows), short: 0, messages};
	}

	const limits = records.map((number, set) => limitOf(limitFor(set), {records: number, set}));
	const marked = new Marking(dataset, {rule, starts, limits});
	const used = await Selection.of(rows, row => marked.isUsed(row), signal);
	const {short} = marked;
	if (short > 0) messages.push(`${short} rows left out: too few negatives`);
	return {starts, used, short, messages};
}

/** Tells of the rows, in their order, which are used. */
class Marking {
	/** Rows left out for want of negatives. */
	short = 0;
	readonly #dataset: Dataset;
	readonly #rule: ChoiceRule;
	readonly #starts: RowStarts | undefined;
	readonly #limits: readonly Limit[];
	#record = -1;
	#isUsed = false;

	constructor(
		dataset: Dataset,
		rest: {rule: ChoiceRule; starts: RowStarts | undefined; limits: readonly Limit[]},
	) {
		this.#dataset = dataset;
		this.#rule = rest.rule;
		this.#starts = rest.starts;
		this.#limits = rest.limits;
	}

	isUsed(row: number): boolean {
		const record = this.#starts?.find(row).record ?? row;
		const isNew = record !== this.#record;
		const lacks = isShort(this.#dataset.supply(record).negatives, this.#rule);
		if (lacks) this.short++;
		if (isNew) this.#isUsed = !lacks && this.#limits[this.#dataset.setOf(record)]!();
		this.#record = record;
		return this.#isUsed;
	}
}

function startsOf(dataset: Dataset, signal?: AbortSignal): Promise<RowStarts> {
	const rowsOf = (record: number) => Math.max(1, dataset.supply(record).positives);
	return RowStarts.of(dataset.length, rowsOf, signal);
}

/** The records of each set that have too few negatives, and the first of all. */
async function countShort(
	dataset: Dataset,
	rule: ChoiceRule,
	signal?: AbortSignal,
): Promise<{short: number[]; quoted: number[]}> {
	const short = dataset.sets.map(() => 0);
	const quoted: number[] = [];
	// None is short where a record without any negative is not.
	const end = isShort(0, rule) ? dataset.length : 0;
	for (let record = 0; record < end; record++) {
		if (record % 256 === 0) await giveTurn(signal);
		if (!isShort(dataset.supply(record).negatives, rule)) continue;
		short[dataset.setOf(record)]!++;
		if (quoted.length < quotedRecords) quoted.push(record);
	}

	return {short, quoted};
}

async function refuseShort(
	dataset: Dataset,
	{negatives, onShortage}: ChoiceRule,
	{quoted, shortRecords}: {quoted: number[]; shortRecords: number},
): Promise<never> {
	const [first, ...others] = await dataset.locate(quoted);
	const wanted = onShortage === 'error' ? `${negatives} negatives` : `a negative to ${onShortage}`;
	const got = `${dataset.supply(quoted[0]!).negatives}`;
	const list =
		others.length === 0 ? '' : `; ${shortRecords} such records in all, also ${others.join(', ')}`;
	const hint = 'lower --negatives or use --on-shortage fewer or drop';
	throw new EngineError('DATA_ROW', `${first}: expected ${wanted}, got ${got}${list}; ${hint}`);
}
