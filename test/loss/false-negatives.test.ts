// Masks, clamping, hardness and several positives in the in-batch loss: sentence-transformers' values,
// rules told from texts and ids pair by pair, and their meaning in float64.

import {readFileSync} from 'node:fs';
import {describe, expect, test} from 'vitest';
import {type InfoNceOptions, infoNce} from '../../dist/loss/infonce.js';
import {expectGradients} from '../support/differences.js';
import {evaluated} from '../support/evaluated-loss.js';
import {batch, type Row, rows} from '../support/known-batch.js';
import {grid, type Matrix, matrixOf, normals, randomMatrix} from '../support/matrix.js';
import {type LossCase, plainGradients, plainLoss} from '../support/plain-loss.js';
import {expectClose} from '../support/tolerance.js';

type StoredMatrix = {rows: number; width: number; data: number[]};
type Stored = {
	columns: StoredMatrix[];
	guides: StoredMatrix[];
	cases: {
		negatives: number;
		options: InfoNceOptions;
		guided: boolean;
		value: number;
		gradients: number[][];
	}[];
};

const stored = JSON.parse(
	readFileSync(new URL('../fixtures/loss/masked.json', import.meta.url), 'utf8'),
) as Stored;
const matrices = (all: StoredMatrix[]) =>
	all.map(({rows, width, data}) => matrixOf(rows, width, at => Math.fround(data[at]!)));
const [columns, guides] = [matrices(stored.columns), matrices(stored.guides)];
const cases = stored.cases.map(one => {
	const title = Object.entries(one.options).flat(2).join(' ');
	return [`${title}, ${one.negatives} negatives`, one] as const;
});

/** The value and every gradient of a loss are what they mean. */
async function expectRight(options: InfoNceOptions, given: LossCase, scale = 1): Promise<void> {
	const loss = infoNce({temperature: 0.25, ...options});
	const {value, gradients, reports} = await evaluated(loss, given);
	const plain = plainLoss(loss, given);
	expectClose(
		value,
		round => matrixOf(1, 1, () => plainLoss(loss, given, undefined, round).value),
		{scale: 4 * scale},
	);
	expectGradients(gradients, plainGradients(loss, given), scale);
	for (const [name, report] of plain.reports) expect(reports[name], name).toBeCloseTo(report, 4);
}

test.each(cases)('is that of sentence-transformers: %s', async (_, one) => {
	const count = 2 + one.negatives;
	const given = {
		columns: columns.slice(0, count),
		...(one.guided && {guide: guides.slice(0, count)}),
	};
	const loss = infoNce(one.options);
	expect(Math.abs(plainLoss(loss, given).value - one.value)).toBeLessThan(1e-6);
	const {value, gradients} = await evaluated(loss, given);
	expect(value.values[0]).toBeCloseTo(one.value, 5);
	const expected = one.gradients.map((values, n) =>
		matrixOf(given.columns[n]!.rows, given.columns[n]!.columns, at => values[at]!),
	);
	expectGradients(gradients, expected, 1);
});

/** What the teacher says of each negative, and of the positive of its row. */
const taught = (() => {
	let at = 0;
	return rows.flatMap(({negatives}) => {
		const [near, ...scores] = batch.scores!.subarray(at, at + 1 + negatives.length);
		at += 1 + negatives.length;
		return scores.map(score => ({near: near!, score}));
	});
})();

/** A column that is met: its text and the row it belongs to; hard negatives are no row's positive. */
type Met = {text: string; of: Row; isQuery: boolean; isHard: boolean; vector: Float64Array};

const vectorsOf = ({values, columns: width}: Matrix) => {
	const unit = (x: Float64Array) => x.map(value => value / Math.hypot(...x));
	return Array.from({length: values.length / width}, (_, n) =>
		unit(values.slice(n * width, (n + 1) * width)),
	);
};
const [queryVectors, positiveVectors, negativeVectors] = batch.columns.map(vectorsOf);
const queries = rows.map(
	(of, n): Met => ({
		text: of.query,
		of,
		isQuery: true,
		isHard: false,
		vector: queryVectors![n]!,
	}),
);
const documents = rows
	.map(
		(of, n): Met => ({
			text: of.positive,
			of,
			isQuery: false,
			isHard: false,
			vector: positiveVectors![n]!,
		}),
	)
	.concat(
		rows
			.flatMap(of => of.negatives.map(text => ({text, of})))
			.map((one, n): Met => ({...one, isQuery: false, isHard: true, vector: negativeVectors![n]!})),
	);

const documentOf = ({of, text, isHard}: Met) => (isHard ? text : of.document!);
const positivesOf = (row: Row) => row.positives ?? [row.document!];
const cosine = (a: Met, b: Met) => a.vector.reduce((sum, x, k) => sum + x * b.vector[k]!, 0);

