// Options and inputs of losses: what is refused, and with which sentence.

import {describe, expect, test} from 'vitest';
import * as api from '../../dist/index.js';
import {evaluateLoss, type PlainInputs} from '../../dist/loss/evaluate.js';
import {type LossName, losses} from '../../dist/loss/index.js';
import type {Loss} from '../../dist/loss/loss.js';
import {matryoshka} from '../../dist/loss/matryoshka.js';

const names = Object.keys(losses) as LossName[];
const make = (name: LossName, options: object = {}) =>
	(losses[name] as (options: object) => Loss)(options);

test.each(names)('%s is a public function whose name, in small letters, is its own', name => {
	const found = Object.entries(api).find(([, value]) => value === losses[name]);
	expect(found?.[0].toLowerCase()).toBe(name);
	expect(make(name).name).toBe(name);
	expect(Object.keys(make(name).options ?? {})).not.toEqual([]);
});

test.each(names)('%s refuses an option that it has not', name => {
	expect(() => make(name, {nonsense: 1})).toThrow(`${name}: expected options among`);
	expect(() => make(name, {nonsense: 1})).toThrow(
		expect.objectContaining({code: 'OPTION_UNKNOWN'}),
	);
});

test.each(names)('%s says that an option is of the wrong type', name => {
	for (const option of Object.keys(make(name).options ?? {})) {
		const code = expect.stringMatching(/^OPTION_(?:TYPE|RANGE|CONFLICT)$/);
		expect(() => make(name, {[option]: {}}), option).toThrow(expect.objectContaining({code}));
	}
});

test.each([
	['triplet', {margin: -1}, 'OPTION_RANGE', 'margin of at least 0, got -1'],
	['triplet', {margin: Number.NaN}, 'OPTION_RANGE', 'got NaN'],
	['triplet', {form: 'manhattan'}, 'OPTION_RANGE', 'form to be cosine or euclidean or logSigmoid'],
	['triplet', {temperature: 0.1}, 'OPTION_CONFLICT', 'temperature with the form logSigmoid'],
	['hinge', {negatives: 'none'}, 'OPTION_RANGE', 'negatives to be own or hard or all'],
	['logistic', {temperature: 0}, 'OPTION_RANGE', 'temperature above 0, got 0'],
	['cosent', {scale: 20, temperature: 0.05}, 'OPTION_CONFLICT', 'scale or temperature, got both'],
	['angle', {scale: Infinity}, 'OPTION_RANGE', 'got Infinity'],
	['distill', {method: 'stable', teacherTemperature: 2}, 'OPTION_CONFLICT', 'with the method kl'],
	['distill', {distillWeight: 0}, 'OPTION_CONFLICT', 'got both 0'],
	[
		'distillvectors',
		{widths: 1.5},
		'OPTION_RANGE',
		'each of widths, a whole number, of at least 1',
	],
	['arcface', {classes: 1}, 'OPTION_RANGE', 'classes, a whole number, of at least 2, got 1'],
	['arcface', {margin: [0.1, 2]}, 'OPTION_RANGE', 'each of margin of at least 0 and below 1.57'],
	['arcface', {margin: []}, 'LOSS_INVALID', 'at least one margin, got none'],
	['softmax', {gamma: 1}, 'OPTION_CONFLICT', 'gamma with the form focal, got it with crossEntropy'],
	['softmax', {form: 'dice', labelSmoothing: 0.1}, 'OPTION_CONFLICT', 'labelSmoothing with'],
] as const)('%s refuses %j', (name, options, code, message) => {
	expect(() => make(name, options)).toThrow(message);
	expect(() => make(name, options)).toThrow(expect.objectContaining({code}));
});

test('a scale may be given as the temperature that it is one over', () => {
	expect(make('cosent', {temperature: 0.05}).options).toEqual({scale: 20});
	expect(make('angle', {temperature: 0.1}).options).toEqual({scale: 10});
});

