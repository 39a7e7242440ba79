// The in-batch family: golden values, sentence-transformers' own, and its meaning in float64.

import {readFileSync} from 'node:fs';
import {describe, expect, test} from 'vitest';
import {type InfoNceOptions, infoNce} from '../../dist/loss/infonce.js';
import {ntXent} from '../../dist/loss/nt-xent.js';
import {simCse} from '../../dist/loss/simcse.js';
import {expectGradients, gradientUnits} from '../support/differences.js';
import {evaluated} from '../support/evaluated-loss.js';
import {grid, type Matrix, matrixOf, normals, randomMatrix} from '../support/matrix.js';
import {errorAlong, type LossCase, plainGradients, plainLoss} from '../support/plain-loss.js';
import {expectClose} from '../support/tolerance.js';

type Stored = {
	columns: {rows: number; width: number; data: number[]}[];
	cases: {
		negatives: number;
		options: InfoNceOptions;
		value: number;
		candidates: number;
		gradients?: number[][];
	}[];
};

const stored = JSON.parse(
	readFileSync(new URL('../fixtures/loss/infonce.json', import.meta.url), 'utf8'),
) as Stored;
const matrices = stored.columns.map(({rows, width, data}) =>
	matrixOf(rows, width, index => Math.fround(data[index]!)),
);
const cases = stored.cases.map(one => {
	const title = Object.values(one.options).flat().join(' ');
	return [`${title}, ${one.negatives} negatives`, one] as const;
});

const rowsOf = (...rows: number[][]): Matrix =>
	matrixOf(rows.length, rows[0]!.length, index => rows.flat()[index]!);
const golden = {
	columns: [
		rowsOf([1, 2, 0, 1], [0, 1, 2, -1]),
		rowsOf([1, 1, 0, 1], [0, 1, 1, 0]),
		rowsOf([1, -1, 1, 0], [1, 1, 1, 1]),
	],
};
const pairs = {columns: golden.columns.slice(0, 2)};

/** The value and every gradient of a loss are what they mean. */
async function expectRight(options: InfoNceOptions, given: LossCase): Promise<void> {
	const loss = infoNce(options);
	const {value, gradients} = await evaluated(loss, given);
	const longest = options.similarity === 'dot' ? given.columns[0]!.columns : 1;
	const scale = longest / (options.temperature ?? 0.05);
	expectClose(
		value,
		round => matrixOf(1, 1, () => plainLoss(loss, given, undefined, round).value),
		{scale},
	);
	expectGradients(gradients, plainGradients(loss, given), 1);
}

describe('golden values', () => {
	const all = ['inBatchPositives', 'ownHard', 'otherHard'] as const;

	test.each([
		['pairs in the batch', pairs, {}, 0.012858],
		['both directions', pairs, {directions: ['qd', 'dq']}, 0.020014],
		['all documents of the batch', golden, {}, 0.140601],
		['the same, smoothed', golden, {labelSmoothing: 0.05}, 0.367126],
		['own negatives', golden, {candidates: ['ownHard']}, 0.005116],
		['others’ positives and own negatives', golden, {candidates: all.slice(0, 2)}, 0.017974],
		['all negatives', golden, {candidates: all.slice(1)}, 0.130531],
	] as const)('%s', async (_, given, options, expected) => {
		const loss = infoNce({temperature: 0.1, ...options});
		expect(plainLoss(loss, given).value).toBeCloseTo(expected, 6);
		expect((await evaluated(loss, given)).value.values[0]).toBeCloseTo(expected, 5);
	});
});

describe('stored values', () => {
	test.each(cases)('of %s', async (_, one) => {
		const given = {columns: matrices.slice(0, 2 + one.negatives)};
		const {value, reports} = plainLoss(infoNce(one.options), given);
		expect(Math.abs(value - one.value)).toBeLessThan(1e-9);
		expect(reports.get('candidates')).toBeCloseTo(one.candidates, 9);
		expect(reports.get('temperature')).toBe(one.options.temperature);
		await expectRight(one.options, given);
	});

	test.each(cases.filter(([, {gradients}]) => gradients))(
		'and gradients of sentence-transformers of %s',
		async (_, {negatives, options, gradients}) => {
			const given = {columns: matrices.slice(0, 2 + negatives)};
			const got = await evaluated(infoNce(options), given);
			const expected = gradients!.map((values, n) =>
				matrixOf(given.columns[n]!.rows, given.columns[n]!.columns, at => values[at]!),
			);
			expectGradients(got.gradients, expected, 1);
		},
	);
});

