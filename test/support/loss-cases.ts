// Every loss of the list in several variants, each with numbers of the kind that it declares to need.

import {type LossName, losses} from '../../dist/loss/index.js';
import type {Loss, NumbersNeeded} from '../../dist/loss/loss.js';
import {lossFor} from '../../dist/loss/loss-for.js';
import {matryoshka} from '../../dist/loss/matryoshka.js';
import {needsOfSet} from '../../dist/loss/needs.js';
import {rDrop} from '../../dist/loss/r-drop.js';
import {weightedSum} from '../../dist/loss/weighted-sum.js';
import {normals, offsetsOf, type Random, randomMatrix, uniforms} from './matrix.js';
import type {LossCase} from './plain-loss.js';

type Options = Readonly<Record<string, unknown>>;

/** Options of the grid beside the defaults; a loss that is not here has its defaults tested alone. */
const variants: Readonly<Partial<Record<LossName, readonly Options[]>>> = {
	triplet: [
		{form: 'euclidean', margin: 2},
		{form: 'logSigmoid', temperature: 0.3},
		{form: 'logSigmoid', temperature: 0.3, margin: 0.1},
	],
	hinge: [{negatives: 'hard'}, {negatives: 'all', similarity: 'dot'}],
	logistic: [{temperature: 0.5, negatives: 'all'}],
	bpr: [{similarity: 'cosine', negatives: 'hard'}],
	contrastive: [
		{margin: 1.3, reduction: 'mean'},
		{distance: 'euclidean', margin: 5},
	],
	mse: [{similarity: 'cosine', scale: 3}],
	bce: [{positiveWeight: 3, similarity: 'dot', scale: 0.5}],
	circle: [{similarity: 'dot', scale: 1, threshold: 0.5}],
	marginmse: [{similarity: 'dot', scale: 0.5, teacher: 'margins'}],
	klonscores: [
		{group: 'batch', teacherTemperature: 0.3, studentTemperature: 0.2},
		{similarity: 'dot', teacherTemperature: 0.5, studentTemperature: 2},
	],
	distill: [
		{temperature: 0.2, teacherTemperature: 0.5},
		{temperature: 0.2, method: 'stable'},
		{temperature: 1, similarity: 'dot', method: 'stable', contrastiveWeight: 0.2},
		{temperature: 0.5, distillWeight: 0, contrastiveWeight: 3},
	],
	arcface: [
		{classes: 5, margin: [0.3, 0.4], labelSmoothing: 0.1, scale: 4},
		{classes: 3, easyMargin: true, scale: 8, margin: 1.2},
		{classes: 3, scale: 8, margin: 1.5},
	],
	softmax: [
		{classes: 4, row: 'pair', labelSmoothing: 0.1},
		{classes: 3, form: 'focal', gamma: 1.5},
		{classes: 3, form: 'dice', smooth: 0.5},
	],
	distillvectors: [
		{cosineWeight: 0, mseWeight: 2, similarityWeight: 0, tripletWeight: 0},
		{widths: [1, 2], margin: 0.4, tripletWeight: 3, similarityWeight: 5},
	],
	marginranking: [{margin: 0.4, similarity: 'dot'}],
	lateinteraction: [
		{temperature: 0.4, scoring: 'mean', candidates: ['inBatchPositives', 'ownHard']},
		{candidates: ['ownHard']},
		{form: 'distill', temperature: 0.5, teacherTemperature: 0.7},
	],
};

/** Losses on the leading columns as well. */
const nested: readonly [string, Loss][] = [
	['nested infonce', matryoshka(losses.infonce(), {widths: [2, 1], weights: [1, 0.5]})],
	[
		'nested learned infonce of dot products',
		matryoshka(losses.infonce({similarity: 'dot', learnTemperature: true, temperature: 1}), {
			widths: [1, 2],
			reduce: 'mean',
			renormalize: false,
		}),
	],
	['nested cosent', matryoshka(losses.cosent(), {widths: 2, weights: 3})],
	['nested late interaction', matryoshka(losses.lateinteraction(), {widths: [1, 2]})],
	['nested arcface', matryoshka(losses.arcface({classes: 3, scale: 4}), {widths: 2})],
	[
		'nested softmax of pairs',
		matryoshka(losses.softmax({classes: 3, row: 'pair'}), {widths: [1, 2], renormalize: false}),
	],
];

