// Every loss of the list in every combinator: the value that the combinator promises, or a refusal that says
// why. What refuses what is written down here, so that nothing refuses more than that.

import {describe, expect, test} from 'vitest';
import {evaluateLoss, type LossEvaluation, type PlainInputs} from '../../dist/loss/evaluate.js';
import {type LossName, losses} from '../../dist/loss/index.js';
import type {Loss} from '../../dist/loss/loss.js';
import {lossFor} from '../../dist/loss/loss-for.js';
import {matryoshka} from '../../dist/loss/matryoshka.js';
import {rDrop} from '../../dist/loss/r-drop.js';
import {weightedSum} from '../../dist/loss/weighted-sum.js';
import {drawnFor} from '../support/loss-cases.js';
import type {Matrix} from '../support/matrix.js';
import type {LossCase} from '../support/plain-loss.js';

type Made = readonly [name: LossName, options: object];

const made: readonly Made[] = [
	...(Object.keys(losses) as LossName[]).map(name => [name, {}] as const),
	['infonce', {directions: ['qd', 'dq', 'qq', 'dd'], partition: 'joint'}],
	['infonce', {candidates: ['ownHard', 'otherHard'], learnTemperature: true}],
	['infonce', {mask: ['margin'], clamp: [-1, 1], hardness: 2}],
	['infonce', {queue: 8}],
	['ntxent', {row: 'text'}],
	['triplet', {form: 'euclidean'}],
	['triplet', {form: 'logSigmoid'}],
	['hinge', {negatives: 'all'}],
	['marginmse', {teacher: 'margins'}],
	['klonscores', {group: 'batch'}],
	['distill', {method: 'stable', contrastiveWeight: 0.2}],
	['softmax', {row: 'pair', form: 'focal'}],
	['lateinteraction', {form: 'distill'}],
];

const [rows, width] = [6, 8];
const lossOf = ([name, options]: Made) => (losses[name] as (options: object) => Loss)(options);
const has =
	(...names: string[]) =>
	([name, options]: Made) =>
		names.includes(name) || Object.keys(options).some(option => names.includes(option));
const isOfTexts = ([name, options]: Made) =>
	['simcse', 'arcface', 'distillvectors'].includes(name) ||
	(name === 'softmax' && !('row' in options)) ||
	(name === 'ntxent' && 'row' in options);

const plainColumn = ({values, rows, columns}: Matrix) => {
	return {data: Float32Array.from(values), rows, width: columns};
};

function inputsOf({columns, offsets, tokens, teacher, guide: _, ...others}: LossCase): PlainInputs {
	return {
		...others,
		columns: columns.map((column, n) => ({
			...plainColumn(column),
			...(offsets?.[n] && {offsets: offsets[n]}),
			...(tokens && {tokens: tokens[n]!}),
		})),
		...(teacher && {teacher: plainColumn(teacher)}),
	};
}

/** The leading columns of all embeddings, at length 1. */
function cut(inputs: PlainInputs, width: number): PlainInputs {
	const columns = inputs.columns.map(column => {
		const parts = Array.from({length: column.rows}, (_, row) => {
			const begin = row * column.width;
			const part = [...column.data.subarray(begin, begin + width)];
			const length = Math.hypot(...part);
			return part.map(value => value / length);
		});
		return {...column, data: Float32Array.from(parts.flat()), width};
	});
	return {...inputs, columns};
}

/** What a loss learns, the same by the same last name: of a cut width the leading columns of each third. */
function learnedOf({parameters = []}: Loss, width: number): Record<string, Float32Array> {
	const entries = parameters.map(({name, value, shape = () => ({rows: 1, columns: 1})}) => {
		const [whole, {rows: count, columns}] = [shape(8).columns, shape(width)];
		const at = (n: number) => {
			const [row, column] = [Math.floor(n / columns), n % columns];
			const place = Math.floor(column / width) * 8 + (column % width);
			return whole === 1 ? value : Math.sin(1 + row * whole + (columns === whole ? column : place));
		};
		return [name, Float32Array.from({length: count * columns}, (_, n) => at(n))] as const;
	});
	return Object.fromEntries(entries);
}

/** The value, once it is known to be a number, and its gradients to be numbers too. */
async function numberOf(loss: Loss, inputs: PlainInputs): Promise<number> {
	const {value, gradients}: LossEvaluation = await evaluateLoss(loss, {
		...inputs,
		parameters: learnedOf(loss, inputs.columns[0]!.width),
	});
	expect([value, ...gradients.flatMap(each => [...each])].every(Number.isFinite)).toBe(true);
	return value;
}

function expectNear(value: number, expected: number): void {
	const size = Math.max(1, Math.abs(expected));
	expect(value / size).toBeCloseTo(expected / size, 4);
}

const conflict = expect.objectContaining({code: 'OPTION_CONFLICT'});
const cases = made.map(each => [`${each[0]} ${JSON.stringify(each[1])}`, each] as const);
const drawn = (loss: Loss) => inputsOf(drawnFor(loss, rows, width));