describe('its meaning', () => {
	const random = normals(17);
	const drawn = (rows: number, columns: number) => randomMatrix(rows, columns, random);
	const ragged = {
		columns: [drawn(6, 5), drawn(6, 5), drawn(8, 5), drawn(6, 5)],
		offsets: [undefined, undefined, Int32Array.of(0, 3, 3, 4, 4, 8, 8)],
	};

	test.each(
		grid({
			directions: [['qd'], ['qd', 'dq', 'qq', 'dd'], ['dd']] as const,
			partition: ['separate', 'joint'] as const,
			candidates: [
				['inBatchPositives', 'ownHard', 'otherHard'],
				['inBatchPositives', 'ownHard'],
				['otherHard'],
			] as const,
			labelSmoothing: [0, 0.1],
		}),
	)('holds for ragged negatives: %j', async options => {
		await expectRight({temperature: 0.2, learnTemperature: true, ...options}, ragged);
	});

	test.each(
		grid({rows: [1, 2, 17, 300], width: [1, 33, 96], similarity: ['cosine', 'dot'] as const}),
	)('holds for $rows rows of $width, by $similarity', async ({rows, width, similarity}) => {
		const loss = infoNce({
			temperature: 0.5,
			learnTemperature: true,
			similarity,
			labelSmoothing: 0.1,
			directions: ['qd', 'dq'],
		});
		const columns = [drawn(rows, width), drawn(rows, width), drawn(rows, width)];
		const {value, gradients} = await evaluated(loss, {columns});
		const scale = similarity === 'dot' ? 4 * Math.sqrt(width) : 2;
		expectClose(
			value,
			round => matrixOf(1, 1, () => plainLoss(loss, {columns}, undefined, round).value),
			{scale},
		);
		const error = errorAlong(loss, {columns}, gradients);
		const size = Math.hypot(...gradients.map(({values}) => Math.hypot(...values)));
		expect(error).toBeLessThanOrEqual(gradientUnits * 2 ** -23 * Math.max(size, scale));
	});

	test('counts 481 documents for 32 queries of 15 negatives without other positives', async () => {
		const columns = [drawn(32, 4), drawn(32, 4), drawn(480, 4)];
		const offsets = [undefined, undefined, Int32Array.from({length: 33}, (_, n) => 15 * n)];
		const loss = infoNce({candidates: ['ownHard', 'otherHard']});
		expect((await evaluated(loss, {columns, offsets})).reports.candidates).toBe(481);
	});

	test('has the same bits for any number of threads', async () => {
		const columns = [drawn(130, 48), drawn(130, 48), drawn(130, 48)];
		const loss = infoNce({learnTemperature: true, directions: ['qd', 'dq', 'qq', 'dd']});
		const alone = await evaluated(loss, {columns}, 1);
		expect(await evaluated(loss, {columns}, 2)).toEqual(alone);
	});

	test('of a row that meets its own positive alone is nothing at all', async () => {
		const {value, gradients} = await evaluated(infoNce(), {columns: [drawn(1, 9), drawn(1, 9)]});
		expect([...value.values, ...gradients.flatMap(({values}) => [...values])]).toEqual(
			new Array(19).fill(0),
		);
	});

	test('is finite where scores are far apart', async () => {
		const columns = [rowsOf([1, 0], [0, 1]), rowsOf([-1, 0], [0, -1])];
		const {value, gradients} = await evaluated(infoNce({temperature: 0.001}), {columns});
		expect(value.values[0]).toBeCloseTo(1000, 2);
		expect(gradients.every(({values}) => values.every(Number.isFinite))).toBe(true);
	});
});

