// What a loss needs of the data is asked of every record before training: refusals by place and field.

import {readdirSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {parseRecord} from '../../dist/data/record.js';
import type {RowTexts} from '../../dist/data/rows.js';
import {type LossName, losses} from '../../dist/loss/index.js';
import {defineLoss, type Loss, type LossNeeds} from '../../dist/loss/loss.js';
import {factsOf, needsCheck} from '../../dist/train/needs.js';
import {train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {lines, loadTiny, quick} from './tiny.js';

const {folder, put} = temporaryFolder();
const make = (name: LossName, options = {}) => (losses[name] as (options: object) => Loss)(options);

/** What the check of a loss says of records, one after another. */
function asked(loss: Loss, records: object[], rule: Partial<typeof everything> = {}): void {
	const check = needsCheck(loss, {...everything, ...rule});
	for (const [n, record] of records.entries()) {
		const where = `a.jsonl:${n + 1}`;
		check?.(parseRecord(record, where).record, where);
	}
}

const everything: {negatives: number | 'all'; onShortage: 'fewer' | 'drop' | 'tile'} = {
	negatives: 'all',
	onShortage: 'fewer',
};
const pair = {query: 'q', pos: 'p'};
const triplet = {...pair, neg: ['n']};
const two = {...pair, neg: ['n', 'm']};

describe('refused', () => {
	test.each([
		['triplet', {}, pair, 'a "negative", as the loss triplet needs, got none; mine some'],
		['cosent', {}, {...triplet, score: 1}, 'no "negative", .* got 1; use --negatives 0'],
		['cosent', {}, pair, 'a "score" that is a number, as the loss cosent needs, got none'],
		['bce', {}, {...pair, score: 1.5}, 'a "score" that is a number from 0 to 1, .* got 1.5'],
		['bce', {}, {...pair, label: -1}, 'a "score" that is a number from 0 to 1, .* got -1'],
		[
			'cosineregression',
			{},
			{...pair, score: 4},
			'a "score" that is a number from -1 to 1, .* got 4',
		],
		['contrastive', {}, pair, 'a "label" of 0 or 1, as the loss contrastive needs, got none'],
		['circle', {}, {...pair, label: 2}, 'a "label" of 0 or 1, .* got 2'],
		['marginranking', {}, {...triplet, label: 0}, 'a "label" of 1 or -1, .* got 0'],
		['marginmse', {}, triplet, '"teacher_scores" of the positives and negatives, .* got none'],
		['marginmse', {}, {...triplet, scores: [1]}, '"teacher_scores" .* none, or not of all'],
		['marginmse', {teacher: 'margins'}, {...two, score: 1}, 'one "negative", .* got 2; use --n'],
		[
			'klonscores',
			{},
			{...two, teacher_scores: [1, 2]},
			'3 numbers in "teacher_scores", .*, got 2',
		],
		['klonscores', {group: 'batch'}, pair, 'a "score" that is a number'],
	] as const)('by %s %j: %j', (name, options, record, message) => {
		const ask = () => asked(make(name, options), [record]);
		expect(ask).toThrow(new RegExp(`^a.jsonl:1: expected ${message}`));
		expect(ask).toThrow(expect.objectContaining({code: 'DATA_ROW'}));
	});

	test('labels of some records only', () => {
		const ask = () => asked(make('marginranking'), [{...triplet, label: 1}, triplet]);
		expect(ask).toThrow('a.jsonl:2: expected a "label" in all records or in none');
	});

	test('a text alone without its label', () => {
		const needs: LossNeeds = {row: 'text', label: {from: 0, to: 2, whole: true}};
		const loss = defineLoss('kinds', {needs}, (ops, {columns: [text]}) => ops.mean(text!));
		const text = {query: 'a', positives: [], negatives: []};
		const check = needsCheck(loss, everything)!;
		expect(() => check({...text, label: 1.5}, 'a.jsonl:1')).toThrow(
			'expected a "label" that is a whole number from 0 to 2, as the loss kinds needs, got 1.5',
		);
		expect(() => check({...text, label: 2}, 'a.jsonl:1')).not.toThrow();
	});

	test('by train() with the lines that are wrong, before anything is written', async () => {
		const before = readdirSync(folder);
		const rows = [{...pair, score: 1}, pair, {...pair, score: 'high'}];
		const data = put('scored.jsonl', lines(rows));
		const asked = {...quick, data, loss: make('cosent'), output: join(folder, 'out')};
		await expect(train(await loadTiny(), asked)).rejects.toMatchObject({
			code: 'DATA_ROW',
			message: expect.stringMatching(
				/scored\.jsonl:2: expected a "score" .*2 bad lines in all, also .*scored\.jsonl:3: /,
			),
		});
		expect(readdirSync(folder)).toEqual([...before, 'scored.jsonl'].sort());
	});
});

describe('taken', () => {
	test.each([
		['triplet', triplet, {}],
		['triplet', pair, {negatives: 1, onShortage: 'drop'}],
		['cosent', {...triplet, score: 3}, {negatives: 0}],
		['cosent', {...pair, label: 3}, {}],
		['cosent', {...pair, scores: [3]}, {}],
		['contrastive', {...pair, label: 0}, {}],
		['contrastive', triplet, {}],
		['marginranking', triplet, {}],
		['marginmse', {...two, teacher_scores: [3, 2, 1]}, {}],
		['klonscores', {...two, pos_scores: [3], neg_scores: [2, 1]}, {negatives: 1}],
		['klonscores', {...triplet, teacher_scores: [3, 1]}, {negatives: 4, onShortage: 'tile'}],
	] as const)('by %s: %j, %j', (name, record, rule) => {
		expect(() => asked(make(name), [record], rule)).not.toThrow();
	});
});

describe('the numbers of a batch', () => {
	const rows: RowTexts[] = [
		{query: 'a', positive: 'b', negatives: ['c', 'd'], score: 5, negativeScores: [1, 2], label: 1},
		{query: 'e', positive: 'f', negatives: [], score: 6, label: 0},
	];

	test('are one label and one score for each row', () => {
		expect(factsOf(rows)).toEqual({labels: Float32Array.of(1, 0), scores: Float32Array.of(5, 6)});
	});

	test('are scores of each row’s documents for a loss that needs them', () => {
		const {scores} = factsOf(rows, {scores: {of: 'candidates'}});
		expect(scores).toEqual(Float32Array.of(5, 1, 2, 6));
	});

	test('are labels where a loss needs scores that a row has not', () => {
		const mixed: RowTexts[] = [
			{query: 'a', positive: 'b', negatives: [], label: 3},
			{query: 'c', positive: 'd', negatives: [], score: 4, label: 1},
		];
		expect(factsOf(mixed, {scores: {of: 'row'}}).scores).toEqual(Float32Array.of(3, 4));
		expect(factsOf(mixed).scores).toBeUndefined();
	});

	test('are left out where a row has none', () => {
		expect(factsOf([rows[0]!, {query: 'g', positive: 'h', negatives: []}])).toEqual({});
	});
});

describe('rows of a loss that meets no texts of other rows', () => {
	const data = [1, 2, 3, 4].map(score => ({query: 'the same', pos: 'union', score: score / 4}));

	test('may be alone', async () => {
		const asked = {...quick, data, loss: make('mse'), batchSize: 1};
		expect(await train(await loadTiny(), asked)).toMatchObject({steps: 4, rows: 4});
	});

	test.each(['shuffle', 'file'] as const)('may repeat texts, in the order %s', async order => {
		const asked = {...quick, data, loss: make('cosent'), order};
		expect(await train(await loadTiny(), asked)).toMatchObject({steps: 1, rows: 4});
	});

	test('are left out alone where they are compared with each other', async () => {
		const asked = {...quick, data, loss: make('cosent'), batchSize: 3};
		expect(await train(await loadTiny(), asked)).toMatchObject({steps: 1, rows: 3});
	});
});
