// The whole transformer forward in float64, made of the oracles of its ops from the same spec that the
// engine is given: what native/model means. Gradients are its central differences.

import type {
	AttentionSpec,
	DenseSpec,
	HeadSpec,
	MlpSpec,
	ModelSpec,
	NormPlaces,
	NormSpec,
	RotarySpec,
} from '../../dist/model/spec.js';
import {blank, type Matrix, matrixOf} from './matrix.js';
import {linearForward, mapped, normalizeForward, normForward} from './oracle.js';
import {attentionForward} from './oracle-attention.js';
import {gateForward, headNormForward, rotary} from './oracle-heads.js';
import {embedForward, gemForward, poolForward} from './oracle-texts.js';
import {keptColumns} from './random-bits.js';
import {exact, type Round} from './tolerance.js';

/** Parameters by their names in the engine. */
export type Weights = ReadonlyMap<string, Matrix>;

export type Batch = {
	ids: Int32Array;
	offsets: Int32Array;
	texts: Int32Array;
	/** How many leading tokens of each text are not pooled. */
	skip?: Int32Array;
};

export type Dropout = {seed: number; step: number; hidden: number; attention: number};

export const noDropout: Dropout = {seed: 0, step: 0, hidden: 0, attention: 0};

type Pass = {weights: Weights; batch: Batch; dropout: Dropout; round: Round};

/** The numbers of the places that draw random bits; see native/model/pass.h. */
const embeddingSite = 0;
const siteOf = (block: number, place: number) => 16 + block * 4096 + place;
const [attentionSite, mlpSite, headSites] = [0, 1, 16];

/** The embeddings of a batch; rounded after every operation if asked. */
export function forward64(
	spec: ModelSpec,
	weights: Weights,
	batch: Batch,
	{dropout = noDropout, round = exact} = {},
): Matrix {
	const pass = {weights, batch, dropout, round};
	let x = embed(pass, spec);
	const outputs = [x];
	for (const [index, {weights: set, attention, mlp}] of spec.blocks.entries()) {
		const name = `blocks.${set}`;
		x = attend(pass, spec, attention, {x, index, name: `${name}.attention`});
		x = feedForward(pass, mlp, {x, index, name: `${name}.mlp`});
		outputs.push(x);
	}
	const last = normOf(pass, 'final', spec.finalNorm, x);
	return headOf(pass, spec.head, layerMean(pass, spec, [...outputs.slice(0, -1), last]));
}

/** The outputs from the start on, by their weights as shares of the sum of these. */
function layerMean({weights, round}: Pass, spec: ModelSpec, outputs: Matrix[]): Matrix {
	if (!spec.layerMean) return outputs.at(-1)!;
	const layers = outputs.slice(spec.layerMean.start);
	const {values} = weights.get('layers.weight')!;
	const whole = values.reduce((sum, value) => sum + value, 0);
	const shares = [...values].map(value => round(value / whole));
	const at =
		(place: number) =>
		(sum: number, {values: own}: Matrix, layer: number) =>
			round(sum + round(shares[layer]! * own[place]!));
	return mapped(layers[0]!, (_, place) => layers.reduce(at(place), 0));
}

function embed(pass: Pass, {embedding, width}: ModelSpec): Matrix {
	const {weights, batch} = pass;
	const rows = embedForward(
		{...batch, ...embedding},
		{
			tokens: weights.get('embedding.tokens')!,
			positions: weights.get('embedding.positions'),
			types: weights.get('embedding.types'),
		},
		pass.round,
	);
	const x = drop(pass, normOf(pass, 'embedding.norm', embedding.norm, rows), embeddingSite);
	return embedding.width === width ? x : linear(pass, 'embedding.projection', x);
}

type Input = {x: Matrix; index: number; name: string};

function attend(pass: Pass, spec: ModelSpec, attention: AttentionSpec, given: Input): Matrix {
	const {x, index, name} = given;
	const {seed, step, attention: rate} = pass.dropout;
	const draw = {rate, seed, step, site: siteOf(index, headSites)};
	const {heads, keyHeads, headWidth, scale, causal, window} = attention;
	const distances = {
		slopes: attention.alibi ? slopesOf(heads) : undefined,
		bias: pass.weights.get('relativeBias'),
		furthest: spec.relativeBias?.furthest ?? 0,
	};
	const layer = (h: Matrix) => {
		const qkv = turned(pass, attention, normedHeads(pass, attention, {x: h, index, name}));
		const seen = {heads, keyHeads, width: headWidth, scale, causal, window, ...distances};
		const {o} = attentionForward({...seen, ...draw, qkv, ...pass.batch}, pass.round);
		return linear(pass, `${name}.output`, o);
	};
	const site = siteOf(index, attentionSite);
	return residual(pass, {name, norms: attention.norms, site, x, layer});
}

/** Queries, keys and values, the heads of the first two normed where the spec says so. */
function normedHeads(pass: Pass, attention: AttentionSpec, {x, name}: Input): Matrix {
	const {heads, keyHeads, headWidth, headNorm} = attention;
	const qkv = linear(pass, `${name}.qkv`, x);
	if (!headNorm) return qkv;
	const norm = (part: string, place: {heads: number; first: number}, before: Matrix) => {
		const [weight, bias] = [`${name}.${part}.weight`, `${name}.${part}.bias`];
		const given = {weight: pass.weights.get(weight)!, bias: pass.weights.get(bias)};
		return headNormForward({...headNorm, ...given, ...place}, {x: qkv, before}, pass.round).y;
	};
	const queries = norm('queryNorm', {heads, first: 0}, qkv);
	return norm('keyNorm', {heads: keyHeads, first: heads * headWidth}, queries);
}