describe('views of the same text', () => {
	const random = normals(23);
	const columns = [randomMatrix(7, 5, random), randomMatrix(7, 5, random)];

	/** By the definition: 2 N unit vectors, of which each meets all others. */
	function plainNtXent(temperature: number): number {
		const views = columns.flatMap(({rows, columns: width, values}) =>
			Array.from({length: rows}, (_, row) => {
				const x = values.slice(row * width, (row + 1) * width);
				return x.map(value => value / Math.hypot(...x));
			}),
		);
		const score = (a: number, b: number) =>
			views[a]!.reduce((sum, x, k) => sum + x * views[b]![k]!, 0) / temperature;
		const terms = views.map((_, a) => {
			const others = views.map((__, b) => (a === b ? 0 : Math.exp(score(a, b))));
			return Math.log(others.reduce((x, y) => x + y)) - score(a, (a + 7) % 14);
		});
		return terms.reduce((x, y) => x + y) / 14;
	}

	test('ntXent lets each of 2 N views meet 2 N − 1', async () => {
		const loss = ntXent({temperature: 0.2});
		expect(plainLoss(loss, {columns}).value).toBeCloseTo(plainNtXent(0.2), 10);
		const {value, reports} = await evaluated(loss, {columns});
		expect(value.values[0]).toBeCloseTo(plainNtXent(0.2), 5);
		expect(reports['candidates']).toBe(13);
	});

	test('simCse is the in-batch loss of texts that stand twice in the batch', async () => {
		const [ours, known] = [simCse({temperature: 0.1}), infoNce({temperature: 0.1})];
		expect(await evaluated(ours, {columns})).toEqual(await evaluated(known, {columns}));
		expect(ours.needs).toMatchObject({row: 'text', views: 2});
		expect(ntXent({row: 'text'}).needs).toMatchObject({row: 'text', views: 2});
	});

	test.each([
		[() => simCse({candidates: ['ownHard']} as object), 'got candidates'],
		[() => ntXent({directions: ['qd']} as object), 'got directions'],
		[() => ntXent({row: 'views'} as object), 'row to be pair or text, got "views"'],
	])('options that are the loss’s own are refused: %#', (make, message) => {
		expect(make).toThrow(message);
	});
});

describe('wrong use', () => {
	test.each([
		[{temperature: 0}, 'OPTION_RANGE', 'expected temperature above 0, got 0'],
		[{temperature: Number.NaN}, 'OPTION_RANGE', 'expected temperature above 0, got NaN'],
		[{temperature: Infinity}, 'OPTION_RANGE', 'got Infinity'],
		[{temperature: '0.1'}, 'OPTION_TYPE', 'expected temperature to be a number, got "0.1"'],
		[{temperature: 1e-4, learnTemperature: true}, 'OPTION_RANGE', 'of at least 0.001, got 0.0001'],
		[{learnTemperature: 1}, 'OPTION_TYPE', 'learnTemperature to be true or false, got 1'],
		[{similarity: 'euclid'}, 'OPTION_RANGE', 'similarity to be cosine or dot, got "euclid"'],
		[{labelSmoothing: 1}, 'OPTION_RANGE', 'labelSmoothing of at least 0 and below 1, got 1'],
		[{labelSmoothing: -0.1}, 'OPTION_RANGE', 'got -0.1'],
		[{candidates: []}, 'OPTION_RANGE', 'each once, got none'],
		[{candidates: ['ownhard']}, 'OPTION_RANGE', 'each of candidates to be', 'got "ownhard"'],
		[{candidates: 'ownHard'}, 'OPTION_TYPE', 'candidates to be an array, got "ownHard"'],
		[{directions: ['qd', 'qd']}, 'OPTION_RANGE', 'each once, got qd, qd'],
		[{partition: 'both'}, 'OPTION_RANGE', 'partition to be separate or joint, got "both"'],
		[{directions: ['dd'], candidates: ['ownHard']}, 'OPTION_CONFLICT', 'direction dd'],
		[{temprature: 0.1}, 'OPTION_UNKNOWN', 'got temprature'],
	])('refuses %j', (options, code, message) => {
		const make = () => infoNce(options as InfoNceOptions);
		expect(make).toThrow(message);
		expect(make).toThrow(expect.objectContaining({code}));
	});

	test.each([
		[{columns: golden.columns.slice(0, 1)}, {}, 'at least 2 columns'],
		[pairs, {candidates: ['ownHard'] as const}, 'expected hard negatives'],
		[{columns: [matrices[0]!, golden.columns[1]!]}, {}, 'column 1 of 5 rows'],
		[
			{columns: [golden.columns[0]!, matrixOf(2, 3, () => 1)]},
			{},
			'expected columns of 4 columns, got 3',
		],
	])('refuses columns that do not fit: %#', async (given, options, message) => {
		const call = evaluated(infoNce(options), given);
		await expect(call).rejects.toThrow(message);
		await expect(call).rejects.toMatchObject({code: 'LOSS_INVALID'});
	});
});
