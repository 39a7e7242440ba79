// What attention within each text means, forward and backward. See oracle.ts.

import {type Matrix, zeros} from './matrix.js';
import {mapped} from './oracle.js';
import {keptColumns} from './random-bits.js';
import {exact, type Round} from './tolerance.js';

export type AttentionCase = {
	heads: number;
	/** As many as heads if not given. */
	keyHeads?: number;
	/** Of a head. */
	width?: number;
	scale: number;
	causal?: boolean;
	/** None if 0 or not given. */
	window?: number;
	/** (1, heads) */
	slopes?: Matrix | undefined;
	/** (buckets, heads) */
	bias?: Matrix | undefined;
	/** The distance that begins the last bucket. */
	furthest?: number;
	rate: number;
	seed: number;
	step: number;
	site: number;
	qkv: Matrix;
	offsets: Int32Array;
	texts: Int32Array;
};

export type AttentionGradient = AttentionCase & {o: Matrix; lse: Matrix; dout: Matrix};

/** One head of one text; rows of q, k and v by their place in the text. */
type Head = {
	tokens: number;
	width: number;
	at: (part: 0 | 1 | 2, row: number, column: number) => number;
	out: (row: number, column: number) => number;
	lse: (row: number) => number;
	kept: (query: number) => boolean[];
	/** The keys that a query sees, in order. */
	seen: (query: number) => number[];
	/** What is added to the score of a query and a key. */
	added: (query: number, key: number, round: Round) => number;
	/** The element of bias that is. */
	biasAt: (query: number, key: number) => number;
};

/**
T5's bucket of a distance from query to key: halves for keys before and after, each with a bucket a
distance at first and then ever wider ones. Rounded to float32 as the published models compute it.
*/
export function bucketOf(distance: number, buckets: number, furthest: number): number {
	const half = Math.floor(buckets / 2);
	const single = Math.floor(half / 2);
	const side = distance > 0 ? half : 0;
	const far = Math.abs(distance);
	if (far < single) return side + far;
	const {fround} = Math;
	const ratio = fround(
		fround(Math.log(fround(far / single))) / fround(Math.log(furthest / single)),
	);
	const wide = single + Math.trunc(fround(ratio * (half - single)));
	return side + Math.min(wide, half - 1);
}

function headsOf(given: AttentionCase): Head[] {
	return [...given.offsets.subarray(1)].flatMap((_, text) =>
		Array.from({length: given.heads}, (_, head) => headOf(given, text, head)),
	);
}

function headOf(given: AttentionCase, text: number, head: number): Head {
	const {heads, keyHeads = heads, qkv, offsets, texts, bias, slopes, rate} = given;
	const {causal = false, window = 0, furthest = 0, seed, step, site} = given;
	const width = qkv.columns / (heads + 2 * keyHeads);
	const begin = offsets[text]!;
	const tokens = offsets[text + 1]! - begin;
	const keyHead = Math.floor(head / (heads / keyHeads));
	const column = [head, heads + keyHead, heads + keyHeads + keyHead].map(place => place * width);
	const reach = window === 0 ? tokens : window;
	const biasAt = (query: number, key: number) =>
		bucketOf(key - query, bias?.rows ?? 4, furthest) * heads + head;
	return {
		tokens,
		width,
		at: (part, row, j) => (begin + row) * qkv.columns + column[part]! + j,
		out: (row, j) => (begin + row) * heads * width + head * width + j,
		lse: row => (begin + row) * heads + head,
		kept: row =>
			keptColumns({seed, step, text: texts[text]!, site: site + head, row}, tokens, rate),
		seen: query => {
			const first = Math.max(0, query - reach);
			const last = Math.min(tokens - 1, causal ? query : query + reach);
			return Array.from({length: last - first + 1}, (_, place) => first + place);
		},
		added: (query, key, round) => {
			const fall = round((slopes?.values[head] ?? 0) * Math.abs(query - key));
			return round((bias?.values[biasAt(query, key)] ?? 0) - fall);
		},
		biasAt,
	};
}

