// Numbers of millions of rows, out of reach of the garbage collector: a column that grows without
// copying, and a table from numbers to numbers that grows a small part at a time. Neither ever
// holds the event loop.

const chunkLength = 2 ** 16;

/** A growing list of numbers in chunks. */
export class Column {
	length = 0;
	readonly #type: Float64ArrayConstructor | Uint32ArrayConstructor;
	readonly #chunks: (Float64Array | Uint32Array)[] = [];

	constructor(type: Float64ArrayConstructor | Uint32ArrayConstructor) {
		this.#type = type;
	}

	push(value: number): void {
		const place = this.length % chunkLength;
		if (place === 0) this.#chunks.push(new this.#type(chunkLength));
		this.#chunks.at(-1)![place] = value;
		this.length++;
	}

	/** The number at an index below `length`. */
	at(index: number): number {
		return this.#chunks[Math.floor(index / chunkLength)]![index % chunkLength]!;
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
		if (shard.used * 2 >= shard.keys.length) {
			shard = this.#renew(shard);
			this.#shards[index] = shard;
		}

		put(shard, key, value);
	}

	/** A shard of what is needed, with room for as much again. */
	#renew(old: Shard): Shard {
		let count = 0;
		for (let slot = 0; slot < old.keys.length; slot++) if (this.#isKept(old, slot)) count++;
		let slots = firstSlots;
		while (slots < count * 4) slots *= 2;
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