describe('inputs that do not fit', () => {
	const column = (rows: number, width = 4) => ({
		data: Float32Array.from({length: rows * width}, (_, n) => Math.sin(n + 1)),
		rows,
		width,
	});
	const pairs = [column(2), column(2)];
	const triplets = [...pairs, column(2)];
	const numbers = (...values: number[]) => Float32Array.from(values);

	test.each([
		['triplet', pairs, {}, 'expected hard negatives, got none; mine some'],
		['hinge', triplets.slice(0, 1), {}, 'at least 2 columns'],
		['contrastive', pairs, {}, 'labels of 0 or 1, or hard negatives, got neither'],
		['contrastive', pairs, {labels: numbers(1, 2)}, 'labels of 0 or 1, got 2'],
		['marginranking', triplets, {labels: numbers(1, 0)}, 'labels of 1 or −1, got 0'],
		['cosent', triplets, {scores: numbers(1, 0)}, 'expected 2 columns'],
		['cosent', pairs, {}, '2 scores, one for each row, got none'],
		['pearson', pairs, {scores: numbers(1)}, '2 scores, one for each row, got 1'],
		['angle', [column(2, 3), column(2, 3)], {scores: numbers(1, 2)}, 'of an even width, got 3'],
		['marginmse', triplets, {scores: numbers(1)}, '4 scores of a teacher, or 2 margins, got 1'],
		['klonscores', triplets, {scores: numbers(1, 2)}, '4 scores of a teacher'],
		['distill', triplets, {}, '4 scores of a teacher'],
		['distillvectors', [column(2)], {}, '2 vectors of a teacher, one for each text, got none'],
		['distillvectors', [column(2)], {teacher: column(2, 5)}, 'of 4 columns, as the embeddings'],
		['arcface', [column(2)], {labels: numbers(0, 2)}, 'whole numbers from 0 to 1, got 2'],
		['softmax', [column(2)], {}, '2 labels, one for each row, got none'],
		['arcface', pairs, {labels: numbers(0, 1)}, 'expected 1 columns'],
	] as const)('%s: %#', async (name, columns, given, message) => {
		const call = evaluateLoss(make(name), {columns, ...given} as PlainInputs);
		await expect(call).rejects.toThrow(message);
		await expect(call).rejects.toMatchObject({code: 'LOSS_INVALID'});
	});

	test('a parameter of another shape', async () => {
		const given = {columns: [column(2)], labels: numbers(0, 1), parameters: {weight: numbers(1)}};
		await expect(evaluateLoss(losses.arcface(), given)).rejects.toThrow(
			'parameter weight of 2 x 4 elements, got 1',
		);
	});
});

test('scores that are all equal leave no order and no correlation', async () => {
	const columns = [0, 1].map(shift => ({
		data: Float32Array.from({length: 12}, (_, n) => Math.cos(n + shift)),
		rows: 3,
		width: 4,
	}));
	const scores = new Float32Array(3).fill(0.5);
	const order = await evaluateLoss(losses.cosent(), {columns, scores});
	expect([order.value, ...order.gradients[0]!].map(Math.abs)).toEqual(new Array(13).fill(0));
	const correlation = await evaluateLoss(losses.pearson(), {columns, scores});
	const slopes = [...correlation.gradients[0]!].map(Math.abs);
	expect([correlation.value, ...slopes]).toEqual([1, ...new Array(12).fill(0)]);
});

test.each([
	[losses.infonce(), {widths: []}, 'OPTION_RANGE', 'widths, each once, got none'],
	[losses.infonce(), {widths: [4, 4]}, 'OPTION_RANGE', 'widths, each once, got 4, 4'],
	[losses.infonce(), {widths: [4, 0]}, 'OPTION_RANGE', 'each of widths, a whole number'],
	[losses.infonce(), {widths: [4, 2], weights: [1]}, 'OPTION_RANGE', '2 weights, one for each'],
	[losses.infonce(), {widths: 4, weights: -1}, 'OPTION_RANGE', 'each of weights of at least 0'],
	[losses.infonce(), {widths: 4, reduce: 'max'}, 'OPTION_RANGE', 'reduce to be sum or mean'],
	[losses.infonce(), {widths: 4, renormalise: true}, 'OPTION_UNKNOWN', 'got renormalise'],
	[losses.distillvectors(), {widths: 4}, 'OPTION_CONFLICT', 'got distillvectors, use its widths'],
	[
		Object.assign(() => losses.infonce(), {
			parameters: [
				{name: 'odd', value: 0, shape: (width: number) => ({rows: 1, columns: width + 1})},
			],
		}),
		...([{widths: 4}, 'OPTION_CONFLICT', 'or several times, got odd'] as const),
	],
	['infonce', {widths: 4}, 'LOSS_INVALID', 'a loss that it is made of, got a string'],
])('matryoshka of %o with %j is refused', (loss, options, code, message) => {
	expect(() => matryoshka(loss as Loss, options as Parameters<typeof matryoshka>[1])).toThrow(
		expect.objectContaining({code, message: expect.stringContaining(message)}),
	);
});
