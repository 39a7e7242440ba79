// How much memory a pass of training takes: the mirror of what the layers of native/model keep for
// backward and what they need on the way. A test holds it to what the engine really takes.
//
// Rows of tokens are counted in elements of what is computed in; a float among them is `float` of these.

import type {Dtype} from '../device.js';
import type {AttentionSpec, MlpSpec, ModelSpec, NormPlaces, NormSpec} from './spec.js';

export type PassShape = {
	tokens: number;
	texts: number;
	/** Whether blocks are computed again in backward. */
	recompute: boolean;
	/** What is computed in. Default f32. */
	dtype?: Dtype;
};

export type PassMemory = {
	/** Bytes that are kept from forward to backward. */
	saved: number;
	/** Bytes on the way. */
	scratch: number;
};

/** Floats of a norm's mean and deviation, of each row. */
const statistics = 2;

const bytesOfFloat = 4;

/** Bytes of an element of a row of tokens, and how many elements a float is. */
function elementOf(dtype: Dtype = 'f32') {
	const bytes = dtype === 'bf16' ? 2 : bytesOfFloat;
	return {bytes, float: bytesOfFloat / bytes};
}

/** The memory of a pass over a chunk that is kept for backward, which follows. */
export function passMemory(spec: ModelSpec, shape: PassShape): PassMemory {
	const {tokens, texts, recompute} = shape;
	const {width, blocks, finalNorm} = spec;
	const {bytes, float} = elementOf(shape.dtype);
	const kept = blocks.map(({attention, mlp}) => keptByBlock(attention, mlp, {width, float}));
	const most = Math.max(0, ...kept);
	const between = (1 + blocks.length) * width;
	const inside = recompute ? most : kept.reduce((sum, each) => sum + each, 0);
	const final = finalNorm ? width + statistics * float : 0;
	// Recomputed blocks come and go: in backward what is above them is still there.
	const perToken = keptByEmbedding(spec, float) + between + inside + final;
	const way = Math.max(0, ...blocks.map(({attention, mlp}) => wayThrough(attention, mlp, width)));
	return {
		saved: bytes * tokens * perToken + bytesOfFloat * keptByHead(spec, texts),
		scratch: bytes * tokens * way,
	};
}

/** The memory of a pass whose activations nobody reads again. */
export function passingMemory(spec: ModelSpec, tokens: number, dtype?: Dtype): number {
	const {width, blocks} = spec;
	const {bytes, float} = elementOf(dtype);
	const most = blocks.map(
		({attention, mlp}) => keptByBlock(attention, mlp, {width, float}) + 2 * mlp.width + width,
	);
	return bytes * tokens * (Math.max(0, ...most) + 3 * width);
}

type Row = {width: number; float: number};

function keptByBlock(attention: AttentionSpec, mlp: MlpSpec, row: Row): number {
	const up = mlp.gate === 'none' ? mlp.width : 2 * mlp.width;
	return (
		row.width +
		keptByAttention(attention, row.float) +
		keptByNorms(attention.norms, row) +
		up +
		keptByNorms(mlp.norms, row)
	);
}

function keptByAttention(
	{heads, keyHeads, headWidth, headNorm}: AttentionSpec,
	float: number,
): number {
	const qkv = (heads + 2 * keyHeads) * headWidth;
	const normed = headNorm ? qkv + statistics * float * (heads + keyHeads) : 0;
	return qkv + heads * headWidth + heads * float + normed;
}

function keptByNorms({before, inside, after}: NormPlaces, {width, float}: Row): number {
	const one = (norm: NormSpec | undefined) => (norm ? width + statistics * float : 0);
	return one(before) + one(inside) + one(after);
}

function keptByEmbedding({embedding, width}: ModelSpec, float: number): number {
	const {norm, width: narrow} = embedding;
	return (norm ? narrow + statistics * float : 0) + (narrow === width ? 0 : narrow);
}

/** Floats, behind the rows of tokens. */
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

/** Elements of each token that backward needs beside what is kept, at most. */
function wayThrough(attention: AttentionSpec, mlp: MlpSpec, width: number): number {
	const {heads, keyHeads, headWidth} = attention;
	const ofAttention = (2 * heads + 2 * keyHeads) * headWidth;
	const ofMlp = mlp.gate === 'none' ? mlp.width : 3 * mlp.width;
	return 5 * width + Math.max(ofAttention, ofMlp);
}