/** Losses that are made of others. */
export const composed: readonly [string, Loss][] = [
	['r-drop infonce', rDrop(losses.infonce({temperature: 0.5}))],
	[
		'r-drop own hard negatives by a learned temperature',
		rDrop(losses.infonce({candidates: ['ownHard'], learnTemperature: true, temperature: 0.5}), {
			alpha: 1,
		}),
	],
	['r-drop triplet', rDrop(losses.triplet({margin: 2}), {alpha: 0.5})],
	['r-drop cosent', rDrop(losses.cosent(), {alpha: 8})],
	['r-drop contrastive', rDrop(losses.contrastive({margin: 1.3}))],
	['r-drop arcface', rDrop(losses.arcface({classes: 5, scale: 4}))],
	['r-drop late interaction', rDrop(losses.lateinteraction({temperature: 2}))],
	['r-drop distillvectors', rDrop(losses.distillvectors(), {alpha: 30})],
	['r-drop softmax', rDrop(losses.softmax({classes: 4, row: 'pair'}))],
	[
		'r-drop nested infonce',
		rDrop(matryoshka(losses.infonce({temperature: 0.5}), {widths: [2, 1]})),
	],
	[
		'infonce and cosent',
		weightedSum([{loss: losses.infonce()}, {loss: losses.cosent(), weight: 0.5}]),
	],
	[
		'a learned infonce, another and marginmse',
		weightedSum([
			{loss: losses.infonce({learnTemperature: true, temperature: 0.3})},
			{loss: losses.infonce({directions: ['dq']}), weight: 2},
			{loss: losses.marginmse(), weight: 0.3},
		]),
	],
	['losses of two sets', lossFor({a: losses.infonce(), b: losses.cosent()})],
	[
		'losses of sets with scores of candidates, labels and the rest',
		lossFor(
			{a: losses.distill({temperature: 0.5}), b: losses.contrastive({margin: 1.3})},
			{otherwise: losses.infonce({learnTemperature: true, temperature: 0.4})},
		),
	],
	[
		'r-drop of each of two sets',
		lossFor({a: rDrop(losses.infonce({temperature: 0.5})), b: rDrop(losses.cosent())}),
	],
];

/** [what it is, the loss]. */
export const listedLosses: readonly [string, Loss][] = [
	...(Object.keys(losses) as LossName[]).flatMap(name => {
		const make = losses[name] as (options?: Options) => Loss;
		const others = (variants[name] ?? []).map(
			options => [`${name} ${JSON.stringify(options)}`, make(options)] as [string, Loss],
		);
		return [[name, make()] as [string, Loss], ...others];
	}),
	...nested,
	...composed,
];

const random = normals(31);
const uniform = uniforms(32);

/** A batch as the loss declares to need it, with one negative for each row where negatives may be. */
export function drawnFor({needs = {}}: Loss, rows: number, width: number): LossCase {
	const {row = 'pair', views = 1, passes = 1, teacher, tokens: isLate} = needs;
	const all = rows * passes;
	const names = [...Object.keys(needs.sets ?? {}), ...(needs.otherSets ? ['another'] : [])];
	const sets = needs.sets && Array.from({length: rows}, (_, n) => names[n % names.length]!);
	const of = (n: number) => needsOfSet(needs, sets?.[n] ?? '');
	const owners = Array.from({length: rows}, (_, n) => of(n));
	const negatives = owners.map(each => Number(row === 'pair' && each.negatives !== 'none'));
	const labels = owners.flatMap(({label}) => [...(label ? numbersFor(label, 1) : [Number.NaN])]);
	const scores = owners.flatMap(({scores: asked}, n) => {
		const perRow = asked?.of === 'candidates' ? 1 + negatives[n]! : 1;
		return asked ? [...numbersFor(asked, perRow)] : [];
	});
	const twice = <T>(list: readonly T[]) => (passes === 2 ? [...list, ...list] : list);
	const numbers = (list: readonly number[]) => Float32Array.from(twice(list));
	const ends = offsetsOf(twice(negatives));
	const hard = ends.at(-1)!;
	const counts = [...Array(row === 'text' ? views : 2).fill(all), ...(hard > 0 ? [hard] : [])];
	const tokens = isLate && counts.map((count, n) => tokensOf(count, n));
	const drawn = (count: number) => randomMatrix(count, width, random);
	return {
		columns: counts.map((count, n) => drawn(tokens ? tokens[n]!.at(-1)! : count)),
		...(tokens && {tokens}),
		...(hard > 0 && hard < all && {offsets: [undefined, undefined, ends]}),
		...(owners.some(({label}) => label) && {labels: numbers(labels)}),
		...(scores.length > 0 && {scores: numbers(scores)}),
		...(teacher && {teacher: drawn(all)}),
		...(sets && {sets: [...twice(sets)]}),
	};
}

/** From one to four tokens of each text. */
function tokensOf(texts: number, column: number): Int32Array {
	const offsets = new Int32Array(texts + 1);
	for (let text = 0; text < texts; text++) {
		offsets[text + 1] = offsets[text]! + 1 + ((text * text + column) % 4);
	}
	return offsets;
}

/** Numbers of the kind, or from −1 to 1 where there are none. */
export function numbersFor(
	{from = -1, to = 1, whole = false, among}: NumbersNeeded,
	count: number,
	next: Random = uniform,
): Float32Array {
	const known = among ?? Array.from({length: to - from + 1}, (_, n) => from + n);
	const isListed = whole || among !== undefined;
	const value = (share: number) =>
		isListed ? known[Math.floor(share * known.length)]! : from + share * (to - from);
	return Float32Array.from({length: count}, () => value(next()));
}
