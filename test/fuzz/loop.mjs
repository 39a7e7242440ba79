// The coverage-guided loop: inputs that reach a branch, or a number of passes over one, that none before
// reached are kept and changed further.

import {mutateJson} from './json-mutations.mjs';
import {mutate} from './mutations.mjs';
import {Random} from './random.mjs';

/** 1, 2, 3, 4–7, 8–15, 16–31, 32–127 and 128–255 passes count as different. */
const buckets = Uint8Array.from({length: 256}, (_, passes) => {
	if (passes < 4) return [0, 1, 2, 4][passes];
	return passes < 8 ? 8 : passes < 16 ? 16 : passes < 32 ? 32 : passes < 128 ? 64 : 128;
});

export class FuzzLoop {
	/** Inputs that reached something new, in the order they were found. */
	kept = [];
	#target;
	#random;
	#counters;
	#words;
	#longest;
	#reached;

	constructor(target, {seed, counters, words}) {
		this.#target = target;
		this.#random = new Random(seed);
		this.#counters = counters;
		this.#words = [...new Set([...(target.words ?? []), ...words])];
		this.#longest = target.longest ?? 8192;
		this.#reached = new Uint8Array(counters.length);
	}

	/** Branches that any input reached. */
	get branches() {
		return this.#reached.reduce((sum, passes) => sum + (passes > 0 ? 1 : 0), 0);
	}

	/** Another input: a kept one, changed. */
	next() {
		const random = this.#random;
		const {kept} = this;
		// The newest are where there is most to find.
		const recent = random.chance(2) ? Math.min(kept.length, 32) : kept.length;
		const bytes = kept[kept.length - 1 - random.below(recent)];
		const {json} = this.#target;
		if (json && !random.chance(3)) {
			const text = mutateJson(json.text(bytes), random, {words: this.#words});
			if (text !== undefined)
				return Buffer.from(json.bytes(text, bytes, random)).subarray(0, 2 ** 18);
		}
		return mutate(bytes, random, {
			words: this.#words,
			other: random.one(kept),
			longest: this.#longest,
		});
	}

	/** Runs the target on an input; keeps the input if it is the first to reach something. */
	run(bytes) {
		this.#counters.fill(0);
		const running = this.#target.run(bytes);
		if (typeof running?.then === 'function') return running.then(() => this.#notice(bytes));
		return this.#notice(bytes);
	}

	keep(bytes) {
		this.kept.push(bytes);
	}

	/** A few short inputs among those kept that together reach what all of them reach. */
	async fewest() {
		const all = this.kept.toSorted((a, b) => a.length - b.length);
		this.kept = [];
		this.#reached.fill(0);
		for (const bytes of all) await this.#tryAgain(bytes);
		return this.kept;
	}

	async #tryAgain(bytes) {
		try {
			await this.run(bytes);
		} catch {
			// It was told when it was found.
		}
	}

	#notice(bytes) {
		const counters = this.#counters;
		const reached = this.#reached;
		let isNew = false;
		for (let n = 0; n < counters.length; n++) {
			if (counters[n] === 0) continue;
			const bucket = buckets[counters[n]];
			if ((reached[n] & bucket) !== 0) continue;
			reached[n] |= bucket;
			isNew = true;
		}
		if (isNew && bytes.length <= this.#longest) this.kept.push(bytes);
	}
}
