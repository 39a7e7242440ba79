// Names in the output that other systems' scripts look for.

import {existsSync, lstatSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {type TrainOptions, train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {hashOf, loadTiny, quick, stoppingAt} from './tiny.js';

const {folder} = temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);

async function run(name: string, options: Partial<TrainOptions>) {
	return train(await loadTiny(), {...quick, output: at(name), ...options});
}

describe('a checkpoint', () => {
	test('is found under a further name, of its step, epoch and rows', async () => {
		await run('named', {epochs: 2, keep: 'all', checkpointName: 'c-{step}-{epoch}-{rows}'});
		const names = readdirSync(at('named')).filter(name => name.startsWith('c-'));
		expect(names.sort()).toEqual(['c-3-0-24', 'c-6-1-48']);
		expect(hashOf(at('named', 'c-6-1-48', 'model.safetensors'))).toBe(
			hashOf(at('named', 'checkpoints', 'step-6', 'model.safetensors')),
		);
		expect(lstatSync(at('named', 'c-6-1-48')).isSymbolicLink()).toBe(true);
	});

	test('that is dropped loses it, with the folder around it', async () => {
		await run('dropped', {epochs: 3, keep: 1, checkpointName: 'checkpoint-{step}/encoder'});
		expect(readdirSync(at('dropped')).filter(name => name.startsWith('checkpoint-'))).toEqual([
			'checkpoint-9',
		]);
		expect(existsSync(at('dropped', 'checkpoint-9', 'encoder', 'config.json'))).toBe(true);
	});

	test('has it after a resume too', async () => {
		const options = {epochs: 2, checkpointName: 'runs/checkpoint_{epoch}', keep: 'all'} as const;
		const stopped = {...options, ...stoppingAt(4)};
		await expect(run('resumed', stopped)).rejects.toThrow('stopped at 4');
		await run('resumed', {...options, resume: true});
		expect(readdirSync(at('resumed', 'runs')).sort()).toEqual(['checkpoint_0', 'checkpoint_1']);
		expect(hashOf(at('resumed', 'runs', 'checkpoint_1', 'model.safetensors'))).toBe(
			hashOf(at('resumed', 'model.safetensors')),
		);
	});
});

test('the model goes into a folder of the output, and is found there by a finished run', async () => {
	const options = {modelPlace: 'encoder'};
	const first = await run('placed', options);
	expect(existsSync(at('placed', 'encoder', 'model.safetensors'))).toBe(true);
	expect(existsSync(at('placed', 'model.safetensors'))).toBe(false);
	expect(await run('placed', {...options, resume: true})).toEqual({...first, resumedFrom: 3});
});

test.each([
	[{checkpointName: 'checkpoint'}, /expected \{step\} or \{epoch\}/],
	[{checkpointName: 'c-{rows}'}, /expected \{step\} or \{epoch\}/],
	[{checkpointName: 'c-{step}-{loss}'}, /expected \{step\} or \{epoch\}/],
	[{checkpointName: '../c-{step}'}, /expected a name of its own inside the output/],
	[{checkpointName: '/c-{step}'}, /expected a name of its own inside the output/],
	[{checkpointName: 'checkpoints/step-{step}'}, /expected a name of its own inside the output/],
	[{modelPlace: 'checkpoints'}, /expected a name of its own inside the output/],
	[{modelPlace: '..'}, /expected a name of its own inside the output/],
])('%j is refused', async (options, sentence) => {
	await expect(run('refused', options)).rejects.toThrow(sentence);
	expect(existsSync(at('refused'))).toBe(false);
});
