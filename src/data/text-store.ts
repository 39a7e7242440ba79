// Texts by their ids, in a file of any size: memory holds where each stands, never the texts.

import type {FileHandle} from 'node:fs/promises';
import {EngineError, kindOf} from '../errors.js';
import {readInto} from '../files/open.js';
import type {RecordFormat} from '../files/records.js';
import {giveTurn} from '../pace.js';
import {Column, HashTable} from './columns.js';
import {textHash} from './text-hash.js';

/** A text, and its title where it has one. */
export interface StoredText {
	id: string;
	title?: string;
	text: string;
}

export interface StoreSource {
	path: string;
	handle: FileHandle;
	format: RecordFormat;
	/** What a row says. */
	read: (value: unknown, where: string) => StoredText;
}

const batchLength = 64;

export class TextStore {
	readonly #rows = new HashTable();
	readonly #offsets = new Column(Float64Array);
	readonly #lengths = new Column(Uint32Array);
	/** Which source a row is of: the first row of each. */
	readonly #firsts: number[] = [];
	readonly #sources: readonly StoreSource[];

	private constructor(sources: readonly StoreSource[]) {
		this.#sources = sources;
	}

	/** Reads all rows once. An id that stands for two texts keeps the first. */
	static async open(sources: readonly StoreSource[], signal?: AbortSignal): Promise<TextStore> {
		const store = new TextStore(sources);
		for (const source of sources) await store.#scan(source, signal);
		return store;
	}

	/** The texts of ids, in the order asked for; nothing for an id that is not there. */
	async read(ids: readonly string[]): Promise<(StoredText | undefined)[]> {
		const found: (StoredText | undefined)[] = [];
		for (let at = 0; at < ids.length; at += batchLength) {
			const batch = ids.slice(at, at + batchLength);
			found.push(...(await Promise.all(batch.map(id => this.#readOne(id)))));
		}

		return found;
	}

	async #scan({format, read}: StoreSource, signal?: AbortSignal): Promise<void> {
		this.#firsts.push(this.#offsets.length);
		for await (const slices of format.slices({signal})) {
			for (const {text, where, offset, length} of slices) {
				const pause = giveTurn(signal);
				if (pause !== undefined) await pause;
				const {id} = read(format.parse(text, where), where);
				const key = textHash(id);
				if (this.#rows.get(key) === undefined) this.#rows.set(key, this.#offsets.length);
				this.#offsets.push(offset);
				this.#lengths.push(length);
			}
		}
	}

	async #readOne(id: string): Promise<StoredText | undefined> {
		const row = this.#rows.get(textHash(id));
		if (row === undefined) return;
		const {handle, format, read, path} = this.#sources[this.#firsts.findLastIndex(n => n <= row)]!;
		const bytes = Buffer.allocUnsafeSlow(this.#lengths.at(row));
		await readInto(handle, bytes, this.#offsets.at(row));
		const found = read(format.parse(bytes.toString('utf8'), path), path);
		if (found.id === id) return found;
		const message = `${path}: expected the text of "${id}" where it was, got another; leave it unchanged`;
		throw new EngineError('FILE_UNREADABLE', message);
	}
}

/** The text of a row `id TAB text`, as in collections of MS MARCO. */
export function readTabbed(value: unknown, where: string): StoredText {
	const [id, text, ...rest] = value as string[];
	if (id !== undefined && text !== undefined && rest.length === 0) return {id, text};
	const got = `${(value as string[]).length} cells`;
	throw new EngineError('FILE_FORMAT', `${where}: expected an id, a tab and a text, got ${got}`);
}

/** The text of a row `{_id, title, text}`, as in collections of BEIR. */
export function readIdentified(value: unknown, where: string): StoredText {
	const {_id, id = _id, title, text} = (value ?? {}) as Record<string, unknown>;
	const isId = typeof id === 'string' || Number.isSafeInteger(id);
	if (!isId) refuse(where, '"_id" to be a string or a whole number below 2^53', id);
	if (typeof text !== 'string') refuse(where, '"text" to be a string', text);
	const isTitle = title === undefined || title === null || typeof title === 'string';
	if (!isTitle) refuse(where, '"title" to be a string', title);
	return {id: String(id), text, ...(title ? {title} : {})};
}

function refuse(where: string, expected: string, value: unknown): never {
	const got = value === undefined ? 'none' : kindOf(value);
	throw new EngineError('DATA_ROW', `${where}: expected ${expected}, got ${got}`);
}
