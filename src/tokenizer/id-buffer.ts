// A growing list of token ids that says when there are enough.

export class IdBuffer {
	length = 0;
	/** Ids beyond this length are not wanted. */
	limit = Number.POSITIVE_INFINITY;
	#values = new Int32Array(1 << 14);

	/** Adds an id; false when no more are wanted. */
	push(id: number): boolean {
		if (this.length >= this.limit) return false;
		if (this.length === this.#values.length) this.#grow();
		this.#values[this.length++] = id;
		return true;
	}

	pushAll(ids: readonly number[]): boolean {
		for (const id of ids) if (!this.push(id)) return false;
		return true;
	}

	/** Keeps `count` ids from `begin` on, counted after `start`, and drops the others. */
	keep(start: number, begin: number, count: number): void {
		this.#values.copyWithin(start, begin, begin + count);
		this.length = start + count;
	}

	/** A copy of all ids, on memory of its own. */
	copy(): Int32Array<ArrayBuffer> {
		return this.#values.slice(0, this.length);
	}

	clear(): void {
		this.length = 0;
		this.limit = Number.POSITIVE_INFINITY;
		// One enormous text must not hold its memory for ever.
		if (this.#values.length > 1 << 20) this.#values = new Int32Array(1 << 14);
	}

	#grow(): void {
		const values = new Int32Array(this.#values.length * 2);
		values.set(this.#values);
		this.#values = values;
	}
}