const tests: Record<string, (row: Row, n: number, column: Met, score: number) => boolean> = {
	'same-text': (row, _, {text}) => text === row.query || text === row.positive,
	'same-query': (row, _, {of, isHard}) => !isHard && (of.id ?? of.query) === (row.id ?? row.query),
	known: (row, _, column) =>
		column.isQuery
			? positivesOf(column.of).includes(row.document!)
			: positivesOf(row).includes(documentOf(column)),
	teacher: (row, _, column) => {
		const {near, score} = taught[documents.indexOf(column) - rows.length] ?? {near: 0, score: 0};
		return column.isHard && column.of === row && score > near - 0.05;
	},
	'other-set': (row, _, {of}) => of.set !== row.set,
	margin: (_, n, __, score) => score > cosine(queries[n]!, documents[n]!) - 0.05,
};

/** The loss of one direction and what each rule removes, pair by pair. */
function told(direction: string, mask: readonly string[]) {
	const removed = new Map(mask.map(rule => [rule, 0]));
	const losses = rows.map((row, n) => {
		const from = direction[0] === 'q' ? queries[n]! : documents[n]!;
		const own = cosine(queries[n]!, documents[n]!) / 0.25;
		const met = (direction[1] === 'q' ? queries : documents).filter(
			({of, isHard}) => of !== row || (isHard && direction === 'qd'),
		);
		const kept = met.filter(column => {
			const score = cosine(from, column);
			const rule = mask.find(each => tests[each]!(row, n, column, score));
			if (rule) removed.set(rule, removed.get(rule)! + 1);
			return rule === undefined;
		});
		const powers = kept.map(column => Math.exp(cosine(from, column) / 0.25 - own));
		return Math.log(powers.reduce((a, b) => a + b, 1));
	});
	return {value: losses.reduce((a, b) => a + b) / rows.length, removed};
}

describe('rules that find false negatives', () => {
	const every = ['same-text', 'same-query', 'known', 'teacher', 'other-set', 'margin'] as const;
	const masks = [...every.map(rule => [rule]), [...every], ['known', 'margin'] as const];

	test.each(grid({direction: ['qd', 'dq', 'qq', 'dd'] as const, mask: masks}))(
		'remove what they say: $mask, $direction',
		async ({direction, mask: all}) => {
			const mask = all.filter(rule => rule !== 'teacher' || direction === 'qd');
			const options = {directions: [direction], mask, temperature: 0.25};
			const {value, removed} = told(direction, mask);
			const {value: found, reports} = await evaluated(infoNce(options), batch);
			expect(found.values[0]).toBeCloseTo(value, 4);
			for (const [rule, count] of removed) expect(reports[`masked.${rule}`], rule).toBe(count);
			await expectRight(options, batch);
		},
	);

	test('find something for every rule', () => {
		const {removed} = told('qd', every);
		expect([...removed.values()].every(count => count > 0)).toBe(true);
	});

	test('compare a teacher’s scores by a share of the positive’s too', async () => {
		const near = batch.scores![0]!;
		const removedAt = async (maskRelative: number) => {
			const loss = infoNce({mask: ['teacher'], maskRelative});
			return (await evaluated(loss, batch)).reports['masked.teacher'];
		};
		const removed = (share: number) =>
			taught.filter(({near, score}) => score > near * Math.fround(share)).length;
		expect(near).toBe(0.5);
		expect(await removedAt(0.99)).toBe(removed(0.99));
		expect(await removedAt(0.5)).toBe(removed(0.5));
		expect(removed(0.5)).toBeGreaterThan(removed(0.99));
	});

	test('leave a query whose candidates are all removed with its own positive and no loss', async () => {
		const given = {columns: [columns[0]!, columns[1]!], known: undefined};
		const loss = infoNce({mask: ['margin'], maskMargin: 5});
		const {value, gradients, reports} = await evaluated(loss, {columns: given.columns});
		expect(value.values[0]).toBe(0);
		expect(gradients.every(({values}) => values.every(x => x === 0))).toBe(true);
		expect(reports).toMatchObject({'masked.margin': 30, candidates: 1});
	});

	test('have the same bits for any number of threads', async () => {
		const loss = infoNce({mask: every, directions: ['qd', 'dq'], learnTemperature: true});
		expect(await evaluated(loss, batch, 2)).toEqual(await evaluated(loss, batch, 1));
	});

	test.each([
		[{mask: ['known']}, 'what is known of the rows'],
		[{mask: ['guide']}, "a guide's vectors of each column"],
		[{mask: ['teacher']}, '6 scores of a teacher'],
	] as const)('are refused where they lack what they need: %j', async (options, message) => {
		const call = evaluated(infoNce(options), {columns: batch.columns.slice(0, 2)});
		await expect(call).rejects.toThrow(message);
	});
});

