// How much memory a pass of training takes: the mirror of what the layers of native/model keep for
// backward and what they need on the way. A test holds it to what the engine really takes.

import type {AttentionSpec, MlpSpec, ModelSpec, NormPlaces, NormSpec} from './spec.js';

export type PassShape = {
	tokens: number;
	texts: number;
	/** Whether blocks are computed again in backward. */
	recompute: boolean;
};

export type PassMemory = {
	/** Bytes that are kept from forward to backward. */
	saved: number;
	/** Bytes on the way. */
	scratch: number;
};

/** Floats of a norm's mean and deviation, of each row. */
const statistics = 2;

/** The memory of a pass over a chunk that is kept for backward, which follows. */
export function passMemory(spec: ModelSpec, shape: PassShape): PassMemory {
	const {tokens, texts, recompute} = shape;
	const {width, blocks, finalNorm} = spec;
	const kept = blocks.map(({attention, mlp}) => keptByBlock(attention, mlp, width));
	const most = Math.max(0, ...kept);
	const between = (1 + blocks.length) * width;
	const inside = recompute ? most : kept.reduce((sum, each) => sum + each, 0);
	const final = finalNorm ? width + statistics : 0;
	const above = tokens * final + keptByHead(spec, texts);
	const perToken = keptByEmbedding(spec) + between;
	// Recomputed blocks come and go: in backward what is above them is still there.
	const saved = tokens * (perToken + inside) + above;
	const way = Math.max(0, ...blocks.map(({attention, mlp}) => wayThrough(attention, mlp, width)));
	return {saved: 4 * saved, scratch: 4 * tokens * way};
}

/** The memory of a pass whose activations nobody reads again. */
export function passingMemory(spec: ModelSpec, tokens: number): number {
	const {width, blocks} = spec;
	const most = Math.max(
		0,
		...blocks.map(({attention, mlp}) => keptByBlock(attention, mlp, width) + 2 * mlp.width + width),
	);
	return 4 * tokens * (most + 3 * width);
}

function keptByBlock(attention: AttentionSpec, mlp: MlpSpec, width: number): number {
	const up = mlp.gate === 'none' ? mlp.width : 2 * mlp.width;
	return (
		width +
		keptByAttention(attention) +
		keptByNorms(attention.norms, width) +
		up +
		keptByNorms(mlp.norms, width)
	);
}

function keptByAttention({heads, keyHeads, headWidth, headNorm}: AttentionSpec): number {
	const qkv = (heads + 2 * keyHeads) * headWidth;
	const normed = headNorm ? qkv + statistics * (heads + keyHeads) : 0;
	return qkv + heads * headWidth + heads + normed;
}

function keptByNorms({before, inside, after}: NormPlaces, width: number): number {
	const one = (norm: NormSpec | undefined) => (norm ? width + statistics : 0);
	return one(before) + one(inside) + one(after);
}

function keptByEmbedding({embedding, width}: ModelSpec): number {
	const {norm, width: narrow} = embedding;
	return (norm ? narrow + statistics : 0) + (narrow === width ? 0 : narrow);
}

function keptByHead({head, width}: ModelSpec, texts: number): number {
	let columns = width * Math.max(1, head.pooling.length);
	let floats = head.pooling.includes('max') ? width : 0;
	for (const {width: wide, activation, norm} of head.dense) {
		floats += columns;
		columns = wide || columns;
		floats += (activation === 'none' ? 0 : columns) + (norm ? columns + statistics : 0);
	}
	return texts * (floats + (head.normalize ? 1 + columns : 0));
}

/** Floats of each token that backward needs beside what is kept, at most. */
function wayThrough(attention: AttentionSpec, mlp: MlpSpec, width: number): number {
	const {heads, keyHeads, headWidth} = attention;
	const ofAttention = (2 * heads + 2 * keyHeads) * headWidth;
	const ofMlp = mlp.gate === 'none' ? mlp.width : 3 * mlp.width;
	return 5 * width + Math.max(ofAttention, ofMlp);
}
