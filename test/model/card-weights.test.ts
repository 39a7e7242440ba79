// What a card holds of the weights of a model: outside training the 16 bits that products read, and nothing
// that anybody could ask for is lost by it.

import {readFileSync, renameSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {readTensorTable} from '../../dist/files/tensor-files.js';
import type {EmbeddingModel} from '../../dist/model/embedding-model.js';
import {planWeights} from '../../dist/model/weights.js';
import {native} from '../../dist/native.js';
import {temporaryFolder} from '../files/folder.js';
import {cardAddonPath} from '../support/emulated.js';
import {readParameters} from '../support/parameters.js';
import {load, weightsFolder} from './folders.js';

process.env.INBATCH_NATIVE = cardAddonPath;

const {folder} = temporaryFolder();
const kinds = ['safetensors', 'f16-safetensors', 'bf16-safetensors', 'bf16', 'sharded-safetensors'];
let made = 0;

const variant = (name: string) => weightsFolder(join(folder, `model-${made++}`), name);

const onCard = (path: string) => load(path, {pooling: 'mean', device: 'cuda'});
const onCpu = (path: string) => load(path, {pooling: 'mean', device: 'cpu'});
const vectorOf = async (model: EmbeddingModel) => (await model.encode('what is the age')).data;

const valuesOf = ({core}: EmbeddingModel) => readParameters(core);

/** Bytes of the card, a matrix beginning at each 64. */
function bytesOf({core}: EmbeddingModel): {products: number; others: number} {
	const sums = {products: 0, others: 0};
	for (const {name, rows, columns} of core.parameters()) {
		const isProduct = /^blocks\..*(qkv|out|up|down)\.weight$/.test(name);
		sums[isProduct ? 'products' : 'others'] += 64 * Math.ceil((rows * columns) / 16);
	}
	return sums;
}

const keptAs = {optimizer: 'adamw', average: false, stacked: []} as const;

describe.each(kinds)('from %s', kind => {
	test('a card is told apart and read as the cpu is', async () => {
		const path = variant(kind);
		const [card, cpu] = [await onCard(path), await onCpu(path)];
		expect(await valuesOf(card)).toEqual(await valuesOf(cpu));
		const part = new Float32Array(2 * 8);
		await card.core.read('weight', 'blocks.0.attention.qkv.weight', 7, part);
		const whole = (await valuesOf(cpu)).get('blocks.0.attention.qkv.weight')!;
		expect(part).toEqual(whole.subarray(7 * 8, 9 * 8));
		expect(await card.core.pack()).toBe(await cpu.core.pack());
	});

	test('a text has the bits of weights that were rounded from float32', async () => {
		const path = variant(kind);
		const [card, written] = [await onCard(path), await onCard(path)];
		for (const [name, values] of await valuesOf(await onCpu(path))) {
			written.core.write('weight', name, 0, values);
		}
		await written.core.pack();
		expect(await vectorOf(card)).toEqual(await vectorOf(written));
	});

	test('training begins with the weights of the file', async () => {
		const path = variant(kind);
		const [card, cpu] = [await onCard(path), await onCpu(path)];
		const before = await vectorOf(card);
		await card.core.prepareTraining([], keptAs);
		rmSync(path, {recursive: true});
		expect(await valuesOf(card)).toEqual(await valuesOf(cpu));
		expect(await vectorOf(card)).toEqual(before);
	});
});

test('weights take what is said of them, before training and in it', async () => {
	const first = await onCard(variant('bf16-safetensors'));
	const device = first.computing.native;
	const before = device.statistics().bytes;
	const model = await onCard(variant('bf16-safetensors'));
	const loaded = device.statistics().bytes;
	const {products, others} = bytesOf(model);
	const memory = model.core.trainingMemory([], keptAs);
	expect(memory.held).toBe(loaded - before);
	expect(memory.held).toBeGreaterThanOrEqual(products / 2 + others);
	expect(memory.held).toBeLessThan(products + others);
	await model.core.prepareTraining([], keptAs);
	const {weights, gradients, state} = memory;
	expect(device.statistics().bytes - before).toBe(weights + gradients + state);
});

test('parts that come in another order are told apart alike', async () => {
	const model = await onCard(variant('bf16-safetensors'));
	const {family, spec, path} = model.folder;
	const table = await readTensorTable(path);
	const core = new (native().Model)(model.computing.native, spec, undefined, 'bf16');
	const {parts} = planWeights(family, core.parameters(), table);
	for (const part of parts.toReversed()) await core.load(table.path, [part]);
	const fingerprint = await core.pack();
	expect(fingerprint).toMatch(/^[0-9a-f]{16}$/);
	expect(await model.core.pack()).toBe(fingerprint);
	await core.dispose();
});

describe('a file that', () => {
	const name = 'blocks.0.mlp.up.weight';
	const file = (path: string) => join(path, 'model.safetensors');

	test('was written to since is refused, and encoding goes on', async () => {
		const path = variant('safetensors');
		const model = await onCard(path);
		const before = await vectorOf(model);
		const bytes = readFileSync(file(path));
		writeFileSync(file(path), bytes.fill(0, bytes.length - 4));
		await expect(valuesOf(model)).rejects.toThrow(
			/model\.safetensors: expected the file that the model was loaded from, got one that was written to/,
		);
		await expect(model.core.prepareTraining([], keptAs)).rejects.toMatchObject({
			code: 'MODEL_TENSOR',
		});
		expect(await vectorOf(model)).toEqual(before);
	});

	test('was replaced or deleted is read as it was', async () => {
		const path = variant('safetensors');
		const [model, cpu] = [await onCard(path), await onCpu(path)];
		const other = join(path, 'other');
		writeFileSync(other, readFileSync(file(path)).fill(0, 10_000));
		renameSync(other, file(path));
		expect(await valuesOf(model)).toEqual(await valuesOf(cpu));
		const saved = join(folder, 'saved');
		await model.save(saved);
		expect(await valuesOf(await onCpu(saved))).toEqual(await valuesOf(cpu));
	});

	test('holds a number that is not finite is refused by its tensor', async () => {
		const path = variant('bf16-safetensors');
		const {tensors} = await readTensorTable(path);
		const {begin} = tensors.get('encoder.layer.0.intermediate.dense.weight')!;
		const bytes = readFileSync(file(path));
		bytes.writeUInt16LE(0x7fc0, begin + 2 * 5);
		writeFileSync(file(path), bytes);
		await expect(onCard(path)).rejects.toThrow(
			'expected finite numbers in tensor "encoder.layer.0.intermediate.dense.weight", got NaN at element 5',
		);
	});

	test('gave weights that were written to since is not asked again', async () => {
		const path = variant('safetensors');
		const model = await onCard(path);
		const values = (await valuesOf(model)).get(name)!.map(value => value + 1);
		model.core.write('weight', name, 0, values);
		await model.core.pack();
		rmSync(path, {recursive: true});
		expect((await valuesOf(model)).get(name)).toEqual(values);
	});
});
