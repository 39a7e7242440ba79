// Training data of any size at hand by number: checked whole when opened, then read where needed.
// Memory holds an index, never the texts.

import {EngineError} from '../errors.js';
import {readInto} from '../files/open.js';
import type {HubOptions} from '../hub/settings.js';
import {giveTurn} from '../pace.js';
import {BadLines} from './bad-lines.js';
import type {Supply} from './choose.js';
import type {Crowded} from './crowding.js';
import type {VectorsFile} from './distill-settings.js';
import {type Names, namesGiven} from './fields.js';
import type {FilterOptions} from './filters.js';
import {identityOf, keep, readKept} from './kept-index.js';
import {expectSets, type PerSet, readingOfSet} from './per-set.js';
import {placesAt} from './places.js';
import {type ParseRule, parseRecord, type TrainingRecord} from './record.js';
import {type FileIndex, type RecordRule, type RowIndex, type Scan, scanFile} from './row-index.js';
import type {SourceFile} from './source-file.js';
import {closeAll, type DataSource, openSources, refuseChanged} from './sources.js';

export interface DataFile {
	name: string;
	path: string;
	sha256: string;
	rows: number;
	bytes: number;
}

/** Records that belong together under a name, as numbers from `begin` to `end`. */
export interface DataSet {
	name: string;
	parts: readonly {begin: number; end: number}[];
}

/** A file and its records, which are numbered from `first`. */
interface Part {
	source: SourceFile;
	first: number;
	index: RowIndex;
	/** Those that were left out are counted too. */
	records: number;
	sha256: string;
	crowded: Crowded;
	/** How its records are read, where that is not as those of all. */
	rule?: ParseRule;
}

/** Records of one file that are read at once. */
interface Span {
	source: SourceFile;
	begin: number;
	end: number;
	/** Places in the answer, and the records that belong there. */
	places: number[];
}

const longestSpan = 2 ** 20;
const longestGap = 2 ** 14;

export interface DatasetOptions extends Omit<RecordRule, 'names' | 'filters'>, FilterOptions {
	/** How the data call a field, as `{query: 'title'}`. */
	map?: Readonly<Record<string, string>> | undefined;
	/** What holds for the records of single data sets. */
	perSet?: PerSet | undefined;
	/** Bytes of a file from which on its index is kept for the next run. Default 64 MiB. */
	keepIndexFrom?: number | undefined;
	/** Where data sets of the hub come from. Default: as its variables say. */
	hub?: HubOptions | undefined;
	/** What sources without a name of their own are called. Default: as their path. */
	name?: string | undefined;
	signal?: AbortSignal | undefined;
}

const defaultKeepIndexFrom = 2 ** 26;

/**
Opens and checks data: every line is read once, and if any is no record, one error tells how many
and quotes the first.

@example
const dataset = await openDataset(['pairs.jsonl', 'faq=faq.csv'], {signal});
const [record] = await dataset.records([0]);
await dataset.close();
*/
export async function openDataset(
	sources: readonly DataSource[],
	{signal, map, hub, name, keepIndexFrom = defaultKeepIndexFrom, ...others}: DatasetOptions = {},
): Promise<Dataset> {
	const names = map && namesGiven(map);
	const {teacherMin, teacherMargin, filterLength, perSet, ...rest} = others;
	const filtering = {teacherMin, teacherMargin, filterLength};
	const common = {...rest, ...(names && {names})};
	const {files: opened, warnings} = await openSources(sources, {
		names,
		name,
		kind: rest.kind,
		hub,
		signal,
	});
	const parts: Part[] = [];
	try {
		const bad = new BadLines();
		const missing: string[][] = [];
		const lacking: boolean[] = [];
		for (const source of opened) {
			const before = parts.at(-1);
			const first = before === undefined ? 0 : before.first + before.index.length;
			const rule = readingOfSet(common, filtering, perSet?.get(source.name));
			const found = await indexOf(source, {...rule, bad, signal}, {warnings, keepIndexFrom});
			warnings.push(...found.warnings);
			missing.push(found.missing);
			if (rule.filters) lacking.push(found.lacksScores);
			const {index, records, sha256, crowded} = found;
			parts.push({source, first, index, records, sha256, crowded, rule});
		}

		bad.throwIfAny();
		if (parts.length === 0) {
			throw new EngineError('DATA_EMPTY', 'data: expected at least one source, got none');
		}

		if (names !== undefined) expectSeen(names, missing);
		expectLeft(parts, lacking);
		const dataset = new Dataset(parts, {warnings, rule: common});
		if (perSet) expectSets(perSet, dataset.sets);
		return dataset;
	} catch (error) {
		await closeAll(opened);
		await Promise.all(parts.map(({index}) => index.close()));
		throw error;
	}
}

