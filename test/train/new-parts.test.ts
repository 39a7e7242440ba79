// Training of parts that begin anew: it learns, goes on to the same bits, and the parts are known to
// --freeze, --learning-rate-for and --layer-decay.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import type {LoadOptions} from '../../dist/model/embedding-model.js';
import {type TrainOptions, train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {bert, hashesOf, loadTiny, quick, stoppingAt} from './tiny.js';

const {folder} = temporaryFolder();
const init = join(bert, 'config.json');

async function run(load: LoadOptions, options: Partial<TrainOptions> = {}) {
	const model = await loadTiny({threads: 2, ...load});
	const losses: number[] = [];
	const {onStep, ...rest} = options;
	const noted: TrainOptions['onStep'] = step => {
		losses.push(step.loss);
		onStep?.(step);
	};
	await train(model, {...quick, ...rest, onStep: noted});
	return {model, losses};
}

test('a tiny model learns from scratch', async () => {
	const {losses} = await run({init, dense: 32, seed: 1}, {epochs: 30, learningRate: 2e-3});
	expect(losses.at(-1)!).toBeLessThan(0.4 * losses[0]!);
});

test('a run from scratch that was stopped goes on to the same bits', async () => {
	const load = {init, dense: 16, denseActivation: 'tanh', seed: 5} as const;
	const whole = await run(load, {output: join(folder, 'whole'), saveSteps: 1});
	const output = join(folder, 'stopped');
	await expect(run(load, {output, saveSteps: 1, ...stoppingAt(2)})).rejects.toThrow('stopped at 2');
	const rest = await run(load, {output, saveSteps: 1, resume: true});
	expect(rest.losses.length).toBe(whole.losses.length - 2);
	expect(await hashesOf(rest.model)).toEqual(await hashesOf(whole.model));
});

test('run.json says what began anew', async () => {
	const output = join(folder, 'record');
	await run({dense: 16, denseBias: false}, {output});
	const {options} = JSON.parse(readFileSync(join(output, 'run.json'), 'utf8'));
	expect(options).toMatchObject({dense: 16, denseBias: false});
});

test('another seed of the new parts is another run', async () => {
	const output = join(folder, 'seed');
	const stopped = run({dense: 16, seed: 1}, {output, saveSteps: 1, ...stoppingAt(1)});
	await expect(stopped).rejects.toThrow('stopped at 1');
	const other = run({dense: 16, seed: 2}, {output, saveSteps: 1, resume: true});
	await expect(other).rejects.toMatchObject({code: 'RESUME_CHANGED'});
});

test('freeze head keeps a new Dense as it began, and nothing else', async () => {
	const before = await hashesOf(await loadTiny({dense: 16}));
	const {model} = await run({dense: 16}, {freeze: ['head'], layerDecay: 0.9});
	const after = await hashesOf(model);
	const kept = [...after].filter(([name, hash]) => before.get(name) === hash);
	expect(kept.map(([name]) => name)).toEqual(['head.0.weight', 'head.0.bias']);
});

test('learning-rate-for head moves a new Dense alone', async () => {
	const before = await hashesOf(await loadTiny({dense: 16}));
	const {model} = await run({dense: 16}, {learningRateFor: {'*': 0, head: 1e-3}});
	const moved = [...(await hashesOf(model))].filter(([name, hash]) => before.get(name) !== hash);
	expect(moved.map(([name]) => name)).toEqual(['head.0.weight', 'head.0.bias']);
});

test.each(['gem', 'layer-weighted'] as const)('%s learns its own weights too', async pooling => {
	const load = {pooling, dense: 16} as const;
	const name = {gem: 'head.power', 'layer-weighted': 'layers.weight'}[pooling];
	const before = await hashesOf(await loadTiny(load));
	const output = join(folder, pooling);
	const {model, losses} = await run(load, {epochs: 12, learningRate: 3e-3, output});
	expect(losses.at(-1)!).toBeLessThan(0.95 * losses[0]!);
	expect((await hashesOf(model)).get(name)).not.toBe(before.get(name));
	const again = await loadTiny({path: output, pooling: undefined, normalize: undefined});
	const text = 'the age of the company';
	expect((await again.embed(text)).toString()).toBe((await model.embed(text)).toString());
	expect(await hashesOf(again)).toEqual(await hashesOf(model));
});

test.each([[{pooling: 'gem', dense: 16}], [{pooling: 'layer-weighted'}]] as [LoadOptions][])(
	'%j comes to the same bits for any threads, chunks and stops',
	async load => {
		const whole = await hashesOf((await run(load)).model);
		const cut = await run({...load, threads: 1}, {chunkTokens: 50, recompute: 'blocks'});
		expect(await hashesOf(cut.model)).toEqual(whole);
		const output = join(folder, `bits-${load.pooling}`);
		const stopped = run(load, {output, saveSteps: 1, ...stoppingAt(2)});
		await expect(stopped).rejects.toThrow('stopped at 2');
		const rest = await run(load, {output, saveSteps: 1, resume: true});
		expect(await hashesOf(rest.model)).toEqual(whole);
	},
);

test('that sentence-transformers does not open a pooling gem is said at the start', async () => {
	const model = await loadTiny({pooling: 'gem'});
	const messages: string[] = [];
	await train(model, {...quick, steps: 1, onMessage: message => messages.push(message)});
	expect(messages.join('\n')).toMatch(/will not open in sentence-transformers .* pooling gem/);
});

test('freeze layers keeps the weights of a mean of layers alone', async () => {
	const load = {pooling: 'layer-weighted'} as const;
	const before = await hashesOf(await loadTiny(load));
	const {model} = await run(load, {freeze: ['layers']});
	const kept = [...(await hashesOf(model))].filter(([name, hash]) => before.get(name) === hash);
	expect(kept.map(([name]) => name)).toEqual(['layers.weight']);
});
