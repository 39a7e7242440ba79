// Rows of several data sets by weights: at each place stands the next row of the set that is furthest
// behind its share, so that at no place a set is a whole row off. Sets that are used up begin anew in
// another order.

import {giveTurn} from '../pace.js';
import type {RowSet} from './rows.js';
import type {Sequence} from './shuffle.js';

/** Places between two at which the counts of all sets are kept. */
const stride = 2 ** 16;

export interface BlendRule {
	/** The share of each set, all together 1. */
	shares: readonly number[];
	/** Rows of an epoch. */
	length: number;
	epoch: number;
	/** The order of a set when it is passed for the n-th time, from 0. */
	orderOf: (set: number, pass: number) => Sequence;
	signal?: AbortSignal | undefined;
}

export class Blend implements Sequence {
	readonly length: number;
	readonly isOnce = false;
	readonly #sets: readonly RowSet[];
	readonly #rule: BlendRule;
	/** How many rows of each set stand before the places that are multiples of the stride. */
	readonly #counts: readonly Float64Array[];
	/** How many of each set an epoch has. */
	readonly #all: Float64Array;
	/** The order of each set that was used last. */
	readonly #orders: {pass: number; order: Sequence}[] = [];

	private constructor(
		sets: readonly RowSet[],
		rule: BlendRule,
		{counts, all}: {counts: Float64Array[]; all: Float64Array},
	) {
		this.length = rule.length;
		this.#sets = sets;
		this.#rule = rule;
		this.#counts = counts;
		this.#all = all;
	}

	static async of(sets: readonly RowSet[], rule: BlendRule): Promise<Blend> {
		const counts: Float64Array[] = [];
		const all = new Float64Array(sets.length);
		for (let place = 0; place < rule.length; place++) {
			if (place % 256 === 0) await giveTurn(rule.signal);
			if (place % stride === 0) counts.push(all.slice());
			all[furthestBehind(rule.shares, all, place)]!++;
		}

		return new Blend(sets, rule, {counts, all});
	}

	async rows(begin: number, end: number): Promise<Uint32Array> {
		const {shares, signal} = this.#rule;
		const kept = Math.floor(begin / stride);
		const counts = (this.#counts[kept] ?? this.#all).slice();
		const before = new Float64Array(counts.length);
		const setOf = new Uint16Array(end - begin);
		for (let place = kept * stride; place < end; place++) {
			if (place % 256 === 0) await giveTurn(signal);
			if (place === begin) before.set(counts);
			const set = furthestBehind(shares, counts, place);
			counts[set]!++;
			if (place >= begin) setOf[place - begin] = set;
		}

		const streams: Uint32Array[] = [];
		for (const set of this.#sets.keys()) {
			streams.push(await this.#stream(set, before[set]!, counts[set]!));
		}

		const taken = new Uint32Array(streams.length);
		const rows = new Uint32Array(end - begin);
		for (const [n, set] of setOf.entries()) {
			if (n % 1024 === 0) await giveTurn(signal);
			rows[n] = streams[set]![taken[set]!++]!;
		}

		return rows;
	}

	/** Rows of one set, which goes on from epoch to epoch. */
	async #stream(set: number, begin: number, end: number): Promise<Uint32Array> {
		const {length, at} = this.#sets[set]!;
		const {epoch, signal} = this.#rule;
		const first = epoch * this.#all[set]! + begin;
		const rows = new Uint32Array(end - begin);
		for (let done = 0; done < rows.length; ) {
			const pass = Math.floor((first + done) / length);
			const place = first + done - pass * length;
			const count = Math.min(rows.length - done, length - place);
			const numbers = await this.#order(set, pass).rows(place, place + count, signal);
			for (let n = 0; n < count; n++) {
				if (n % 1024 === 0) await giveTurn(signal);
				rows[done + n] = at(numbers[n]!);
			}

			done += count;
		}

		return rows;
	}

	#order(set: number, pass: number): Sequence {
		const last = this.#orders[set];
		if (last?.pass === pass) return last.order;
		const order = this.#rule.orderOf(set, pass);
		this.#orders[set] = {pass, order};
		return order;
	}
}

/** The set whose count lies furthest below its share of the places, the first of equals. */
function furthestBehind(shares: readonly number[], counts: Float64Array, place: number): number {
	let set = 0;
	let most = Number.NEGATIVE_INFINITY;
	for (let n = 0; n < shares.length; n++) {
		const behind = shares[n]! * (place + 1) - counts[n]!;
		if (behind > most) {
			most = behind;
			set = n;
		}
	}

	return set;
}
