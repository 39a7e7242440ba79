// Random numbers that a seed repeats (mulberry32).

export class Random {
	#state;

	constructor(seed) {
		this.#state = seed >>> 0;
	}

	/** A whole number from 0 and below `end`. */
	below(end) {
		this.#state = (this.#state + 0x6d2b79f5) >>> 0;
		let bits = this.#state;
		bits = Math.imul(bits ^ (bits >>> 15), bits | 1);
		bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
		return Math.floor((((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32) * end);
	}

	/** One in `count`. */
	chance(count) {
		return this.below(count) === 0;
	}

	one(list) {
		return list[this.below(list.length)];
	}
}