/** The index that an earlier run kept, or a new one, which is then kept if the file is large. */
async function indexOf(
	source: SourceFile,
	scan: Scan,
	{warnings, keepIndexFrom}: {warnings: string[]; keepIndexFrom: number},
): Promise<FileIndex> {
	const {path, origin, bytes, isSpooled} = source;
	const {kind = 'pair', names, byTeacher = false, expect, expectKey, bad, signal} = scan;
	const {filters, negativeOrder} = scan;
	const isKeyed = expect === undefined || expectKey !== undefined;
	if (bytes < keepIndexFrom || origin !== undefined || isSpooled || !isKeyed) {
		return scanFile(source, scan);
	}

	const reading = {
		kind,
		names: [...(names ?? [])],
		byTeacher,
		negativeOrder,
		filters: filters?.key,
	};
	const check = expect && `${expectKey} ${source.name}`;
	const identity = await identityOf(source, {reading, check});
	const kept = await readKept(source, identity, signal);
	if (kept !== undefined) {
		warnings.push(`${path}: index read from ${kept.place}`);
		return kept.found;
	}

	const before = bad.count;
	const found = await scanFile(source, scan);
	try {
		await refuseChanged(source);
		if (bad.count === before) warnings.push(await keep(source, identity, found));
		return found;
	} catch (error) {
		await found.index.close();
		throw error;
	}
}

/** Refuses a name that the user gave and no record of any file has. */
function expectSeen(names: Names, missing: readonly (readonly string[])[]): void {
	const name = [...names.keys()].find(each => missing.every(list => list.includes(each)));
	if (name === undefined) return;
	const message = `map: expected records with a field "${name}", got none in any file`;
	throw new EngineError('DATA_ROW', message);
}

/** Refuses filters that leave nothing, or that look at scores where there are none. */
function expectLeft(parts: readonly Part[], lacking: readonly boolean[]): void {
	if (lacking.length > 0 && lacking.every(lacks => lacks)) {
		const expected =
			'expected records with "teacher_scores", as teacher-min and teacher-margin need';
		throw new EngineError('DATA_ROW', `data: ${expected}, got none in any file`);
	}

	if (parts.some(({index}) => index.length > 0)) return;
	const expected = 'expected records, got none: all were left out';
	throw new EngineError('DATA_EMPTY', `data: ${expected}`);
}

export class Dataset {
	/** Files in order, with their checksums: what a run was trained on. */
	readonly files: readonly DataFile[];
	/** What was left out or looks wrong, each said once. */
	readonly warnings: readonly string[];
	/** The number of records, and with those that were left out. */
	readonly length: number;
	readonly all: number;
	/** The data sets: files of one name are one. */
	readonly sets: readonly DataSet[];
	/** How crowded the texts of all files together are. */
	readonly crowded: Crowded;
	/** A teacher's vectors, where settings named them: a row for each record. */
	readonly teacher: VectorsFile | undefined;
	readonly #parts: readonly Part[];
	/** How many records the files before each have, those left out included. */
	readonly #earlier: ReadonlyMap<Part, number>;
	readonly #rule: ParseRule;
	/** The data sets by their names. */
	readonly #setNumbers: ReadonlyMap<string, number>;
	/** The file that was looked at last: its neighbours are likely to be next. */
	#last: Part | undefined;
	#isOpen = true;

