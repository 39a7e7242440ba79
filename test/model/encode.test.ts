// encode as a user calls it: results, options, aborts, the end of a model, the event loop.

import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {describe, expect, test} from 'vitest';
import {longestStretch} from '../../benchmarks/main-thread.mjs';
import {EmbeddingModel, type EncodeOptions} from '../../dist/model/embedding-model.js';
import {train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {load, modelFolder, oldShape} from './folders.js';

const {folder} = temporaryFolder();
const path = modelFolder(join(folder, 'model'), oldShape);
const texts = [
	...['the symptom', '', ' ', 'What is the age of all the others?', 'the symptom'],
	...Array.from({length: 40}, (_, n) => `the sign ${n} ${'with this '.repeat(n)}`),
];
const many = (count: number) =>
	Array.from({length: count}, (_, n) => `what is the sign ${n} of the other ${7 * n}`);

describe('encode', () => {
	test('gives a row for each text, in order', async () => {
		const model = await load(path);
		const {data, rows, width, tokens, truncated} = await model.encode(texts);
		expect({rows, width, length: data.length}).toEqual({rows: 45, width: 64, length: 45 * 64});
		for (const [n, text] of texts.entries()) {
			expect(await model.embed(text), text).toEqual(data.slice(64 * n, 64 * (n + 1)));
		}
		const {tokenizer} = model;
		const {offsets} = await tokenizer.encode(texts, {maxLength: 100, truncationSide: 'right'});
		expect([...tokens]).toEqual(texts.map((_, n) => offsets[n + 1]! - offsets[n]!));
		expect(truncated).toBe(tokens.filter(count => count === 100).length);
	});

	test('gives the same bits whatever the batches, threads and companions', async () => {
		const {data} = await (await load(path)).encode(texts);
		const threads = await load(path, {threads: 3});
		for (const batchTokens of [1, 50, 300, 2 ** 20]) {
			expect((await threads.encode(texts, {batchTokens})).data).toEqual(data);
		}
		const calls = [texts, texts.toReversed(), texts].map(list => threads.encode(list));
		const [first, reversed, last] = await Promise.all(calls);
		expect([first!.data, last!.data]).toEqual([data, data]);
		expect(reversed!.data.slice(0, 64)).toEqual(data.slice(-64));
	});

	test('takes one text, and none', async () => {
		const model = await load(path);
		expect(await model.encode('the symptom')).toMatchObject({rows: 1, width: 64});
		expect(await model.encode([])).toEqual({
			...{data: new Float32Array(), rows: 0, width: 64, tokens: new Int32Array(), truncated: 0},
		});
	});

	test('cuts dimensions and makes the rest unit length again where the model does', async () => {
		const model = await load(path);
		const long = await model.embed('the symptom', {normalize: false});
		const cut = long.slice(0, 10);
		expect(await model.embed('the symptom', {normalize: false, dimensions: 10})).toEqual(cut);
		const length = Math.hypot(...cut);
		const short = await model.embed('the symptom', {dimensions: 10});
		for (const [n, value] of short.entries()) expect(value).toBeCloseTo(cut[n]! / length, 6);
	});

	test('cuts from the side that is asked for', async () => {
		const words = 'a b c d e f g h i j';
		const right = await load(path, {maxLength: 5});
		const left = await load(path, {maxLength: 5, truncationSide: 'left'});
		expect(await right.embed(words)).toEqual(await right.embed('a b c'));
		expect(await left.embed(words)).toEqual(await right.embed('h i j'));
	});

	test('tells its progress in distinct texts', async () => {
		const seen: object[] = [];
		const onProgress: EncodeOptions['onProgress'] = progress => seen.push(progress);
		const {tokens} = await (await load(path)).encode(texts, {batchTokens: 500, onProgress});
		const total = tokens.reduce((a, b) => a + b) - tokens[4]!;
		expect(seen.length).toBeGreaterThan(3);
		expect(seen.at(-1)).toEqual({done: 44, total: 44, tokens: total});
	});

	test.each([
		[{dimensions: 65}, 'OPTION_RANGE', /dimensions: .*1 to 64, got 65/],
		[{dimensions: 0}, 'OPTION_RANGE', /got 0/],
		[{batchTokens: 0.5}, 'OPTION_RANGE', /batch-tokens/],
		[{maxLength: 131}, 'OPTION_RANGE', /max-length: .*1 to 130, got 131/],
	] as const)('refuses %j', async (options, code, message) => {
		const refused = (await load(path)).encode(texts, options);
		await expect(refused).rejects.toMatchObject({code, message: expect.stringMatching(message)});
	});

	test('refuses options of another type, and names that only the language knows', async () => {
		const model = await load(path);
		const refused: [string, unknown][] = [
			['encode: options: expected an object, got null', null],
			['encode: signal: expected an AbortSignal, got an object', {signal: {}}],
			['encode: onProgress: expected a function, got a number', {onProgress: 7}],
			['normalize: expected true or false, got a string', {normalize: 'x'}],
			["prompt: expected one of the model's (none), got constructor", {prompt: 'constructor'}],
			["prompt: expected one of the model's (none), got __proto__", {prompt: '__proto__'}],
		];
		for (const [message, options] of refused) {
			const encoding = model.encode(['text'], options as EncodeOptions);
			await expect(encoding, message).rejects.toMatchObject({name: 'EngineError', message});
		}
		for (const source of [undefined, null, 7, new URL('file:///tmp')]) {
			const loading = EmbeddingModel.load(source as unknown as string);
			await expect(loading).rejects.toMatchObject({code: 'OPTION_TYPE'});
		}
	});

	test('refuses what is no text, naming its place', async () => {
		const refused = (await load(path)).encode(['a', 5, 'b'] as unknown as string[]);
		await expect(refused).rejects.toMatchObject({
			code: 'OPTION_TYPE',
			message: 'texts[1]: expected a string, got a number',
		});
	});
});

describe('an aborted encode', () => {
	test('rejects with the reason, works no more, and leaves a usable model', async () => {
		const model = await load(path, {threads: 2});
		const before = await model.embed('the symptom');
		const controller = new AbortController();
		const reason = new Error('enough');
		const onProgress = () => controller.abort(reason);
		const {signal} = controller;
		const work = model.encode(many(60_000), {batchTokens: 2000, signal, onProgress});
		await expect(work).rejects.toBe(reason);
		await sleep(50); // what was collected meanwhile is given back
		const used = process.cpuUsage();
		await sleep(200);
		const {user, system} = process.cpuUsage(used);
		expect((user + system) / 1000).toBeLessThan(60);
		expect(await model.embed('the symptom')).toEqual(before);
	});

	test('before it begins rejects with the reason', async () => {
		const reason = new Error('never');
		const work = (await load(path)).encode(texts, {signal: AbortSignal.abort(reason)});
		await expect(work).rejects.toBe(reason);
	});

	test('leaves other calls alone', async () => {
		const model = await load(path);
		const controller = new AbortController();
		const aborted = model.encode(many(20_000), {signal: controller.signal});
		const kept = model.encode(texts);
		controller.abort(new Error('only this'));
		await expect(aborted).rejects.toThrow('only this');
		expect((await kept).data).toEqual((await model.encode(texts)).data);
	});
});

describe('dispose', () => {
	test('waits for the calls in flight, then nothing works any more', async () => {
		const model = await load(path);
		const order: string[] = [];
		const done = (name: string) => () => void order.push(name);
		const calls = [
			model.encode(many(3000)).then(done('encode')),
			model.save(join(folder, 'saved')).then(done('save')),
		];
		const disposed = model.dispose().then(done('dispose'));
		await Promise.all([...calls, disposed, model.dispose()]);
		expect(order.at(-1)).toBe('dispose');
		expect(order).toHaveLength(3);
		await expect(model.encode('a')).rejects.toMatchObject({code: 'DISPOSED'});
	});

	test('waits for a training', async () => {
		const model = await load(path);
		const data = many(32).map(text => ({query: text, positive: `the ${text}`}));
		const training = train(model, {data, batchSize: 8});
		await sleep(5);
		const disposed = model.dispose();
		expect(await training).toMatchObject({steps: 4});
		await disposed;
		await expect(train(model, {data})).rejects.toMatchObject({code: 'DISPOSED'});
	});
});

describe('the event loop is never held for 5 ms', () => {
	const data = many(1500).map(text => ({query: text, positive: `the ${text}`}));

	test('and the measure sees whoever does', async () => {
		const held = await longestStretch(async () => {
			await sleep(1);
			const end = performance.now() + 30;
			while (performance.now() < end) Math.random();
		});
		expect(held).toBeGreaterThan(5);
	});

	/** The best of three: the collector of garbage runs when it likes, the work is the same each time. */
	async function leastOf(work: () => Promise<unknown>): Promise<number> {
		const stretches = [];
		for (let n = 0; n < 3; n++) stretches.push(await longestStretch(work));
		return Math.min(...stretches);
	}

	test('by encode', async () => {
		const model = await load(path);
		expect(await leastOf(() => model.encode(many(8000)))).toBeLessThan(5);
	});

	test('by train and its checkpoints', async () => {
		const model = await load(path);
		const output = join(folder, 'run');
		const options = {data, batchSize: 500, output, overwrite: true, saveSteps: 3};
		expect(await leastOf(() => train(model, options))).toBeLessThan(5);
	});

	test('by load and save', async () => {
		const saved = join(folder, 'again');
		const work = async () => (await load(path)).save(saved, {overwrite: true});
		expect(await leastOf(work)).toBeLessThan(5);
	});
});
