// Where each record of the data stands and which texts it has, as numbers only: 28 bytes for a
// pair, on the disk for a large file. Built in one pass over the files, which also finds every
// line that is no record.

import {createHash} from 'node:crypto';
import type {FileHandle} from 'node:fs/promises';
import {EngineError} from '../errors.js';
import type {Slice} from '../files/records.js';
import {openNameless} from '../files/scratch.js';
import {giveTurn} from '../pace.js';
import type {BadLines} from './bad-lines.js';
import {Column, HashTable} from './columns.js';
import {type Crowded, Crowding} from './crowding.js';
import {Filtering, type Filters} from './filters.js';
import {layoutOf} from './layouts/index.js';
import {type ParseRule, parseRecord, type TrainingRecord} from './record.js';
import type {SourceFile} from './source-file.js';
import {textHash} from './text-hash.js';

/** How many names a warning quotes. */
const quotedNames = 20;

/** The columns of an index and the numbers that they hold. */
export const columnTypes = {
	/** Bytes of the file at which a record begins, and how many it has. */
	offsets: Float64Array,
	lengths: Uint32Array,
	/** Positives of a record, and where its hashes begin: query, positives, negatives. */
	positives: Uint32Array,
	hashStarts: Float64Array,
	hashes: Float64Array,
	/** Its place among all records of the file, those left out included. */
	numbers: Uint32Array,
} as const;

export const columnNames = Object.keys(columnTypes) as (keyof typeof columnTypes)[];

export type Columns = Readonly<Record<keyof typeof columnTypes, Column>>;

export class RowIndex implements Columns {
	readonly offsets: Column;
	readonly lengths: Column;
	readonly positives: Column;
	readonly hashStarts: Column;
	readonly hashes: Column;
	readonly numbers: Column;

	readonly #handles: readonly FileHandle[];

	private constructor(columns: Columns, handles: readonly FileHandle[]) {
		this.offsets = columns.offsets;
		this.lengths = columns.lengths;
		this.positives = columns.positives;
		this.hashStarts = columns.hashStarts;
		this.hashes = columns.hashes;
		this.numbers = columns.numbers;
		this.#handles = handles;
	}

	/** An empty index, in memory or, for what may be large, on the disk. */
	static async create(isLarge: boolean): Promise<RowIndex> {
		const handles: FileHandle[] = [];
		try {
			const columns: Partial<Record<keyof Columns, Column>> = {};
			for (const name of columnNames) {
				if (isLarge) handles.push(await openNameless());
				const handle = handles.at(-1);
				columns[name] = new Column(columnTypes[name], handle && {handle, begin: 0});
			}

			return new RowIndex(columns as Columns, handles);
		} catch (error) {
			await Promise.all(handles.map(handle => handle.close()));
			throw error;
		}
	}

	/** An index in an open file, which is its own from now on. */
	static of(columns: Columns, handle: FileHandle): RowIndex {
		return new RowIndex(columns, [handle]);
	}

