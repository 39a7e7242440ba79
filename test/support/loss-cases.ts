// Every loss of the list in several variants, each with numbers of the kind that it declares to need.

import {type LossName, losses} from '../../dist/loss/index.js';
import type {Loss, NumbersNeeded} from '../../dist/loss/loss.js';
import {matryoshka} from '../../dist/loss/matryoshka.js';
import {normals, type Random, randomMatrix, uniforms} from './matrix.js';
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
];

const random = normals(31);
const uniform = uniforms(32);

/** A batch as the loss declares to need it, with one negative for each row where negatives may be. */
export function drawnFor({needs = {}}: Loss, rows: number, width: number): LossCase {
	const {row = 'pair', views = 1, negatives, label, scores, teacher, tokens: isLate} = needs;
	const pairs = negatives === 'none' ? 2 : 3;
	const count = row === 'text' ? views : pairs;
	const perRow = scores?.of === 'candidates' ? count - 1 : 1;
	const tokens = Array.from({length: isLate ? count : 0}, (_, n) => tokensOf(rows, n));
	return {
		columns: Array.from({length: count}, (_, n) =>
			randomMatrix(tokens[n]?.at(-1) ?? rows, width, random),
		),
		...(isLate && {tokens}),
		...(label && {labels: numbersFor(label, rows)}),
		...(scores && {scores: numbersFor(scores, rows * perRow)}),
		...(teacher && {teacher: randomMatrix(rows, width, random)}),
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