describe('scores that are bent', () => {
	test.each([
		{clamp: [-0.3, 0.4]},
		{clamp: [-0.3, 0.4], learnTemperature: true, labelSmoothing: 0.1},
		{hardness: 2, hardnessOf: 'all', labelSmoothing: 0.1, directions: ['qd', 'qq']},
		{mask: ['margin'], maskRelative: 0.9, similarity: 'dot', temperature: 2},
	] as const satisfies InfoNceOptions[])('have the gradient of: %j', async options => {
		const fixed = 'hardness' in options;
		await (fixed ? expectHard(options) : expectRight(options, batch, 2));
	});

	/** What hardness adds is a constant: the gradient is that of what it adds to, at the same shares. */
	async function expectHard(options: InfoNceOptions): Promise<void> {
		const loss = infoNce({temperature: 0.25, ...options});
		const {value} = await evaluated(loss, batch);
		expectClose(
			value,
			round => matrixOf(1, 1, () => plainLoss(loss, batch, undefined, round).value),
			{scale: 12},
		);
	}
});

describe('several positives of a query', () => {
	const random = normals(6);
	const offsets = Int32Array.of(0, 1, 3, 4, 7);
	const [query, positive, negative] = [4, 7, 4].map(count => randomMatrix(count, 5, random));
	const given: LossCase = {
		columns: [query!, positive!, negative!],
		offsets: [undefined, offsets],
	};

	test.each(
		grid({
			positives: ['mean', 'logSum'] as const,
			directions: [['qd'], ['qd', 'qq']] as const,
			partition: ['joint', 'separate'] as const,
		}),
	)('are sought together: %j', options => expectRight(options, given));

	test('are each as likely as asked of their mean of −log p, or together', async () => {
		const scores = vectorsOf(query!).map(q =>
			[...vectorsOf(positive!), ...vectorsOf(negative!)].map(
				d => q.reduce((sum, x, k) => sum + x * d[k]!, 0) / 0.25,
			),
		);
		const shares = scores.map((row, n) => {
			const all = row.reduce((sum, s) => sum + Math.exp(s), 0);
			return row.slice(offsets[n], offsets[n + 1]).map(s => Math.exp(s) / all);
		});
		const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
		const each = mean(shares.map(own => -mean(own.map(Math.log))));
		const together = mean(shares.map(own => -Math.log(own.reduce((a, b) => a + b))));
		const value = async (positives: 'mean' | 'logSum') =>
			(await evaluated(infoNce({temperature: 0.25, positives}), given)).value.values[0];
		expect(await value('mean')).toBeCloseTo(each, 5);
		expect(await value('logSum')).toBeCloseTo(together, 5);
	});

	test.each([
		[{directions: ['dq']}, given, 'one positive for each query, as the directions dq and dd need'],
		[
			{},
			{...given, offsets: [undefined, Int32Array.of(0, 3, 3, 4, 7)]},
			'at least one positive for each query',
		],
	] as const)('are refused where they cannot be: %#', async (options, wrong, message) => {
		await expect(evaluated(infoNce(options), wrong)).rejects.toThrow(message);
	});
});

describe('wrong use', () => {
	test.each([
		[{mask: ['samequery']}, 'OPTION_RANGE', 'each of mask to be', 'got "samequery"'],
		[{mask: 'known'}, 'OPTION_TYPE', 'mask to be an array'],
		[{maskMargin: 0.1, maskRelative: 0.9}, 'OPTION_CONFLICT', 'one of maskMargin and maskRelative'],
		[{maskMargin: 0.1}, 'OPTION_CONFLICT', 'maskMargin beside a mask among margin, guide, teacher'],
		[{mask: ['known'], maskRelative: 0.9}, 'OPTION_CONFLICT', 'maskRelative beside a mask among'],
		[{hardnessOf: 'all'}, 'OPTION_CONFLICT', 'hardnessOf beside a hardness above 0'],
		[{maskRelative: 1.5}, 'OPTION_RANGE', 'maskRelative above 0 and at most 1, got 1.5'],
		[{clamp: [1, -1]}, 'OPTION_RANGE', 'clamp to be two rising numbers, such as -1,1, got [1,-1]'],
		[{hardness: -1}, 'OPTION_RANGE', 'hardness of at least 0, got -1'],
		[{hardness: 2, directions: ['dq']}, 'OPTION_CONFLICT', 'hardness with direction qd'],
		[{queue: 2.5}, 'OPTION_RANGE', 'queue, a whole number'],
		[{queue: 8, candidates: ['ownHard']}, 'OPTION_CONFLICT', 'a queue with direction qd'],
		[{queue: 8, mask: ['guide']}, 'OPTION_CONFLICT', 'a queue without the mask guide'],
		[{mask: ['teacher'], candidates: ['otherHard']}, 'OPTION_CONFLICT', 'candidates ownHard'],
		[{mask: ['teacher'], directions: ['dq']}, 'OPTION_CONFLICT', 'direction qd'],
		[{positives: 'sum'}, 'OPTION_RANGE', 'positives to be mean or logSum'],
	])('refuses %j', (options, code, message) => {
		const make = () => infoNce(options as InfoNceOptions);
		expect(make).toThrow(message);
		expect(make).toThrow(expect.objectContaining({code}));
	});
});
