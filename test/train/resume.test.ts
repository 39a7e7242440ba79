// Going on from a checkpoint: the same bits, broken checkpoints, changed runs, aborts.

import {cpSync, readdirSync, readFileSync, truncateSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import type {EngineError} from '../../dist/errors.js';
import {infoNce} from '../../dist/loss/infonce.js';
import type {EmbeddingModel} from '../../dist/model/embedding-model.js';
import {type TrainOptions, train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {filesIn, hashOf, lines, loadTiny, metricsIn, rowsOf, stoppingAt, timeless} from './tiny.js';

const {folder, put} = temporaryFolder();
const data = put('rows.jsonl', lines(rowsOf(32)));
const at = (name: string) => join(folder, name);

/** A run of 8 steps with checkpoints after 3, 6 and 8 that keeps them all. */
const options = {
	...{data, batchSize: 8, epochs: 2, learningRate: 1e-3, dropout: 0.1, seed: 9},
	...{saveSteps: 3, keep: 9},
};

/** Trains a model of its own up to a step, or to the end. */
async function run(name: string, more: Partial<TrainOptions> = {}, model?: EmbeddingModel) {
	const messages: string[] = [];
	const onMessage = (message: string) => messages.push(message);
	const asked = {...options, output: at(name), onMessage, ...more};
	const result = await train(model ?? (await loadTiny()), asked);
	return {result, messages};
}

/** The error that a promise rejects with. */
const fails = (promise: Promise<unknown>) =>
	promise.then(
		() => expect.unreachable('expected a refusal'),
		(error: EngineError) => error,
	);

/** The whole run, made when it is first asked for. */
let whole: ReturnType<typeof run> | undefined;
const wholeRun = () => {
	whole ??= run('whole');
	return whole;
};

/** The same as the run that was never stopped: weights, moments, log. */
async function expectWhole(name: string): Promise<void> {
	await wholeRun();
	expect(hashOf(join(at(name), 'model.safetensors'))).toBe(hashOf(at('whole/model.safetensors')));
	const moments = 'checkpoints/step-8/trainer/moments.safetensors';
	expect(hashOf(join(at(name), moments))).toBe(hashOf(join(at('whole'), moments)));
	expect(timeless(metricsIn(at(name)))).toEqual(timeless(metricsIn(at('whole'))));
}

/** A copy of the whole run as it was before its end: no model yet, checkpoints after 3 and 6. */
async function brokenRun(name: string): Promise<string> {
	await wholeRun();
	cpSync(at('whole'), at(name), {recursive: true, filter: path => !path.includes('step-8')});
	return join(at(name), 'checkpoints', 'step-6');
}

describe('an aborted run', () => {
	test.each([1, 4, 6])('after step %d goes on to the same bits', async step => {
		const name = `aborted-${step}`;
		await expect(run(name, stoppingAt(step))).rejects.toThrow(`stopped at ${step}`);
		expect(readdirSync(join(at(name), 'checkpoints'))).toContain(`step-${step}`);
		const {result, messages} = await run(name, {resume: true});
		expect(result).toMatchObject({steps: 8, rows: 64, resumedFrom: step});
		expect(messages).toContain(`goes on from step ${step} of 8`);
		await expectWhole(name);
	});

	test('leaves a model that encodes, and that can go on itself', async () => {
		const model = await loadTiny({threads: 1});
		await expect(run('same', stoppingAt(5), model)).rejects.toThrow('stopped at 5');
		const {data: vector} = await model.encode('the symptom');
		expect(vector.every(Number.isFinite)).toBe(true);
		await run('same', {resume: true}, model);
		await expectWhole('same');
	});

	test('in the middle of a step has changed nothing of it', async () => {
		const controller = new AbortController();
		const stop = () => void setTimeout(() => controller.abort(new Error('now')), 4);
		const actions = new Map([[4, stop]]);
		const onStep: TrainOptions['onStep'] = ({step}) => actions.get(step)?.();
		const stopped = run('within', {signal: controller.signal, onStep, chunkTokens: 20});
		await expect(stopped).rejects.toThrow('now');
		await run('within', {resume: true, chunkTokens: 20});
		const weights = join(at('within'), 'model.safetensors');
		await wholeRun();
		expect(hashOf(weights)).toBe(hashOf(at('whole/model.safetensors')));
	});

	test('before its first step leaves nothing', async () => {
		const signal = AbortSignal.abort(new Error('not today'));
		await expect(run('never', {signal})).rejects.toThrow('not today');
		expect(readdirSync(folder).filter(name => name.includes('never'))).toEqual([]);
	});
});

describe('a broken checkpoint is named and the one before it used', () => {
	const flip = (path: string, at: number) => {
		const bytes = readFileSync(path);
		bytes[at < 0 ? bytes.length + at : at]! ^= 1;
		writeFileSync(path, bytes);
	};

	test.each([
		['a torn weight file', (at: string) => truncateSync(join(at, 'model.safetensors'), 5000)],
		['a flipped bit of a weight', (at: string) => flip(join(at, 'model.safetensors'), -100)],
		[
			'a flipped bit of a moment',
			(at: string) => flip(join(at, 'trainer/moments.safetensors'), -9),
		],
		['a torn state', (at: string) => truncateSync(join(at, 'trainer/state.json'), 300)],
		['a flipped bit of the state', (at: string) => flip(join(at, 'trainer/state.json'), 40)],
		['an empty state', (at: string) => writeFileSync(join(at, 'trainer/state.json'), 'null')],
	] as const)('%s', async (what, spoil) => {
		const name = what.replaceAll(' ', '-');
		const newest = await brokenRun(name);
		spoil(newest);
		const {result, messages} = await run(name, {resume: true});
		expect(result.resumedFrom).toBe(3);
		const told = messages.filter(message => message.includes(newest));
		expect(told).toEqual([expect.stringMatching(/expected .*; the checkpoint before it is used$/)]);
		await expectWhole(name);
	});

	test('and is gone afterwards, so that keep counts whole ones', async () => {
		const newest = await brokenRun('kept');
		truncateSync(join(newest, 'model.safetensors'), 5000);
		const stopped = {...stoppingAt(4), resume: true};
		await expect(run('kept', stopped)).rejects.toThrow('stopped');
		expect(readdirSync(join(at('kept'), 'checkpoints')).sort()).toEqual(['step-3', 'step-4']);
	});

	test('and where none is whole the run starts anew and says so', async () => {
		const newest = await brokenRun('none');
		for (const step of [newest, newest.replace('step-6', 'step-3')]) {
			truncateSync(join(step, 'model.safetensors'), 5000);
		}
		const {result, messages} = await run('none', {resume: true});
		expect(result.resumedFrom).toBeNull();
		expect(messages).toContain('no checkpoint to go on from; the run starts anew');
		await expectWhole('none');
	});
});

describe('a run goes on only as it began:', () => {
	test.each([
		['learningRate', {learningRate: 2e-3}, '0.001'],
		['batchSize', {batchSize: 4}, '8'],
		['epochs', {epochs: 3}, '2'],
		['dropout', {dropout: 0.2}, '0.1'],
		['seed', {seed: 1}, '9'],
		['freeze', {freeze: ['embeddings']}, '[]'],
		['queryPrompt', {queryPrompt: 'q: '}, 'nothing'],
		['loss', {loss: infoNce({temperature: 0.1})}, '0.05'],
		['data', {data: rowsOf(33)}, 'sha256'],
	] as const)('another %s is refused', async (name, change, before) => {
		await brokenRun(`changed-${name}`);
		const files = filesIn(at(`changed-${name}`));
		const error = await fails(run(`changed-${name}`, {...change, resume: true}));
		expect(error).toMatchObject({code: 'RESUME_CHANGED'});
		expect(error.message).toMatch(new RegExp(`^${name}(\\.\\w+)?: expected `));
		expect(error.message).toContain(before);
		expect(filesIn(at(`changed-${name}`))).toEqual(files);
	});

	test('other weights and lengths are refused, other threads are not', async () => {
		await brokenRun('other');
		await run('tuned', {steps: 1, epochs: undefined});
		const other = await loadTiny({path: at('tuned')});
		await expect(run('other', {resume: true}, other)).rejects.toThrow(/^model: expected /);
		const shorter = await loadTiny({maxLength: 20});
		await expect(run('other', {resume: true}, shorter)).rejects.toThrow(/^maxLength: expected 130/);
		await run('other', {resume: true}, await loadTiny({threads: 3}));
		await expectWhole('other');
	});

	test('a moved data file is the same data', async () => {
		await brokenRun('moved');
		await run('moved', {data: put('moved.jsonl', readFileSync(data)), resume: true});
		await expectWhole('moved');
	});
});

test('a finished run that is gone on with gives its result again and its weights', async () => {
	const {result} = await wholeRun();
	const files = filesIn(at('whole'));
	const model = await loadTiny();
	const again = await run('whole', {resume: true}, model);
	expect(again.result).toEqual({...result, resumedFrom: 8});
	expect(filesIn(at('whole'))).toEqual(files);
	const trained = await loadTiny({path: at('whole')});
	const texts = ['the symptom', 'what is the age'];
	expect((await model.encode(texts)).data).toEqual((await trained.encode(texts)).data);
});

test('a run killed before its end was written ends again in the same files', async () => {
	await brokenRun('unfinished');
	cpSync(at('whole/checkpoints/step-8'), at('unfinished/checkpoints/step-8'), {recursive: true});
	const path = at('unfinished/run.json');
	const {result, ...record} = JSON.parse(readFileSync(path, 'utf8')) as {result: object};
	expect(result).toBeDefined();
	writeFileSync(path, JSON.stringify(record));
	expect((await run('unfinished', {resume: true})).result.resumedFrom).toBe(8);
	expect(filesIn(at('unfinished'))).toEqual(filesIn(at('whole')));
	await expectWhole('unfinished');
});
