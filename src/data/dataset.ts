// Training data of any size at hand by number: checked whole when opened, then read where needed.
// Memory holds an index, never the texts.

import {EngineError} from '../errors.js';
import {readInto} from '../files/open.js';
import {readPieces} from '../files/pieces.js';
import {giveTurn} from '../pace.js';
import {parseRecord, type RowKind, type TrainingRecord} from './record.js';
import {BadLines, type RecordRule, RowIndex, scanFile} from './row-index.js';
import {closeAll, type DataSource, openSources, refuseChanged, type SourceFile} from './sources.js';

export interface DataFile {
	name: string;
	path: string;
	sha256: string;
	rows: number;
	bytes: number;
}

/** A file and the numbers of its records: from `first` up to that of the next file. */
interface Part {
	source: SourceFile;
	first: number;
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
	{signal, ...rule}: RecordRule & {signal?: AbortSignal | undefined} = {},
): Promise<Dataset> {
	const {files: opened, warnings} = await openSources(sources, signal);
	try {
		const scan = {...rule, index: new RowIndex(), bad: new BadLines(), warnings, signal};
		const files: DataFile[] = [];
		const parts: Part[] = [];
		for (const source of opened) {
			parts.push({source, first: scan.index.length});
			const {name, path, bytes} = source;
			files.push({name, path, bytes, ...(await scanFile(source, scan))});
		}

		scan.bad.throwIfAny();
		if (files.length === 0) {
			throw new EngineError('DATA_EMPTY', 'data: expected at least one source, got none');
		}

		return new Dataset(scan.index, parts, {files, warnings, kind: rule.kind ?? 'pair'});
	} catch (error) {
		await closeAll(opened);
		throw error;
	}
}

export class Dataset {
	/** Files in order, with their checksums: what a run was trained on. */
	readonly files: readonly DataFile[];
	/** What was left out or looks wrong, each said once. */
	readonly warnings: readonly string[];
	readonly #index: RowIndex;
	readonly #parts: readonly Part[];
	readonly #kind: RowKind;
	#isOpen = true;

	constructor(
		index: RowIndex,
		parts: readonly Part[],
		{files, warnings, kind}: Pick<Dataset, 'files' | 'warnings'> & {kind: RowKind},
	) {
		this.#index = index;
		this.#parts = parts;
		this.#kind = kind;
		this.files = files;
		this.warnings = warnings;
	}

	/** The number of records. */
	get length(): number {
		return this.#index.length;
	}

	positiveCount(record: number): number {
		return this.#index.positives.at(record);
	}

	negativeCount(record: number): number {
		return this.#index.texts(record) - 1 - this.positiveCount(record);
	}

	/**
	The hash of a text of a record: 0 is its query, then come its positives, then its negatives.
	*/
	textHash(record: number, text: number): number {
		return this.#index.hashes.at(this.#index.hashStarts.at(record) + text);
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
		const places = Array.from(records.keys()).sort((a, b) => records[a]! - records[b]!);
		const found = new Array<string>(records.length);
		for (const part of this.#parts) {
			const inside = places.filter(place => this.#partOf(records[place]!) === part);
			const offsets = inside.map(place => this.#index.offsets.at(records[place]!));
			const lines = await linesAt(part.source, offsets);
			inside.forEach((place, n) => {
				found[place] = whereIs(part, lines[n]!, records[place]!);
			});
		}

		return found;
	}

	/** Closes the files; records can no longer be read. */
	async close(): Promise<void> {
		if (!this.#isOpen) return;
		this.#isOpen = false;
		await closeAll(this.#parts.map(({source}) => source));
	}

	#partOf(record: number): Part {
		return this.#parts.findLast(({first}) => first <= record)!;
	}

	/** Neighbours in a file are read together. */
	#spansOf(records: readonly number[]): Span[] {
		const {offsets, lengths} = this.#index;
		const places = Array.from(records.keys()).sort((a, b) => records[a]! - records[b]!);
		const spans: Span[] = [];
		for (const place of places) {
			const record = records[place]!;
			const {source} = this.#partOf(record);
			const begin = offsets.at(record);
			const end = begin + lengths.at(record);
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
		const from = this.#index.offsets.at(record) - begin;
		const text = bytes.toString('utf8', from, from + this.#index.lengths.at(record));
		const where = `${source.path}: record ${record}`;
		return parseRecord(source.format.parse(text, where), where, this.#kind).record;
	}
}

function whereIs({source, first}: Part, line: number, record: number): string {
	const place = `${source.path}:${line}`;
	return source.format.kind === 'json-array' ? `${place}: element ${record - first + 1}` : place;
}

/** The numbers of the lines that hold these bytes of a file, which rise. */
async function linesAt({handle, path}: SourceFile, offsets: readonly number[]): Promise<number[]> {
	const lines: number[] = [];
	let line = 1;
	let at = 0;
	if (offsets.length === 0) return lines;
	for await (const piece of readPieces(handle, {name: path})) {
		let from = 0;
		for (const offset of offsets.slice(lines.length)) {
			if (offset >= at + piece.length) break;
			line += newlinesIn(piece.subarray(from, offset - at));
			from = offset - at;
			lines.push(line);
		}

		if (lines.length === offsets.length) return lines;
		line += newlinesIn(piece.subarray(from));
		at += piece.length;
	}

	return lines;
}

function newlinesIn(bytes: Buffer): number {
	let count = 0;
	for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) count++;
	return count;
}
