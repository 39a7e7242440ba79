// Numbers of millions of rows, out of reach of the garbage collector: a column that grows without
// copying, and a table from numbers to numbers that grows a small part at a time. Neither ever
// holds the event loop.

import {type Numbers, type NumbersConstructor, Pages, type Store} from './pages.js';

const chunkLength = 2 ** 16;

/** How a column is written down: by its first number and step while these say it all. */
export interface ColumnFacts {
	length: number;
	even?: {first: number; step: number};
}

/**
A growing list of whole numbers in chunks. Numbers that rise by equal steps, as equal ones do,
take no memory; with a store whole chunks go there.
*/
export class Column {
	length = 0;
	readonly #type: NumbersConstructor;
	/** Chunks in memory; with a store only the last one. */
	readonly #chunks: (Numbers | undefined)[] = [];
	readonly #pages: Pages | undefined;
	/** The first number and the step of all, until one breaks the row. */
	#even: {first: number; step: number} | undefined = {first: 0, step: 0};

	constructor(type: NumbersConstructor, store?: Store) {
		this.#type = type;
		this.#pages = store && new Pages(type, store);
	}

	/** A column as it was written down, read from the store where it is needed. */
	static of(type: NumbersConstructor, {length, even}: ColumnFacts, store: Store): Column {
		const column = new Column(type, store);
		column.length = length;
		column.#even = even;
		return column;
	}

	push(value: number): void {
		if (this.#even !== undefined && !this.#goesOn(this.#even, value)) this.#spread(this.#even);
		if (this.#even === undefined) this.#store(this.length, value);
		this.length++;
	}

	/** The number at an index below `length`. */
	at(index: number): number {
		if (this.#even !== undefined) return this.#even.first + this.#even.step * index;
		const chunk = this.#chunks[Math.floor(index / chunkLength)];
		return chunk === undefined ? this.#pages!.at(index) : chunk[index % chunkLength]!;
	}

	facts(): ColumnFacts {
		return {length: this.length, ...(this.#even && {even: this.#even})};
	}

	/** The numbers as {@link Column.of} finds them in a store. */
	*pieces(): Generator<Uint8Array, void, undefined> {
		for (let first = 0; this.#even === undefined && first < this.length; first += chunkLength) {
			const chunk = this.#chunks[first / chunkLength] ?? new this.#type(chunkLength);
			if (this.#chunks[first / chunkLength] === undefined) this.#pages!.read(chunk, first);
			const count = Math.min(this.length - first, chunkLength);
			yield new Uint8Array(chunk.buffer, 0, count * chunk.BYTES_PER_ELEMENT);
		}
	}

	#goesOn(even: {first: number; step: number}, value: number): boolean {
		if (this.length === 0) even.first = value;
		if (this.length === 1) even.step = value - even.first;
		return value === even.first + even.step * this.length;
	}

	#spread({first, step}: {first: number; step: number}): void {
		this.#even = undefined;
		for (let index = 0; index < this.length; index++) this.#store(index, first + step * index);
	}

	#store(index: number, value: number): void {
		const place = index % chunkLength;
		if (place === 0) this.#begin(index);
		this.#chunks.at(-1)![place] = value;
	}

	/** Begins a chunk; with a store the one before it goes there. */
	#begin(index: number): void {
		const last = this.#chunks.at(-1);
		if (this.#pages !== undefined && last !== undefined) {
			this.#pages.write(last, index - chunkLength);
			this.#chunks[this.#chunks.length - 1] = undefined;
			this.#chunks.push(last);
		} else {
			this.#chunks.push(new this.#type(chunkLength));
		}
	}
}

const shardCount = 1024;
const firstSlots = 16;

interface Shard {
	keys: Float64Array;
	values: Float64Array;
	used: number;
}

const makeShard = (slots: number): Shard => ({
	keys: new Float64Array(slots),
	values: new Float64Array(slots),
	used: 0,
});

/**
A table from hashes (whole numbers from 1 to 2^53) to numbers. Entries that `isNeeded` denies may be
forgotten when room runs out.
*/
export class HashTable {
	readonly #shards: (Shard | undefined)[] = new Array(shardCount);
	readonly #isNeeded: (value: number) => boolean;

	constructor(isNeeded: (value: number) => boolean = () => true) {
		this.#isNeeded = isNeeded;
	}

	get(key: number): number | undefined {
		const shard = this.#shards[(key >>> 0) % shardCount];
		if (shard === undefined) return;
		const slot = slotOf(shard, key);
		return shard.keys[slot] === key ? shard.values[slot] : undefined;
	}

	set(key: number, value: number): void {
		const index = (key >>> 0) % shardCount;
		this.#shards[index] ??= makeShard(firstSlots);
		let shard = this.#shards[index];
		if (shard.used * 4 >= shard.keys.length * 3) {
			shard = this.#renew(shard);
			this.#shards[index] = shard;
		}

		put(shard, key, value);
	}

	/** A shard of what is needed, with room for as much again; none is fuller than three quarters. */
	#renew(old: Shard): Shard {
		let count = 0;
		for (let slot = 0; slot < old.keys.length; slot++) if (this.#isKept(old, slot)) count++;
		let slots = firstSlots;
		while (slots * 3 < count * 8) slots *= 2;
		const shard = makeShard(slots);
		for (let slot = 0; slot < old.keys.length; slot++) {
			if (this.#isKept(old, slot)) put(shard, old.keys[slot]!, old.values[slot]!);
		}

		return shard;
	}

	#isKept({keys, values}: Shard, slot: number): boolean {
		return keys[slot] !== 0 && this.#isNeeded(values[slot]!);
	}
}

function put(shard: Shard, key: number, value: number): void {
	const slot = slotOf(shard, key);
	if (shard.keys[slot] === 0) shard.used++;
	shard.keys[slot] = key;
	shard.values[slot] = value;
}

/** The slot that holds the key, or the empty one where it goes. */
function slotOf({keys}: Shard, key: number): number {
	const mask = keys.length - 1;
	let slot = ((key >>> 0) / shardCount) & mask;
	while (keys[slot] !== 0 && keys[slot] !== key) slot = (slot + 1) & mask;
	return slot;
}
