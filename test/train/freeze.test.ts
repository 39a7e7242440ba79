// What training leaves alone: frozen parts, and tensors that no layer uses.

import {cpSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {addTensors, bert, hashesOf, loadTiny, quick, tensorsIn} from './tiny.js';

const {folder} = temporaryFolder();
const frozen = (name: string) => (part: string) => name.startsWith(part);

describe('five steps change everything but', () => {
	test.each([
		[['embeddings'], ['embedding.']],
		[['positions'], ['embedding.positions']],
		[['blocks:1'], ['blocks.1.']],
		[
			['blocks:0-1', 'positions'],
			['blocks.0.', 'blocks.1.', 'embedding.positions'],
		],
		[['blocks'], ['blocks.']],
		[[], []],
	])('%j', async (freeze, still) => {
		const model = await loadTiny();
		const before = await hashesOf(model);
		await train(model, {...quick, steps: 5, freeze});
		const after = await hashesOf(model);
		const kept = [...before.keys()].filter(name => before.get(name) === after.get(name));
		const expected = [...before.keys()].filter(name => still.some(frozen(name)));
		expect(kept).toEqual(expected);
	});
});

test('tensors that no layer uses are in every save, bit for bit', async () => {
	const path = join(folder, 'with-pooler');
	cpSync(bert, path, {recursive: true});
	const added = {
		'pooler.dense.weight': {dtype: 'F16', shape: [64, 64]},
		'pooler.dense.bias': {dtype: 'F64', shape: [64]},
		'embeddings.position_ids': {dtype: 'I64', shape: [1, 130]},
	} as const;
	await addTensors(join(path, 'model.safetensors'), added);
	const model = await loadTiny({path});
	const output = join(folder, 'tuned');
	await train(model, {...quick, output});
	const before = await tensorsIn(join(path, 'model.safetensors'));
	for (const saved of [output, join(output, 'checkpoints', 'step-3')]) {
		const after = await tensorsIn(join(saved, 'model.safetensors'));
		expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
		for (const name of Object.keys(added)) expect(after.get(name)).toEqual(before.get(name));
	}
});

test('a frozen part has no moments in the checkpoints', async () => {
	const output = join(folder, 'moments');
	await train(await loadTiny(), {...quick, steps: 1, freeze: ['embeddings'], output});
	const moments = await tensorsIn(
		join(output, 'checkpoints', 'step-1', 'trainer', 'moments.safetensors'),
	);
	const names = [...moments.keys()];
	expect(names).toContain('first.blocks.0.mlp.up.weight');
	expect(names.filter(name => name.includes('embedding.'))).toEqual([]);
});
