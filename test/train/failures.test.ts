// Steps that fail: what is named, and what stays as it was.

import {readdirSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import type {LossOperations} from '../../dist/autograd/operations.js';
import type {Variable} from '../../dist/autograd/tape.js';
import {EngineError} from '../../dist/errors.js';
import {infoNce} from '../../dist/loss/infonce.js';
import type {Loss} from '../../dist/loss/loss.js';
import {weightedSum} from '../../dist/loss/weighted-sum.js';
import {train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {hashesOf, lines, loadTiny, quick, rowsOf} from './tiny.js';

const {folder, put} = temporaryFolder();
const data = put('rows.jsonl', lines(rowsOf(24)));

/** Nothing in value, and that in gradient for each element. */
const pull = (ops: LossOperations, x: Variable, by: number) =>
	ops.scale(ops.subtract(x, ops.detach(x)), by);

const nothing: Loss = (ops, {columns: [query]}) =>
	ops.log(ops.scale(ops.mean(ops.square(query!)), -1));
const poisons: [string, Loss, string][] = [
	[
		'a loss of finite embeddings',
		nothing,
		'the first that is not finite is the loss nothing of finite embeddings',
	],
	[
		'a number beside a gradient that is finite',
		(ops, {columns: [query]}) => ops.add(ops.mean(query!), ops.constant([Number.NaN], 1, 1)),
		'got loss NaN',
	],
	[
		'a part of the loss',
		weightedSum([{loss: infoNce()}, {loss: nothing, weight: 1}]),
		'the first that is not finite is the part nothing of the loss',
	],
	[
		'the gradient of the embeddings of two rows',
		(ops, {columns: [, positive]}) =>
			ops.sum(pull(ops, pull(ops, ops.gatherRows(positive!, [5, 2]), 3e38), 3e38)),
		`rows ${data}:19, ${data}:22; the first that is not finite is the gradient of the embedding of the positive`,
	],
	[
		'the gradient of a parameter',
		(ops, {columns: [query]}) => ops.sum(pull(ops, query!, 3e38)),
		'the first that is not finite is the gradient of the parameter blocks.2.',
	],
];

describe('A step that is not finite names', () => {
	test.each(poisons)('%s, and leaves the model as it was', async (name, loss, message) => {
		const model = await loadTiny();
		const output = join(folder, name.replaceAll(' ', '-'));
		let step = 0;
		const turning: Loss = (ops, inputs) => (step === 2 ? loss : infoNce())(ops, inputs);
		const poisoned = Object.assign(turning, {});
		Object.defineProperty(poisoned, 'name', {value: loss.name});
		const run = train(model, {
			...quick,
			...{data, output, order: 'file', loss: poisoned, dropout: 0, saveSteps: 1, warmupSteps: 0},
			onStep: () => void step++,
		});
		await expect(run).rejects.toMatchObject({
			code: 'LOSS_NOT_FINITE',
			message: expect.stringContaining('step 3: expected a finite loss and gradient'),
		});
		await expect(run).rejects.toThrow(message);
		const saved = await loadTiny({path: join(output, 'checkpoints', 'step-2')});
		expect(await hashesOf(model)).toEqual(await hashesOf(saved));
		expect(readdirSync(join(output, 'checkpoints')).sort()).toEqual(['step-1', 'step-2']);
	});

	test('the texts of embeddings, where the model makes none', async () => {
		const model = await loadTiny();
		const {rows, columns} = model.core.parameters()[0]!;
		const table = new Float32Array(rows * columns);
		await model.core.read('weight', 'embedding.tokens', 0, table);
		const [id] = await idsOf(model, 'union');
		model.core.write('weight', 'embedding.tokens', id!, new Float32Array(columns).fill(Number.NaN));
		await model.core.pack();
		const run = train(model, {...quick, data, order: 'file', dropout: 0});
		await expect(run).rejects.toThrow(
			new RegExp(`rows ${data}:5; the first that is not finite is the embedding of the query`),
		);
	});
});

async function idsOf({tokenizer}: Awaited<ReturnType<typeof loadTiny>>, word: string) {
	const {ids} = await tokenizer.encode([word], {maxLength: 9, addSpecialTokens: false});
	return ids;
}

const starving: Loss = () => {
	throw new EngineError('OUT_OF_MEMORY', 'memory: expected 7 MiB more to be available');
};

test('A step without memory tells its size and what to lower', async () => {
	const output = join(folder, 'no-memory');
	let step = 0;
	const hungry: Loss = (ops, inputs) => (step < 2 ? infoNce() : starving)(ops, inputs);
	const model = await loadTiny();
	const run = train(model, {
		...{...quick, data, output, order: 'file', loss: hungry, chunkTokens: 90, saveSteps: 1},
		onStep: () => void step++,
	});
	await expect(run).rejects.toMatchObject({
		code: 'OUT_OF_MEMORY',
		message: expect.stringMatching(
			/^step 3: expected memory for 8 rows of 20 texts and \d+ tokens in \d chunks of at most \d+ tokens, the longest text \d+, embeddings 20 x 64, got none \(memory: expected 7 MiB more to be available\); lower --chunk-tokens below \d+ \(activations\), set --recompute blocks \(activations\), lower --batch-size \(the loss\); the last checkpoint stays$/,
		),
	});
	const saved = await loadTiny({path: join(output, 'checkpoints', 'step-2')});
	expect(await hashesOf(model)).toEqual(await hashesOf(saved));
});

test('Held-out rows without memory tell what to lower', async () => {
	const loss = Object.assign(infoNce(), {heldOut: starving});
	const run = train(await loadTiny(), {...quick, data, loss, evalLoss: data, evalSteps: 1});
	await expect(run).rejects.toMatchObject({
		code: 'OUT_OF_MEMORY',
		message:
			'held-out rows: expected memory for a batch, got none (memory: expected 7 MiB more to be ' +
			'available); lower --chunk-tokens (activations) or --batch-size (the loss)',
	});
});