	constructor(
		parts: readonly Part[],
		{warnings, rule}: Pick<Dataset, 'warnings'> & {rule: ParseRule},
	) {
		this.#parts = parts;
		this.#rule = rule;
		this.warnings = warnings;
		this.teacher = teacherOf(parts.map(({source}) => source));
		this.length = parts.reduce((sum, {index}) => sum + index.length, 0);
		let all = 0;
		this.#earlier = new Map(
			parts.map(part => {
				all += part.records;
				return [part, all - part.records] as const;
			}),
		);
		this.all = all;
		this.sets = setsOf(parts);
		this.crowded = {
			texts: Math.max(0, ...parts.map(({crowded}) => crowded.texts)),
			repeats: parts.reduce((sum, {crowded}) => sum + crowded.repeats, 0),
		};
		this.#setNumbers = new Map(this.sets.map(({name}, number) => [name, number]));
		this.files = parts.map(({source: {name, path, bytes, origin}, sha256, index}) => {
			return {name, path, bytes, sha256, ...origin, rows: index.length};
		});
	}

	/** How many texts of each kind a record has. */
	supply(record: number): Supply {
		const {index, first} = this.#partOf(record);
		const positives = index.positives.at(record - first);
		return {positives, negatives: index.texts(record - first) - 1 - positives};
	}

	/** The hashes of texts of a record: 0 is its query, then come its positives, then its negatives. */
	hashes(record: number, texts: readonly number[]): number[] {
		const {index, first} = this.#partOf(record);
		const begin = index.hashStarts.at(record - first);
		return texts.map(text => index.hashes.at(begin + text));
	}

	/** The place of a record among all of the data, those left out included. */
	numberOf(record: number): number {
		const part = this.#partOf(record);
		return this.#earlier.get(part)! + part.index.numbers.at(record - part.first);
	}

	/** The number of the data set that a record is of. */
	setOf(record: number): number {
		return this.#setNumbers.get(this.#partOf(record).source.name)!;
	}

	/** Reads records, in the order asked for. */
	async records(
		records: ArrayLike<number>,
		{signal}: {signal?: AbortSignal | undefined} = {},
	): Promise<TrainingRecord[]> {
		if (!this.#isOpen)
			throw new EngineError('DISPOSED', 'dataset: expected an open one, got a closed one');
		const spans = this.#spansOf(Array.from(records));
		for (const source of new Set(spans.map(span => span.source))) await refuseChanged(source);
		const found = new Array<TrainingRecord>(records.length);
		for (const span of spans) {
			signal?.throwIfAborted();
			const bytes = Buffer.allocUnsafeSlow(span.end - span.begin);
			await readInto(span.source.handle, bytes, span.begin);
			for (const place of span.places) {
				found[place] = this.#parse(span, bytes, records[place]!);
				await giveTurn(signal);
			}
		}

		return found;
	}

	/** Where records stand, as `path:line`; reads the files up to there, so it is for messages. */
	async locate(records: readonly number[]): Promise<string[]> {
		const asked = Array.from(records.keys()).sort((a, b) => records[a]! - records[b]!);
		const found = new Array<string>(records.length);
		for (const part of this.#parts) {
			const inside = asked.filter(place => this.#partOf(records[place]!) === part);
			const offsets = inside.map(place => part.index.offsets.at(records[place]! - part.first));
			const {whereOf} = part.source.format;
			const places = whereOf === undefined ? await placesAt(part.source, offsets) : [];
			for (const [n, place] of inside.entries()) {
				found[place] = whereOf?.(await textOf(part, records[place]!)) ?? places[n]!;
			}
		}

		return found;
	}

	/** Closes the files; records can no longer be read. */
	async close(): Promise<void> {
		if (!this.#isOpen) return;
		this.#isOpen = false;
		await closeAll(this.#parts.map(({source}) => source));
		await Promise.all(this.#parts.map(({index}) => index.close()));
	}

	#partOf(record: number): Part {
		const last = this.#last;
		if (last && record >= last.first && record < last.first + last.index.length) return last;
		let low = 0;
		let high = this.#parts.length;
		while (high - low > 1) {
			const middle = (low + high) >>> 1;
			if (this.#parts[middle]!.first <= record) low = middle;
			else high = middle;
		}

		this.#last = this.#parts[low]!;
		return this.#last;
	}

	/** Neighbours in a file are read together. */
	#spansOf(records: readonly number[]): Span[] {
		const places = Array.from(records.keys()).sort((a, b) => records[a]! - records[b]!);
		const spans: Span[] = [];
		for (const place of places) {
			const record = records[place]!;
			const {source, index, first} = this.#partOf(record);
			const begin = index.offsets.at(record - first);
			const end = begin + index.lengths.at(record - first);
			const last = spans.at(-1);
			const isNear =
				last?.source === source && begin - last.end < longestGap && end - last.begin < longestSpan;
			if (last !== undefined && isNear) {
				last.end = Math.max(last.end, end);
				last.places.push(place);
			} else {
				spans.push({source, begin, end, places: [place]});
			}
		}

		return spans;
	}

	#parse({source, begin}: Span, bytes: Buffer, record: number): TrainingRecord {
		const {index, first, rule = this.#rule} = this.#partOf(record);
		const from = index.offsets.at(record - first) - begin;
		const text = bytes.toString('utf8', from, from + index.lengths.at(record - first));
		const where = `${source.path}: record ${record}`;
		return parseRecord(source.format.parse(text, where), where, rule).record;
	}
}

function setsOf(parts: readonly Part[]): DataSet[] {
	const sets = new Map<string, {begin: number; end: number}[]>();
	for (const {source, first, index} of parts) {
		const spans = sets.get(source.name) ?? [];
		spans.push({begin: first, end: first + index.length});
		sets.set(source.name, spans);
	}

	return Array.from(sets, ([name, spans]) => ({name, parts: spans}));
}

/** The vectors that settings named; they number the records of one file alone. */
function teacherOf(sources: readonly SourceFile[]): VectorsFile | undefined {
	const teacher = sources.find(source => source.teacher !== undefined)?.teacher;
	if (teacher === undefined || sources.length === 1) return teacher;
	const expected = 'expected no other data beside settings that name vectors';
	const message = `data: ${expected}, got ${sources.length} files; join them first`;
	throw new EngineError('OPTION_CONFLICT', message);
}

/** The text of a record as it stands in its file. */
async function textOf({source, index, first}: Part, record: number): Promise<string> {
	const bytes = Buffer.allocUnsafeSlow(index.lengths.at(record - first));
	await readInto(source.handle, bytes, index.offsets.at(record - first));
	return bytes.toString('utf8');
}
