// Late interaction, held to the plainest loops, with its gradient.

import {expect, test} from 'vitest';
import type {MaxSimOptions} from '../../dist/autograd/max-sim.js';
import type {NativeDevice} from '../../dist/native.js';
import {onEveryCard, sameBitsOnCards} from '../support/cards.js';
import {onEveryPath, sameBitsEverywhere} from '../support/kernel-paths.js';
import {grid, type Matrix, matrixOf, normals, randomMatrix, uniforms} from '../support/matrix.js';
import {plainMaxSim} from '../support/plain-max-sim.js';
import {readMatrix, tensorOf} from '../support/run-op.js';
import {expectClose, expectSameBits} from '../support/tolerance.js';

type Given = {queries: Matrix; documents: Matrix; dscores: Matrix; options: MaxSimOptions};

const offsetsOf = (lengths: readonly number[]) =>
	Int32Array.from([0, ...lengths.map((_, n) => lengths.slice(0, n + 1).reduce((a, b) => a + b))]);

/** Texts of these lengths; of eighths, in which sums are exact and products often equal. */
function drawn(
	{queries, documents, width}: {queries: number[]; documents: number[]; width: number},
	met: Partial<MaxSimOptions> = {},
	exactly = false,
): Given {
	const next = exactly ? eighths(width) : normals(width);
	const options = {
		...{positives: Math.min(queries.length, documents.length), own: true, others: true},
		...{ownHard: true, otherHard: true},
		owner: Int32Array.from(documents, (_, n) => n % (queries.length + 1)),
		queryOffsets: offsetsOf(queries),
		documentOffsets: offsetsOf(documents),
		...met,
	};
	const rows = (lengths: number[]) => lengths.reduce((a, b) => a + b, 0);
	return {
		queries: randomMatrix(rows(queries), width, next),
		documents: randomMatrix(rows(documents), width, next),
		dscores: randomMatrix(queries.length, documents.length, next),
		options,
	};
}

function eighths(seed: number) {
	const uniform = uniforms(seed);
	return () => Math.floor(uniform() * 9 - 4) / 8;
}

async function computed(device: NativeDevice, {queries, documents, dscores, options}: Given) {
	const {queryOffsets, documentOffsets, owner, ...met} = options;
	const integers = (values: Int32Array) => {
		const tensor = device.tensor(1, values.length, 'i32');
		device.write(tensor, values);
		return tensor;
	};
	const operands = {
		queries: tensorOf(device, queries),
		documents: tensorOf(device, documents),
		queryOffsets: integers(queryOffsets),
		documentOffsets: integers(documentOffsets),
	};
	const scores = device.tensor(dscores.rows, dscores.columns, 'f32');
	const argmax = device.tensor(dscores.columns, queries.rows, 'i32');
	device.run('maxSimForward', {...operands, ...met, owner: integers(owner), scores, argmax});
	const dqueries = device.tensor(queries.rows, queries.columns, 'f32');
	const ddocuments = device.tensor(documents.rows, documents.columns, 'f32');
	const given = {...operands, argmax, dscores: tensorOf(device, dscores)};
	device.run('maxSimBackward', {...given, dqueries, ddocuments});
	return {
		scores: await readMatrix(device, scores),
		dqueries: await readMatrix(device, dqueries),
		ddocuments: await readMatrix(device, ddocuments),
	};
}

/** Through the first of the largest products. */
function plainGradient({queries, documents, dscores, options}: Given) {
	const {queryOffsets, documentOffsets} = options;
	const scores = plainMaxSim(queries, documents, options);
	const {columns: width} = queries;
	const dqueries = matrixOf(queries.rows, width, () => 0);
	const ddocuments = matrixOf(documents.rows, width, () => 0);
	for (let at = 0; at < scores.values.length; at++) {
		const [query, document] = [Math.floor(at / scores.columns), at % scores.columns];
		if (scores.values[at] === -Infinity) continue;
		for (let row = queryOffsets[query]!; row < queryOffsets[query + 1]!; row++) {
			const best = bestOf({queries, documents}, row, [
				documentOffsets[document]!,
				documentOffsets[document + 1]!,
			]);
			for (let j = 0; best >= 0 && j < width; j++) {
				dqueries.values[row * width + j]! +=
					dscores.values[at]! * documents.values[best * width + j]!;
				ddocuments.values[best * width + j]! +=
					dscores.values[at]! * queries.values[row * width + j]!;
			}
		}
	}
	return {dqueries, ddocuments};
}

