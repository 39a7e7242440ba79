// What attention within each text means, forward and backward. See oracle.ts.

import {type Matrix, zeros} from './matrix.js';
import {keptColumns} from './random-bits.js';
import {exact, type Round} from './tolerance.js';

export type AttentionCase = {
	heads: number;
	keyHeads?: number;
	width?: number;
	scale: number;
	rate: number;
	seed: number;
	step: number;
	site: number;
	qkv: Matrix;
	offsets: Int32Array;
	texts: Int32Array;
};

/** One head of one text; rows of q, k and v by their place in the text. */
type Head = {
	begin: number;
	tokens: number;
	width: number;
	at: (part: 0 | 1 | 2, row: number, column: number) => number;
	out: (row: number, column: number) => number;
	lse: (row: number) => number;
	kept: (query: number) => boolean[];
};

function headsOf(given: AttentionCase): Head[] {
	const {heads, qkv, offsets, texts, seed, step, site, rate} = given;
	const columns = qkv.columns / 3;
	const width = columns / heads;
	return [...offsets.subarray(1)].flatMap((end, text) =>
		Array.from({length: heads}, (_, head) => ({
			begin: offsets[text]!,
			tokens: end - offsets[text]!,
			width,
			at: (part, row, column) =>
				(offsets[text]! + row) * qkv.columns + part * columns + head * width + column,
			out: (row, column) => (offsets[text]! + row) * columns + head * width + column,
			lse: row => (offsets[text]! + row) * heads + head,
			kept: query =>
				keptColumns(
					{seed, step, text: texts[text]!, site: site + head, row: query},
					end - offsets[text]!,
					rate,
				),
		})),
	);
}

/** Sum over i of round(term(i)). */
function summed(count: number, term: (index: number) => number, round: Round): number {
	let total = 0;
	for (let i = 0; i < count; i += 1) total = round(total + round(term(i)));
	return total;
}

function scoresOf({qkv, scale}: AttentionCase, head: Head, query: number, round: Round): number[] {
	return Array.from({length: head.tokens}, (_, key) => {
		const product = (j: number) =>
			qkv.values[head.at(0, query, j)]! * qkv.values[head.at(1, key, j)]!;
		return round(scale * summed(head.width, product, round));
	});
}

export function attentionForward(
	given: AttentionCase,
	round: Round = exact,
): {o: Matrix; lse: Matrix} {
	const {qkv, rate, heads} = given;
	const o = zeros(qkv.rows, qkv.columns / 3);
	const lse = zeros(qkv.rows, heads);
	for (const head of headsOf(given)) {
		for (let query = 0; query < head.tokens; query += 1) {
			const scores = scoresOf(given, head, query, round);
			const most = scores.reduce((a, b) => Math.max(a, b));
			const weights = scores.map(score => round(Math.exp(round(score - most))));
			const total = summed(head.tokens, key => weights[key]!, round);
			lse.values[head.lse(query)] = round(most + round(Math.log(total)));
			const kept = head.kept(query);
			const grow = round(1 / round(total * (1 - rate)));
			for (let j = 0; j < head.width; j += 1) {
				const part = (key: number) =>
					kept[key] ? weights[key]! * qkv.values[head.at(2, key, j)]! : 0;
				o.values[head.out(query, j)] = round(grow * summed(head.tokens, part, round));
			}
		}
	}
	return {o, lse};
}

/** From what forward left, which is taken as given. */
export function attentionBackward(
	given: AttentionCase & {o: Matrix; lse: Matrix; dout: Matrix},
	round: Round = exact,
): Matrix {
	const {qkv, scale, rate, o, lse, dout} = given;
	const dqkv = zeros(qkv.rows, qkv.columns);
	const grow = round(1 / (1 - rate));
	for (const head of headsOf(given)) {
		const add = (part: 0 | 1 | 2, row: number, column: number, value: number) => {
			const at = head.at(part, row, column);
			dqkv.values[at] = round(dqkv.values[at]! + round(value));
		};

		for (let query = 0; query < head.tokens; query += 1) {
			const down = (j: number) => dout.values[head.out(query, j)]!;
			const shift = lse.values[head.lse(query)]!;
			const delta = summed(head.width, j => down(j) * o.values[head.out(query, j)]!, round);
			const kept = head.kept(query);
			for (const [key, score] of scoresOf(given, head, query, round).entries()) {
				const weight = round(Math.exp(round(score - shift)));
				const gate = kept[key] ? grow : 0;
				const product = (j: number) => down(j) * qkv.values[head.at(2, key, j)]!;
				const back = round(gate * summed(head.width, product, round));
				const dscore = round(round(weight * round(back - delta)) * scale);
				for (let j = 0; j < head.width; j += 1) {
					add(0, query, j, dscore * qkv.values[head.at(1, key, j)]!);
					add(1, key, j, dscore * qkv.values[head.at(0, query, j)]!);
					add(2, key, j, round(weight * gate) * down(j));
				}
			}
		}
	}
	return dqkv;
}
