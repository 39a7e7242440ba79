// A weight is held once outside training; whoever reads or changes it sees the same values as ever.

import {readFileSync, truncateSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {openDevice} from '../../dist/device.js';
import type {EmbeddingModel} from '../../dist/model/embedding-model.js';
import {readModelFolder} from '../../dist/model/folder.js';
import {native} from '../../dist/native.js';
import {temporaryFolder} from '../files/folder.js';
import {bert, load, weightsOf} from './folders.js';

const {folder} = temporaryFolder();
const name = 'blocks.1.mlp.up.weight';
const columns = 64;
const rows = 100;

async function valuesOf(model: EmbeddingModel, row = 0, end = rows): Promise<Float32Array> {
	const values = new Float32Array((end - row) * columns);
	await model.core.read('weight', name, row, values);
	return values;
}

async function original(): Promise<Float32Array> {
	const tensors = await weightsOf(bert);
	const {bytes} = tensors.get('encoder.layer.1.intermediate.dense.weight')!;
	return new Float32Array(bytes.slice().buffer);
}

test('a weight that was packed reads as it lies in the file, from any row', async () => {
	const [model, expected] = [await load(bert, {pooling: 'mean'}), await original()];
	expect(await valuesOf(model)).toEqual(expected);
	expect(await valuesOf(model, 37, 53)).toEqual(expected.subarray(37 * columns, 53 * columns));
});

test('a row that is written changes no other, before and after packing', async () => {
	const [model, expected] = [await load(bert, {pooling: 'mean'}), await original()];
	const {data: plain} = await model.encode(['the symptom']);
	model.core.write('weight', name, 17, new Float32Array(columns).fill(0.25));
	expected.fill(0.25, 17 * columns, 18 * columns);
	expect(await valuesOf(model)).toEqual(expected);
	await model.refresh();
	expect(await valuesOf(model)).toEqual(expected);
	expect((await model.encode(['the symptom'])).data).not.toEqual(plain);
});

test('a model that is prepared for training has its weights, and packs them to the same', async () => {
	const [model, expected] = [await load(bert, {pooling: 'mean'}), await original()];
	const {fingerprint} = model;
	await model.core.prepareTraining([]);
	expect(await valuesOf(model)).toEqual(expected);
	await model.refresh();
	expect(await valuesOf(model)).toEqual(expected);
	expect(model.fingerprint).toBe(fingerprint);
});

/** Bytes of this process that are in memory and no file's. */
function resident(): number {
	const [, kilobytes] = /RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))!;
	return Number(kilobytes) * 1024;
}

test('a large weight takes its own size, and not that of a copy', async () => {
	const width = 2 ** 17;
	const bytes = 4 * columns * width;
	const path = join(folder, 'zeros.bin');
	writeFileSync(path, '');
	truncateSync(path, bytes);
	const {spec} = await readModelFolder(bert, {pooling: 'mean'});
	const [block] = spec.blocks;
	const blocks = [{...block!, mlp: {...block!.mlp, width}}];
	const device = await openDevice({threads: 1});
	const core = new (native().Model)(device.native, {...spec, blocks});
	const before = resident();
	const count = columns * width;
	const names = ['up', 'down'].map(layer => `blocks.0.mlp.${layer}.weight`);
	const parts = names.map(one => ({name: one, at: 0, count, offset: 0, type: 'f32' as const}));
	await core.load(path, parts);
	await core.pack();
	const grown = resident() - before;
	await core.dispose();
	expect(grown / (2 * bytes)).toBeGreaterThan(0.95);
	expect(grown / (2 * bytes)).toBeLessThan(1.3);
});