function bestOf(
	{queries, documents}: {queries: Matrix; documents: Matrix},
	row: number,
	[begin, end]: readonly [number, number],
): number {
	const {columns: width} = queries;
	const dot = (d: number) => {
		let sum = 0;
		for (let j = 0; j < width; j++) {
			sum += queries.values[row * width + j]! * documents.values[d * width + j]!;
		}
		return sum;
	};
	let best = -1;
	for (let d = begin; d < end; d++) if (best < 0 || dot(d) > dot(best)) best = d;
	return best;
}

type Shapes = {queries: number[]; documents: number[]; width: number}[];

const onProcessors: Shapes = grid({
	queries: [[1], [3, 0, 7], [5, 40, 130, 2]],
	documents: [[1], [4, 0, 17, 16], [1, 300, 33]],
	width: [1, 8, 37],
});
/** A tile of a card has 32 rows and 128 columns. */
const onCards: Shapes = [
	...grid({queries: [[3, 0, 7]], documents: [[1], [4, 0, 17, 36]], width: [1, 5]}),
	{queries: [34, 2], documents: [1, 40], width: 131},
];
const meetings: Partial<MaxSimOptions>[] = [
	{},
	{others: false, otherHard: false},
	{own: false, ownHard: false},
	{others: false, own: false, ownHard: false, positives: 0},
	{positives: 0, otherHard: false},
];

function lateInteraction(device: NativeDevice, shapes: Shapes): void {
	test.each(shapes)('of $queries and $documents, $width wide, is what it means', async shape => {
		for (const met of meetings) {
			const given = drawn(shape, met);
			const {scores} = await computed(device, given);
			const {queries, documents, options} = given;
			const plain = plainMaxSim(queries, documents, options);
			const isMet = plain.values.map(score => (score === -Infinity ? 0 : 1));
			expect(scores.values.map(score => (score === -Infinity ? 0 : 1))).toEqual(isMet);
			const finite = ({rows, columns, values}: Matrix) =>
				matrixOf(rows, columns, at => (isMet[at] ? values[at]! : 0));
			expectClose(
				finite(scores),
				round => finite(plainMaxSim(queries, documents, options, round)),
				{
					scale: Math.sqrt(shape.width) * queries.rows,
				},
			);
		}
	});

	test.each(shapes)('of $queries and $documents, $width wide, has its gradient', async shape => {
		for (const met of meetings) {
			const given = drawn(shape, met, true);
			const {dqueries, ddocuments, scores} = await computed(device, given);
			expectSameBits(scores, plainMaxSim(given.queries, given.documents, given.options));
			const plain = plainGradient(given);
			expectSameBits(dqueries, plain.dqueries);
			expectSameBits(ddocuments, plain.ddocuments);
		}
	});

	test('a text has the same bits among any others', async () => {
		const all = drawn({queries: [5, 40, 130, 2], documents: [300, 9, 33], width: 37});
		const {scores} = await computed(device, all);
		const alone = {
			...all,
			queries: {rows: 40, columns: 37, values: all.queries.values.slice(5 * 37, 45 * 37)},
			documents: {rows: 33, columns: 37, values: all.documents.values.slice(309 * 37)},
			dscores: matrixOf(1, 1, () => 1),
			options: {
				...{...all.options, positives: 1, owner: Int32Array.of(0)},
				...{queryOffsets: Int32Array.of(0, 40), documentOffsets: Int32Array.of(0, 33)},
			},
		};
		expect((await computed(device, alone)).scores.values[0]).toBe(scores.values[3 + 2]);
	});
}

onEveryPath('late interaction', device => lateInteraction(device, onProcessors));
onEveryCard('late interaction', device => lateInteraction(device, onCards));

const severalOf =
	(queries: number[], documents: number[], width: number) => async (device: NativeDevice) => {
		const given = drawn({queries, documents, width});
		const {scores, dqueries, ddocuments} = await computed(device, given);
		return [scores, dqueries, ddocuments];
	};

sameBitsEverywhere('late interaction', severalOf([32, 30, 7, 129], [180, 90, 300, 5], 128));
sameBitsOnCards('late interaction', severalOf([32, 7, 40], [70, 90, 5], 33));
