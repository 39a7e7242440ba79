// Where each record of the data stands and which texts it has, as numbers only: 40 bytes for
// a pair. Built in one pass over the files, which also finds every line that is no record.

import {createHash} from 'node:crypto';
import {EngineError} from '../errors.js';
import type {Slice} from '../files/records.js';
import {giveTurn} from '../pace.js';
import {Column, HashTable} from './columns.js';
import {parseRecord, type RowKind, type TrainingRecord} from './record.js';
import type {SourceFile} from './sources.js';
import {textHash} from './text-hash.js';

/** How many bad lines an error quotes. */
const quotedLines = 5;

/** How many names a warning quotes. */
const quotedNames = 20;

export class RowIndex {
	/** Bytes of the file at which a record begins, and how many it has. */
	readonly offsets = new Column(Float64Array);
	readonly lengths = new Column(Uint32Array);
	/** Positives of a record, and where its hashes begin: query, positives, negatives. */
	readonly positives = new Column(Uint32Array);
	readonly hashStarts = new Column(Float64Array);
	readonly hashes = new Column(Float64Array);

	get length(): number {
		return this.offsets.length;
	}

	push({offset, length}: Slice, {query, positives, negatives}: TrainingRecord): void {
		this.offsets.push(offset);
		this.lengths.push(length);
		this.positives.push(positives.length);
		this.hashStarts.push(this.hashes.length);
		this.hashes.push(textHash(query));
		for (const text of positives) this.hashes.push(textHash(text));
		for (const text of negatives) this.hashes.push(textHash(text));
	}

	/** All texts of a record: its query, its positives, its negatives. */
	texts(record: number): number {
		const isLast = record + 1 === this.length;
		const end = isLast ? this.hashes.length : this.hashStarts.at(record + 1);
		return end - this.hashStarts.at(record);
	}
}

/** Lines that are no records, of all files. */
export class BadLines {
	count = 0;
	readonly #quoted: string[] = [];

	push(message: string): void {
		this.count++;
		if (this.#quoted.length < quotedLines) this.#quoted.push(message.replaceAll('\n', ' '));
	}

	/** One error for all of them, if there are any. */
	throwIfAny(): void {
		const [first, ...others] = this.#quoted;
		if (first === undefined) return;
		const list =
			others.length === 0 ? '' : `; ${this.count} bad lines in all, also ${others.join('; ')}`;
		throw new EngineError('DATA_ROW', first + list);
	}
}

/** What records are to be. */
export interface RecordRule {
	/** Default pair. */
	kind?: RowKind | undefined;
	/** Refuses a record that does not fit what it is for, as a bad line. */
	expect?: ((record: TrainingRecord, where: string) => void) | undefined;
}

export interface Scan extends RecordRule {
	index: RowIndex;
	bad: BadLines;
	warnings: string[];
	signal?: AbortSignal | undefined;
}

/** Reads a whole file into the index; returns its checksum and its number of records. */
export async function scanFile(
	file: SourceFile,
	{warnings, signal, ...scan}: Scan,
): Promise<{sha256: string; rows: number}> {
	const {index, bad} = scan;
	const hash = createHash('sha256');
	const facts = new FileFacts();
	const before = {rows: index.length, bad: bad.count};
	for await (const slices of file.format.slices({signal, onPiece: piece => hash.update(piece)})) {
		for (const slice of slices) {
			const pause = giveTurn(signal);
			if (pause !== undefined) await pause;
			readSlice(slice, file, {...scan, facts});
		}
	}

	const rows = index.length - before.rows;
	if (rows === 0 && bad.count === before.bad) {
		throw new EngineError('FILE_EMPTY', `${file.path}: expected records, got none`);
	}

	warnings.push(...facts.warnings(file.path));
	return {sha256: hash.digest('hex'), rows};
}

function readSlice(
	slice: Slice,
	{format}: SourceFile,
	{index, bad, facts, kind, expect}: Omit<Scan, 'warnings' | 'signal'> & {facts: FileFacts},
): void {
	try {
		const value = format.parse(slice.text, slice.where);
		const {record, unknownFields} = parseRecord(value, slice.where, kind);
		expect?.(record, slice.where);
		index.push(slice, record);
		facts.push(record, unknownFields, slice.where);
	} catch (error) {
		if (!(error instanceof EngineError)) throw error;
		bad.push(error.message);
	}
}

/** What is worth a warning once per file: fields not used, ids that stand for two texts. */
class FileFacts {
	readonly #unknown = new Set<string>();
	readonly #textOfId = {query: new HashTable(), document: new HashTable()};
	#contradictions = 0;
	#firstContradiction = '';

	push(record: TrainingRecord, unknown: readonly string[], where: string): void {
		for (const name of unknown) if (this.#unknown.size <= quotedNames) this.#unknown.add(name);
		this.#pushId('query', record.queryId, record.query, where);
		record.positiveIds?.forEach((id, n) => {
			this.#pushId('document', id, record.positives[n]!, where);
		});
		record.negativeIds?.forEach((id, n) => {
			this.#pushId('document', id, record.negatives[n]!, where);
		});
	}

	warnings(path: string): string[] {
		const names = [...this.#unknown].slice(0, quotedNames).join(', ');
		const more = this.#unknown.size > quotedNames ? ' and more' : '';
		const unknown = names === '' ? [] : [`${path}: fields not used: ${names}${more}`];
		if (this.#contradictions === 0) return unknown;
		const times = `${this.#contradictions} times an id stands for a second text`;
		return [...unknown, `${path}: ${times}, first at ${this.#firstContradiction}`];
	}

	#pushId(kind: 'query' | 'document', id: string | undefined, text: string, where: string): void {
		if (id === undefined) return;
		const key = textHash(id);
		const hash = textHash(text);
		const known = this.#textOfId[kind].get(key);
		if (known === undefined) this.#textOfId[kind].set(key, hash);
		if (known === undefined || known === hash) return;
		if (this.#contradictions++ === 0)
			this.#firstContradiction = `${where}: ${kind} "${id.slice(0, 40)}"`;
	}
}
