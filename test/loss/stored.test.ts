// Losses against values and gradients of torch and sentence-transformers.

import {readFileSync} from 'node:fs';
import {expect, test} from 'vitest';
import {evaluateLoss} from '../../dist/loss/evaluate.js';
import {type LossName, losses} from '../../dist/loss/index.js';
import type {Loss} from '../../dist/loss/loss.js';
import {expectGradients, gradientUnits} from '../support/differences.js';
import {matrixOf} from '../support/matrix.js';

type Plain = {rows: number; width: number; data: number[]};

type Stored = {
	columns: Plain[];
	cases: {
		loss: LossName;
		options: object;
		columns: number[];
		offsets: number[] | null;
		labels?: number[];
		scores?: number[];
		teacher?: Plain;
		epoch?: number;
		parameters: Record<string, number[]>;
		value: number;
		gradients: number[][];
	}[];
};

const stored = JSON.parse(
	readFileSync(new URL('../fixtures/loss/losses.json', import.meta.url), 'utf8'),
) as Stored;

const cases = stored.cases.map(one => {
	const facts = [one.labels && 'labels', one.scores && 'scores', one.offsets && 'ragged'];
	const said = [JSON.stringify(one.options), ...facts.filter(Boolean)].join(', ');
	return [`${one.loss} with ${said}`, one] as const;
});

const floats = (values: number[] | undefined) => values && Float32Array.from(values);
const plain = ({rows, width, data}: Plain) => ({rows, width, data: Float32Array.from(data)});

test.each(cases)('%s', async (_, {loss: name, options, ...one}) => {
	const loss = (losses[name] as (options: object) => Loss)(options);
	const {offsets, labels, scores, teacher, parameters, ...rest} = one;
	const inputs = {
		...rest,
		columns: one.columns.map((n, place) => ({
			...plain(stored.columns[n]!),
			...(offsets && place === 2 && {offsets}),
		})),
		...(labels && {labels: floats(labels)!}),
		...(scores && {scores: floats(scores)!}),
		...(teacher && {teacher: plain(teacher)}),
		parameters: Object.fromEntries(
			Object.entries(parameters).map(([key, values]) => [key, Float32Array.from(values)]),
		),
	};
	const {value, gradients, parameterGradients} = await evaluateLoss(loss, inputs, {threads: 2});
	const size = Math.max(1, Math.abs(one.value));
	expect(Math.abs(value - one.value) / size).toBeLessThan(gradientUnits * 2 ** -23);
	const learned = Object.keys(parameters).map(key =>
		[parameterGradients[key]!].flatMap(each => (typeof each === 'number' ? [each] : [...each])),
	);
	const matrices = [...gradients, ...learned].map(values =>
		matrixOf(1, values.length, at => values[at]!),
	);
	expectGradients(
		matrices,
		one.gradients.map(values => matrixOf(1, values.length, at => values[at]!)),
		1,
	);
});

test('every loss but the in-batch families has stored values', () => {
	const known = new Set(stored.cases.map(one => one.loss));
	expect(Object.keys(losses).filter(name => !known.has(name as LossName))).toEqual([
		'infonce',
		'simcse',
		'ntxent',
		'lateinteraction',
	]);
});