function turned(pass: Pass, attention: AttentionSpec, qkv: Matrix): Matrix {
	const {heads, keyHeads, headWidth, rotary: turn} = attention;
	if (!turn) return qkv;
	const places = Math.max(...pass.batch.offsets);
	const place = {heads: heads + keyHeads, width: headWidth, inverse: false};
	const tables = {magnitude: turn.magnitude, ...anglesOf(turn, places)};
	return rotary({...place, ...tables, offsets: pass.batch.offsets}, qkv, pass.round);
}

function anglesOf({frequencies}: RotarySpec, places: number): {cos: Matrix; sin: Matrix} {
	const pairs = frequencies.length;
	const angle = (at: number) => Math.floor(at / pairs) * frequencies[at % pairs]!;
	return {
		cos: matrixOf(places, pairs, at => Math.cos(angle(at))),
		sin: matrixOf(places, pairs, at => Math.sin(angle(at))),
	};
}

/** Press et al. 2022: powers of two, and every other one of the next power for what is left. */
function slopesOf(heads: number): Matrix {
	const power = 2 ** Math.floor(Math.log2(heads));
	const plain = Array.from({length: power}, (_, head) => 2 ** ((-8 * (head + 1)) / power));
	const finer = Array.from({length: power}, (_, head) => 2 ** ((-4 * (2 * head + 1)) / power));
	return {rows: 1, columns: heads, values: Float64Array.from([...plain, ...finer].slice(0, heads))};
}

function feedForward(pass: Pass, spec: MlpSpec, {x, index, name}: Input): Matrix {
	const {activation, gate, norms} = spec;
	const layer = (h: Matrix) => {
		if (gate === 'none') {
			return linear(pass, `${name}.down`, linear(pass, `${name}.up`, h, activation));
		}
		const pre = linear(pass, `${name}.up`, h);
		return linear(pass, `${name}.down`, gateForward({activation, gate}, pre, pass.round));
	};
	return residual(pass, {name, norms, site: siteOf(index, mlpSite), x, layer});
}

type Wrapped = {
	name: string;
	norms: NormPlaces;
	site: number;
	x: Matrix;
	layer: (h: Matrix) => Matrix;
};

/** after(x + drop(inside(layer(before(x))))) */
function residual(pass: Pass, {name, norms, site, x, layer}: Wrapped): Matrix {
	const h = layer(normOf(pass, `${name}.before`, norms.before, x));
	const out = drop(pass, normOf(pass, `${name}.inside`, norms.inside, h), site);
	const sum = mapped(x, (value, at) => pass.round(value + out.values[at]!));
	return normOf(pass, `${name}.after`, norms.after, sum);
}

function headOf(pass: Pass, {pooling, dense, normalize}: HeadSpec, x: Matrix): Matrix {
	let h = pooling.length === 0 ? x : pooled(pass, pooling, x);
	for (const [index, layer] of dense.entries()) h = headLayer(pass, layer, {x: h, index});
	return normalize ? normalizeForward(h, pass.round).y : h;
}

/** The poolings side by side. */
function pooled({batch, round, weights}: Pass, kinds: HeadSpec['pooling'], x: Matrix): Matrix {
	const power = weights.get('head.power')?.values[0] ?? 0;
	const parts = kinds.map(kind => {
		if (kind === 'gem') return gemForward({...batch, power}, x, round);
		return poolForward({kind, ...batch}, x, round);
	});
	const y = blank(batch.texts.length, kinds.length * x.columns);
	for (const at of y.values.keys()) {
		const [row, column] = [Math.floor(at / y.columns), at % y.columns];
		const part = parts[Math.floor(column / x.columns)]!;
		y.values[at] = part.values[row * x.columns + (column % x.columns)]!;
	}
	return y;
}

function headLayer(
	pass: Pass,
	{width, activation, norm}: DenseSpec,
	{x, index}: {x: Matrix; index: number},
): Matrix {
	const h = width === 0 ? x : linear(pass, `head.${index}`, x, activation);
	return normOf(pass, `head.${index}.norm`, norm, h);
}

function linear(
	{weights, round}: Pass,
	name: string,
	x: Matrix,
	activation: HeadSpec['dense'][number]['activation'] = 'none',
): Matrix {
	const [weight, bias] = [weights.get(`${name}.weight`)!, weights.get(`${name}.bias`)];
	return linearForward({x, weight, bias, activation}, round).y;
}

function normOf(
	{weights, round}: Pass,
	name: string,
	spec: NormSpec | undefined,
	x: Matrix,
): Matrix {
	if (!spec) return x;
	const [weight, bias] = [weights.get(`${name}.weight`)!, weights.get(`${name}.bias`)];
	return normForward({...spec, x, weight, bias}, round).y;
}

function drop({batch, dropout, round}: Pass, x: Matrix, site: number): Matrix {
	const {seed, step, hidden} = dropout;
	if (hidden === 0) return x;
	const kept = [...batch.texts].flatMap((text, index) =>
		Array.from({length: batch.offsets[index + 1]! - batch.offsets[index]!}, (_, row) =>
			keptColumns({seed, step, text, site, row}, x.columns, hidden),
		),
	);
	const grow = round(1 / (1 - hidden));
	return mapped(x, (value, at) =>
		kept[Math.floor(at / x.columns)]![at % x.columns] ? round(value * grow) : 0,
	);
}