	async close(): Promise<void> {
		await Promise.all(this.#handles.map(handle => handle.close()));
	}

	get length(): number {
		return this.offsets.length;
	}

	/** Takes a record of that place in its file; gives the hashes of its texts. */
	push({offset, length}: Slice, record: TrainingRecord, number: number): number[] {
		const {query, positives, negatives} = record;
		this.numbers.push(number);
		this.offsets.push(offset);
		this.lengths.push(length);
		this.positives.push(positives.length);
		this.hashStarts.push(this.hashes.length);
		const hashes = [query, ...positives, ...negatives].map(textHash);
		for (const hash of hashes) this.hashes.push(hash);
		return hashes;
	}

	/** All texts of a record: its query, its positives, its negatives. */
	texts(record: number): number {
		const isLast = record + 1 === this.length;
		const end = isLast ? this.hashes.length : this.hashStarts.at(record + 1);
		return end - this.hashStarts.at(record);
	}
}

/** How records are read, and what they are to be. */
export interface RecordRule extends ParseRule {
	/** Refuses a record that does not fit what its data set is for, as a bad line. */
	expect?: ((record: TrainingRecord, where: string, set: string) => void) | undefined;
	/** What `expect` asks; without it every run reads the whole data again. */
	expectKey?: string | undefined;
	/** Which records are left out. */
	filters?: Filters | undefined;
}

export interface Scan extends RecordRule {
	bad: BadLines;
	signal?: AbortSignal | undefined;
}

/** Bytes of a file from which on its index lies on the disk. */
const largeFrom = 2 ** 26;

/** How many ids of one kind are compared: what more of them would take is kept for the run. */
const mostIds = 2 ** 20;

/** What one file holds. */
export interface FileIndex {
	index: RowIndex;
	/** How many records it has, those left out included. */
	records: number;
	sha256: string;
	/** What is worth saying of the file. */
	warnings: string[];
	/** Names given by the user that no record has. */
	missing: string[];
	crowded: Crowded;
	/** Whether filters ask for the scores of a teacher and no record has any. */
	lacksScores: boolean;
}

/** Reads a whole file and makes its index and its checksum. */
export async function scanFile(file: SourceFile, {signal, ...scan}: Scan): Promise<FileIndex> {
	const index = await RowIndex.create(file.bytes >= largeFrom);
	try {
		return await fill(file, {...scan, index, signal});
	} catch (error) {
		await index.close();
		throw error;
	}
}

async function fill(
	file: SourceFile,
	{signal, index, ...scan}: Scan & {index: RowIndex},
): Promise<FileIndex> {
	const {bad, filters, names = new Map()} = scan;
	const hash = createHash('sha256');
	const facts = new FileFacts([...names.keys()]);
	const filtering = filters && new Filtering(filters);
	const crowding = new Crowding(file.bytes);
	const before = bad.count;
	for await (const slices of file.format.slices({signal, onPiece: piece => hash.update(piece)})) {
		for (const slice of slices) {
			const pause = giveTurn(signal);
			if (pause !== undefined) await pause;
			readSlice(slice, file, {...scan, index, facts, filtering, crowding});
		}
	}

	if (facts.records === 0 && bad.count === before) {
		throw new EngineError('FILE_EMPTY', `${file.path}: expected records, got none`);
	}

	const warnings = [...facts.warnings(file.path), ...(filtering?.warnings(file.path) ?? [])];
	const {missing, records} = facts;
	const lacksScores = filtering?.lacksScores ?? false;
	const {texts, repeats} = crowding;
	const crowded = {texts, repeats};
	const sha256 = hash.digest('hex');
	return {index, records, sha256, warnings, missing, crowded, lacksScores};
}

/** What a reading fills. */
interface Filled {
	index: RowIndex;
	facts: FileFacts;
	filtering: Filtering | undefined;
	crowding: Crowding;
}

function readSlice(
	slice: Slice,
	{format, name}: SourceFile,
	{index, bad, facts, expect, filtering, crowding, ...rule}: Omit<Scan, 'signal'> & Filled,
): void {
	bad.collect(() => {
		const value = format.parse(slice.text, slice.where);
		const layout = layoutOf(value, rule.names).name;
		facts.expectLayout(layout, slice.where);
		facts.see(value);
		const {record, unknownFields} = parseRecord(value, slice.where, rule);
		facts.push(record, {unknown: unknownFields, layout, where: slice.where});
		if (filtering?.keeps(record) === false) return;
		expect?.(record, slice.where, name);
		crowding.add(index.push(slice, record, facts.records - 1));
	});
}

/** A line with the first of these names; none where there are none. */
function quoted(what: string, names: readonly string[]): string[] {
	if (names.length === 0) return [];
	const more = names.length > quotedNames ? ' and more' : '';
	return [`${what}: ${names.slice(0, quotedNames).join(', ')}${more}`];
}

/** What is worth a warning once per file: prompts that it brings, fields not used, ids that stand for two texts. */
class FileFacts {
	/** Records that could be read. */
	records = 0;
	readonly #unknown = new Set<string>();
	readonly #prompts = new Set<string>();
	readonly #ids = {query: 0, document: 0};
	readonly #textOfId = {query: new HashTable(), document: new HashTable()};
	/** Names that are looked for and were not seen. */
	#missing: string[];
	#layout: {name: string; where: string} | undefined;
	#contradictions = 0;
	#firstContradiction = '';

	constructor(names: string[]) {
		this.#missing = names;
	}

	get missing(): string[] {
		return this.#missing;
	}

	see(value: unknown): void {
		if (this.#missing.length === 0 || typeof value !== 'object' || value === null) return;
		this.#missing = this.#missing.filter(name => !Object.hasOwn(value, name));
	}

	/** Refuses a record of another layout than those before it. */
	expectLayout(name: string, where: string): void {
		if (this.#layout === undefined || this.#layout.name === name) return;
		const {name: first, where: begin} = this.#layout;
		const expected = `expected a record of the layout of ${begin} (${first})`;
		const message = `${where}: ${expected}, got another (${name}); put them into files of their own`;
		throw new EngineError('DATA_ROW', message);
	}

	push(
		record: TrainingRecord,
		{unknown, layout, where}: {unknown: readonly string[]; layout: string; where: string},
	): void {
		this.records++;
		this.#layout ??= {name: layout, where};
		for (const name of unknown) if (this.#unknown.size <= quotedNames) this.#unknown.add(name);
		const {prompt} = record;
		if (prompt !== undefined && this.#prompts.size <= quotedNames) this.#prompts.add(prompt);
		this.#pushId('query', record.queryId, record.query, where);
		record.positiveIds?.forEach((id, n) => {
			this.#pushId('document', id, record.positives[n]!, where);
		});
		record.negativeIds?.forEach((id, n) => {
			this.#pushId('document', id, record.negatives[n]!, where);
		});
	}

	warnings(path: string): string[] {
		const unknown = [
			...quoted(`${path}: fields not used`, [...this.#unknown]),
			...quoted(
				`${path}: prompts of its own before queries`,
				Array.from(this.#prompts, prompt => JSON.stringify(prompt.slice(0, 80))),
			),
		];
		for (const [kind, count] of Object.entries(this.#ids)) {
			if (count > mostIds)
				unknown.push(`${path}: only the first ${mostIds} ids of a ${kind} compared`);
		}

		if (this.#contradictions === 0) return unknown;
		const times = `${this.#contradictions} times an id stands for a second text`;
		return [...unknown, `${path}: ${times}, first at ${this.#firstContradiction}`];
	}

	#pushId(kind: 'query' | 'document', id: string | undefined, text: string, where: string): void {
		if (id === undefined) return;
		const key = textHash(id);
		const hash = textHash(text);
		const known = this.#textOfId[kind].get(key);
		if (known === undefined && this.#ids[kind]++ < mostIds) this.#textOfId[kind].set(key, hash);
		if (known === undefined || known === hash) return;
		if (this.#contradictions++ === 0)
			this.#firstContradiction = `${where}: ${kind} "${id.slice(0, 40)}"`;
	}
}