/** Sum over i of round(term(i)). */
function summed(count: number, term: (index: number) => number, round: Round): number {
	let total = 0;
	for (let i = 0; i < count; i += 1) total = round(total + round(term(i)));
	return total;
}

/** Of the keys that the query sees. */
function scoresOf({qkv, scale}: AttentionCase, head: Head, query: number, round: Round): number[] {
	return head.seen(query).map(key => {
		const product = (j: number) =>
			qkv.values[head.at(0, query, j)]! * qkv.values[head.at(1, key, j)]!;
		const scaled = round(scale * summed(head.width, product, round));
		return round(scaled + head.added(query, key, round));
	});
}

export function attentionForward(
	given: AttentionCase,
	round: Round = exact,
): {o: Matrix; lse: Matrix} {
	const {qkv, rate, heads, keyHeads = heads} = given;
	const o = zeros(qkv.rows, (qkv.columns * heads) / (heads + 2 * keyHeads));
	const lse = zeros(qkv.rows, heads);
	for (const head of headsOf(given)) {
		for (let query = 0; query < head.tokens; query += 1) {
			const keys = head.seen(query);
			const scores = scoresOf(given, head, query, round);
			const most = scores.reduce((a, b) => Math.max(a, b));
			const weights = scores.map(score => round(Math.exp(round(score - most))));
			const total = summed(keys.length, place => weights[place]!, round);
			lse.values[head.lse(query)] = round(most + round(Math.log(total)));
			const kept = head.kept(query);
			const grow = round(1 / round(total * (1 - rate)));
			for (let j = 0; j < head.width; j += 1) {
				const part = (place: number) => {
					const key = keys[place]!;
					return kept[key] ? weights[place]! * qkv.values[head.at(2, key, j)]! : 0;
				};
				o.values[head.out(query, j)] = round(grow * summed(keys.length, part, round));
			}
		}
	}
	return {o, lse};
}

/** From what forward left, which is taken as given; dbias (empty without bias) starts from zero. */
export function attentionBackward(
	given: AttentionGradient,
	round: Round = exact,
): {dqkv: Matrix; dbias: Matrix} {
	const dqkv = zeros(given.qkv.rows, given.qkv.columns);
	const dbias = given.bias ? mapped(given.bias, () => 0) : zeros(0, given.heads);
	for (const head of headsOf(given)) {
		for (let query = 0; query < head.tokens; query += 1) {
			addQuery(given, {head, query, dqkv, dbias}, round);
		}
	}
	return {dqkv, dbias};
}

type Query = {head: Head; query: number; dqkv: Matrix; dbias: Matrix};

function addQuery(given: AttentionGradient, {head, query, dqkv, dbias}: Query, round: Round) {
	const {qkv, scale, rate, o, lse, dout} = given;
	const grow = round(1 / (1 - rate));
	const add = (part: 0 | 1 | 2, row: number, column: number, value: number) => {
		const at = head.at(part, row, column);
		dqkv.values[at] = round(dqkv.values[at]! + round(value));
	};

	const down = (j: number) => dout.values[head.out(query, j)]!;
	const shift = lse.values[head.lse(query)]!;
	const delta = summed(head.width, j => down(j) * o.values[head.out(query, j)]!, round);
	const kept = head.kept(query);
	const keys = head.seen(query);
	for (const [place, score] of scoresOf(given, head, query, round).entries()) {
		const key = keys[place]!;
		const weight = round(Math.exp(round(score - shift)));
		const gate = kept[key] ? grow : 0;
		const product = (j: number) => down(j) * qkv.values[head.at(2, key, j)]!;
		const back = round(gate * summed(head.width, product, round));
		const dadded = round(weight * round(back - delta));
		const dscore = round(dadded * scale);
		if (given.bias) {
			const at = head.biasAt(query, key);
			dbias.values[at] = round(dbias.values[at]! + dadded);
		}
		for (let j = 0; j < head.width; j += 1) {
			add(0, query, j, dscore * qkv.values[head.at(1, key, j)]!);
			add(1, key, j, dscore * qkv.values[head.at(0, query, j)]!);
			add(2, key, j, round(weight * gate) * down(j));
		}
	}
}
