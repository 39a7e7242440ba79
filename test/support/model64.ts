// The whole transformer forward in float64, made of the oracles of its ops from the same spec that the
// engine is given: what native/model means. Gradients are its central differences.

import type {BlockSpec, HeadSpec, ModelSpec, NormPlaces, NormSpec} from '../../dist/model/spec.js';
import type {Matrix} from './matrix.js';
import {linearForward, mapped, normalizeForward, normForward} from './oracle.js';
import {attentionForward} from './oracle-attention.js';
import {embedForward, poolForward} from './oracle-texts.js';
import {keptColumns} from './random-bits.js';
import {exact, type Round} from './tolerance.js';

/** Parameters by their names in the engine. */
export type Weights = ReadonlyMap<string, Matrix>;

export type Batch = {ids: Int32Array; offsets: Int32Array; texts: Int32Array};

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
	for (const [index, block] of spec.blocks.entries()) {
		x = attend(pass, block.attention, {x, index});
		x = feedForward(pass, block.mlp, {x, index});
	}
	return headOf(pass, spec.head, normOf(pass, 'final', spec.finalNorm, x));
}

function embed(pass: Pass, {embedding}: ModelSpec): Matrix {
	const {weights, batch} = pass;
	const rows = embedForward(
		{...batch, positionOffset: embedding.positionOffset},
		{
			tokens: weights.get('embedding.tokens')!,
			positions: weights.get('embedding.positions'),
			types: weights.get('embedding.types'),
		},
		pass.round,
	);
	return drop(pass, normOf(pass, 'embedding.norm', embedding.norm, rows), embeddingSite);
}

type Input = {x: Matrix; index: number};

function attend(pass: Pass, {heads, scale, norms}: BlockSpec['attention'], {x, index}: Input) {
	const name = `blocks.${index}.attention`;
	const {seed, step, attention: rate} = pass.dropout;
	const layer = (h: Matrix) => {
		const draw = {rate, seed, step, site: siteOf(index, headSites)};
		const qkv = linear(pass, `${name}.qkv`, h);
		const {o} = attentionForward({heads, scale, ...draw, qkv, ...pass.batch}, pass.round);
		return linear(pass, `${name}.output`, o);
	};
	return residual(pass, {name, norms, site: siteOf(index, attentionSite), x, layer});
}

function feedForward(pass: Pass, {activation, norms}: BlockSpec['mlp'], {x, index}: Input) {
	const name = `blocks.${index}.mlp`;
	const layer = (h: Matrix) =>
		linear(pass, `${name}.down`, linear(pass, `${name}.up`, h, activation));
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
	const [kind] = pooling;
	let h = kind ? poolForward({kind, offsets: pass.batch.offsets}, x, pass.round) : x;
	for (const [index, {activation}] of dense.entries()) {
		h = linear(pass, `head.${index}`, h, activation);
	}
	return normalize ? normalizeForward(h, pass.round).y : h;
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