describe.each(cases)('%s', (_, one) => {
	test('at nested widths is the sum of what it is at each', async () => {
		const make = () => matryoshka(lossOf(one), {widths: [8, 4], weights: [1, 0.5]});
		if (has('distillvectors')(one)) return expect(make).toThrow(conflict);
		const inputs = drawn(lossOf(one));
		const [wide, narrow] = [8, 4].map(width => numberOf(lossOf(one), cut(inputs, width)));
		expectNear(await numberOf(make(), inputs), (await wide!) + 0.5 * (await narrow!));
	});

	test('of two equal passes is itself under R-Drop', async () => {
		const make = () => rDrop(lossOf(one));
		const inputs = drawn(make());
		const half = inputs.columns.map(firstTexts);
		const once = {
			...inputs,
			columns: half,
			...(inputs.labels && {labels: firstHalf(inputs.labels)}),
			...(inputs.scores && {scores: firstHalf(inputs.scores)}),
			...(inputs.teacher && {teacher: firstTexts(inputs.teacher)}),
		};
		const {teacher} = once;
		const twice = {
			...inputs,
			columns: half.map(doubled),
			...(inputs.labels && {labels: Float32Array.of(...once.labels!, ...once.labels!)}),
			...(inputs.scores && {scores: Float32Array.of(...once.scores!, ...once.scores!)}),
			...(teacher && {teacher: doubled(teacher)}),
		};
		expectNear(await numberOf(make(), twice), await numberOf(lossOf(one), once));
	});

	test('beside infonce is the sum of both', async () => {
		const make = () =>
			weightedSum([
				{loss: lossOf(one), weight: 0.3},
				{loss: losses.infonce(), weight: 2},
			]);
		if (isOfTexts(one) || has('lateinteraction')(one)) return expect(make).toThrow(conflict);
		const inputs = drawn(make());
		const [own, other] = [lossOf(one), losses.infonce()].map(loss => numberOf(loss, inputs));
		expectNear(await numberOf(make(), inputs), 0.3 * (await own!) + 2 * (await other!));
	});

	test('of two data sets is the mean of what it is of each, by their rows', async () => {
		const make = () => lossFor({a: lossOf(one), b: lossOf(one)});
		if (has('queue')(one)) return expect(make).toThrow(conflict);
		const inputs = drawn(lossOf(one));
		const half = inputs.columns.every(({offsets, tokens}) => !offsets && !tokens);
		const sets = Array.from({length: rows}, (_, n) => (n < rows / 2 ? 'a' : 'b'));
		const whole = await numberOf(make(), {...inputs, sets: Array(rows).fill('a')});
		expectNear(whole, await numberOf(lossOf(one), inputs));
		if (!half) return;
		const part = (index: number) => halfRows(inputs, index);
		const [a, b] = [0, 1].map(index => numberOf(lossOf(one), part(index)));
		expectNear(await numberOf(make(), {...inputs, sets}), ((await a!) + (await b!)) / 2);
	});
});

type Column = PlainInputs['columns'][number];

/** The texts of the first half of the rows, which is also that of the texts. */
function firstTexts({data, rows, width, offsets, tokens}: Column): Column {
	const texts = (tokens ? tokens.length - 1 : rows) / 2;
	const end = tokens ? tokens[texts]! : texts;
	return {
		...{data: data.slice(0, end * width), rows: end, width},
		...(offsets && {offsets: halfOf(offsets)}),
		...(tokens && {tokens: Array.from(tokens).slice(0, texts + 1)}),
	};
}

/** The same texts once more below themselves. */
function doubled({data, rows, width, offsets, tokens}: Column): Column {
	const again = (starts: Int32Array | readonly number[], count: number) => {
		const first = Array.from(starts);
		return [...first, ...first.slice(1).map(each => each + count)];
	};
	return {
		...{data: Float32Array.of(...data, ...data), rows: 2 * rows, width},
		...(offsets && {offsets: again(offsets, Array.from(offsets).at(-1)!)}),
		...(tokens && {tokens: again(tokens, rows)}),
	};
}

const firstHalf = (values: Float32Array) => values.slice(0, values.length / 2);
const halfOf = (offsets: Int32Array | readonly number[]) =>
	Array.from(offsets).slice(0, (offsets.length + 1) / 2);

/** The rows of one half, each with as many scores as any other. */
function halfRows({columns, labels, scores, teacher, ...others}: PlainInputs, index: number) {
	const of = (values: Float32Array) =>
		values.slice((index * values.length) / 2, ((index + 1) * values.length) / 2);
	const column = ({data, rows, width}: Column) => {
		return {data: of(data), rows: rows / 2, width};
	};
	return {
		...others,
		columns: columns.map(column),
		...(labels && {labels: of(labels)}),
		...(scores && {scores: of(scores)}),
		...(teacher && {teacher: column(teacher)}),
	};
}

describe('combinators of combinators', () => {
	const bySet = () => lossFor({a: losses.infonce()});

	test.each([
		['R-Drop over data sets', () => rDrop(bySet())],
		['a sum over data sets', () => weightedSum([{loss: bySet()}])],
		['data sets over data sets', () => lossFor({a: bySet()})],
		[
			'R-Drop of a part of a sum',
			() => weightedSum([{loss: rDrop(losses.infonce())}, {loss: losses.infonce()}]),
		],
	])('%s is refused', (_, make) => {
		expect(make).toThrow(conflict);
	});

	test.each([
		['nested R-Drop', (loss: Loss) => matryoshka(rDrop(loss), {widths: [8, 4]})],
		['R-Drop of nested widths', (loss: Loss) => rDrop(matryoshka(loss, {widths: [8, 4]}))],
		['nested sums', (loss: Loss) => matryoshka(weightedSum([{loss}]), {widths: [8, 4]})],
		['sums of R-Drop', (loss: Loss) => weightedSum([{loss: rDrop(loss)}, {loss: rDrop(loss)}])],
		['nested data sets', (loss: Loss) => matryoshka(lossFor({a: loss}), {widths: [8, 4]})],
		['R-Drop of data sets', (loss: Loss) => lossFor({a: rDrop(loss)}, {otherwise: rDrop(loss)})],
	])('%s have a value', async (_, make) => {
		for (const loss of [losses.infonce(), losses.cosent(), losses.triplet()]) {
			const whole = make(loss);
			expect(Number.isFinite(await numberOf(whole, drawn(whole)))).toBe(true);
		}
	});
});
