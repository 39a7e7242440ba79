// The queue of earlier documents: what a query meets of it, how old it is, that it is masked like a batch,
// and that a run that was stopped goes on with the same one.

import {join} from 'node:path';
import {expect, test} from 'vitest';
import {Tape} from '../../dist/autograd/tape.js';
import {infoNce} from '../../dist/loss/infonce.js';
import {applyLoss, columnOf, type Loss} from '../../dist/loss/loss.js';
import {matryoshka} from '../../dist/loss/matryoshka.js';
import {rDrop} from '../../dist/loss/r-drop.js';
import {DocumentQueue} from '../../dist/train/document-queue.js';
import type {StepMetrics} from '../../dist/train/metrics-log.js';
import {train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {type Matrix, normals, randomMatrix} from '../support/matrix.js';
import {newDevice, tensorOf} from '../support/run-op.js';
import {hashesOf, hashOf, loadTiny, quick, rowsOf, stoppingAt, trained} from './tiny.js';

const {folder} = temporaryFolder();
const random = normals(3);
const drawn = (rows: number) => randomMatrix(rows, 6, random);

/** The loss of two steps of 4 rows, with a queue of `length`, and of the second its gradients. */
async function twoSteps(length: number, options = {}) {
	const device = newDevice();
	const queue = new DocumentQueue(device, length, 6);
	const loss = infoNce({queue: length, ...options});
	const batches = [1, 2].map(() => [drawn(4), drawn(4)]);
	const step = async (columns: readonly Matrix[], number: number) => {
		const tape = new Tape(device);
		const variables = columns.map(x => tape.variable(tape.own(tensorOf(device, x))));
		const inputs = {columns: variables, parameters: {}, queue: queue.on(tape, number)};
		const value = applyLoss(tape, loss, inputs);
		tape.backward(value);
		const found = [value, ...variables.map(({gradient}) => tape.constant(gradient!))];
		const read = await Promise.all(found.map(one => tape.read(one)));
		queue.commit();
		tape.dispose();
		return read;
	};
	await step(batches[0]!, 1);
	return {batches, second: await step(batches[1]!, 2), queue, device};
}

/** The same as hard negatives of row 0, which every query meets. */
async function asNegatives(columns: readonly Matrix[], earlier: Matrix) {
	const device = newDevice();
	const tape = new Tape(device);
	const variables = [...columns, earlier].map(x => tape.variable(tape.own(tensorOf(device, x))));
	const offsets = Int32Array.of(0, earlier.rows, earlier.rows, earlier.rows, earlier.rows);
	const [query, positive] = variables;
	const given = [query!, positive!, columnOf(variables[2]!, 4, offsets)];
	const value = applyLoss(tape, infoNce(), {columns: given, parameters: {}});
	tape.backward(value);
	const found = [value, ...[query!, positive!].map(({gradient}) => tape.constant(gradient!))];
	return Promise.all(found.map(one => tape.read(one)));
}

const rowsOfMatrix = ({columns, values}: Matrix, begin: number, count: number): Matrix => ({
	rows: count,
	columns,
	values: values.slice(begin * columns, (begin + count) * columns),
});

test('every query meets the positives of earlier steps', async () => {
	const {batches, second} = await twoSteps(8);
	expect(second).toEqual(await asNegatives(batches[1]!, batches[0]![1]!));
});

test('the newest stay where the queue is short', async () => {
	const {batches, second} = await twoSteps(3);
	const last = rowsOfMatrix(batches[0]![1]!, 1, 3);
	const [value] = await asNegatives(batches[1]!, last);
	expect(second[0]![0]).toBeCloseTo(value![0]!, 5);
});

test('it says how old its documents are', async () => {
	const {queue, device} = await twoSteps(6);
	const tape = new Tape(device);
	const {age, vectors} = queue.on(tape, 5);
	expect(vectors?.rows).toBe(6);
	// 2 of step 1 and 4 of step 2
	expect(age).toEqual({mean: (2 * 4 + 4 * 3) / 6, most: 4});
	tape.dispose();
});

test('a step whose loss was not used leaves it as it was', async () => {
	const {queue, device} = await twoSteps(6);
	const tape = new Tape(device);
	const before = await tape.read(queue.on(tape, 3).vectors!);
	queue.on(tape, 3).push(tape.constant(tape.own(tensorOf(device, drawn(4)))), undefined);
	expect(await tape.read(queue.on(tape, 3).vectors!)).toEqual(before);
	tape.dispose();
});

test('a run logs it, and masks what is known of its documents', async () => {
	const rows = rowsOf(16).map(row => ({...row, negatives: []}));
	const steps: StepMetrics[] = [];
	const loss = infoNce({queue: 12, mask: ['same-text', 'known']});
	const options = {data: rows, loss, order: 'file', epochs: 2, dropout: 0} as const;
	await trained({...options, batchSize: 8, onStep: step => void steps.push(step)});
	expect(steps.map(({queue}) => queue)).toEqual([
		{documents: 0, age: 0, oldest: 0},
		{documents: 8, age: 1, oldest: 1},
		{documents: 12, age: expect.closeTo((4 * 2 + 8 * 1) / 12, 5), oldest: 2},
		{documents: 12, age: expect.closeTo((8 * 1 + 4 * 2) / 12, 5), oldest: 2},
	]);
	// in the second pass the queue has the own positives of 4 rows; each is removed once, by its text
	expect(steps.map(({masked}) => masked)).toEqual([
		{'same-text': 0, known: 0},
		{'same-text': 0, known: 0},
		{'same-text': 4, known: 0},
		{'same-text': 4, known: 0},
	]);
	expect(steps.map(({candidates}) => candidates)).toEqual([8, 16, 19.5, 19.5]);
});

test('a run that was stopped goes on with the same one', async () => {
	const loss = () => infoNce({queue: 20, mask: ['same-text', 'other-set']});
	const options = {...quick, data: rowsOf(24), saveSteps: 1, epochs: 2, keep: 6};
	const [whole, stopped] = [join(folder, 'whole'), join(folder, 'stopped')];
	const model = await loadTiny();
	await train(model, {...options, loss: loss(), output: whole});
	const halfway = train(await loadTiny(), {
		...options,
		loss: loss(),
		output: stopped,
		...stoppingAt(4),
	});
	await expect(halfway).rejects.toThrow('stopped at 4');
	const resumed = await loadTiny();
	await train(resumed, {...options, loss: loss(), output: stopped, resume: true});
	expect(await hashesOf(resumed)).toEqual(await hashesOf(model));
	const moments = 'checkpoints/step-6/trainer/moments.safetensors';
	expect(hashOf(join(stopped, moments))).toBe(hashOf(join(whole, moments)));
});

test.each([
	['nested widths', matryoshka(infoNce({queue: 12}), {widths: [64, 16]})],
	[
		'nested widths one by one',
		matryoshka(infoNce({queue: 12, mask: ['margin']}), {widths: [20, 6]}),
	],
	['R-Drop', rDrop(infoNce({queue: 12}))],
])('%s meet the documents of a queue, which takes each of them once', async (_, loss) => {
	const steps: StepMetrics[] = [];
	const data = rowsOf(16).map(row => ({...row, negatives: []}));
	const options = {data, loss, order: 'file', epochs: 2, dropout: 0, batchSize: 8} as const;
	const whole = await trained({...options, onStep: step => void steps.push(step)});
	expect(steps.map(({queue}) => queue!.documents)).toEqual([0, 8, 12, 12]);
	const first = await trained({...options, loss: withoutQueue(loss)});
	expect(whole.losses[0]).toBe(first.losses[0]);
	expect(whole.losses[1]).toBeGreaterThan(first.losses[1]!);
	const cut = await trained({...options, chunkTokens: 40});
	expect(await hashesOf(cut.model)).toEqual(await hashesOf(whole.model));
});

/** The same loss, which sees no queue. */
function withoutQueue(loss: Loss): Loss {
	const {queue: _, ...facts} = loss;
	return Object.assign((...given: Parameters<Loss>) => loss(...given), facts);
}
