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

/** One head of one text; rows of q, k and v by their place in the text, each at its first column. */
type Head = {
	tokens: number;
	width: number;
	at: (part: 0 | 1 | 2, row: number) => number;
	out: (row: number) => number;
	lse: (row: number) => number;
	kept: (query: number) => (key: number) => boolean;
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
		at: (part, row) => (begin + row) * qkv.columns + column[part]!,
		out: row => (begin + row) * heads * width + head * width,
		lse: row => (begin + row) * heads + head,
		kept: row => {
			if (rate === 0) return () => true;
			const place = {seed, step, text: texts[text]!, site: site + head, row};
			const kept = keptColumns(place, tokens, rate);
			return key => kept[key]!;
		},
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

type Vector = {values: Float64Array; at: number};

function dot(x: Vector, y: Vector, width: number, round: Round): number {
	let total = 0;
	for (let j = 0; j < width; j += 1) {
		total = round(total + round(x.values[x.at + j]! * y.values[y.at + j]!));
	}
	return total;
}

/** Of the keys that the query sees. */
function scoresOf({qkv, scale}: AttentionCase, head: Head, query: number, round: Round): number[] {
	const {values} = qkv;
	const q = {values, at: head.at(0, query)};
	return head.seen(query).map(key => {
		const scaled = round(scale * dot(q, {values, at: head.at(1, key)}, head.width, round));
		return round(scaled + head.added(query, key, round));
	});
}

/** The sum of the rows of v by their weights. */
function mixOf({qkv}: AttentionCase, head: Head, weights: Map<number, number>, round: Round) {
	const mix = new Float64Array(head.width);
	for (const [key, weight] of weights) {
		const at = head.at(2, key);
		for (let j = 0; j < head.width; j += 1) {
			mix[j] = round(mix[j]! + round(weight * qkv.values[at + j]!));
		}
	}
	return mix;
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
			const scores = scoresOf(given, head, query, round);
			const most = scores.reduce((a, b) => Math.max(a, b));
			const weights = scores.map(score => round(Math.exp(round(score - most))));
			const total = weights.reduce((sum, weight) => round(sum + weight), 0);
			lse.values[head.lse(query)] = round(most + round(Math.log(total)));
			const kept = head.kept(query);
			const pairs = head.seen(query).map((key, place) => [key, weights[place]!] as const);
			const mix = mixOf(given, head, new Map(pairs.filter(([key]) => kept(key))), round);
			const grow = round(1 / round(total * (1 - rate)));
			o.values.set(
				mix.map(value => round(grow * value)),
				head.out(query),
			);
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
	const {width} = head;
	const grow = round(1 / (1 - rate));
	const add = (to: number, factor: number, {values, at}: Vector) => {
		for (let j = 0; j < width; j += 1) {
			dqkv.values[to + j] = round(dqkv.values[to + j]! + round(factor * values[at + j]!));
		}
	};

	const down = {values: dout.values, at: head.out(query)};
	const row = (part: 0 | 1 | 2, place: number) => ({values: qkv.values, at: head.at(part, place)});
	const shift = lse.values[head.lse(query)]!;
	const delta = dot(down, {values: o.values, at: head.out(query)}, width, round);
	const kept = head.kept(query);
	const keys = head.seen(query);
	for (const [place, score] of scoresOf(given, head, query, round).entries()) {
		const key = keys[place]!;
		const weight = round(Math.exp(round(score - shift)));
		const gate = kept(key) ? grow : 0;
		const back = round(gate * dot(down, row(2, key), width, round));
		const dadded = round(weight * round(back - delta));
		const dscore = round(dadded * scale);
		add(head.at(0, query), dscore, row(1, key));
		add(head.at(1, key), dscore, row(0, query));
		add(head.at(2, key), round(weight * gate), down);
		if (given.bias) {
			const at = head.biasAt(query, key);
			dbias.values[at] = round(dbias.values[at]! + dadded);
		}
	}
}
