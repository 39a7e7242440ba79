// encodeStream as a user meets it: sources of every kind, what is read and when, leaving it, aborting it.

import {join} from 'node:path';
import {Readable} from 'node:stream';
import {setTimeout as sleep} from 'node:timers/promises';
import {describe, expect, test} from 'vitest';
import type {EncodeOptions, StreamBatch} from '../../dist/model/embedding-model.js';
import {temporaryFolder} from '../files/folder.js';
import {load, modelFolder, oldShape} from './folders.js';

const {folder} = temporaryFolder();
const path = modelFolder(join(folder, 'model'), oldShape);
const most = 1024;
const many = (count: number) => Array.from({length: count}, (_, n) => `what is sign ${n}`);
const never = new Promise<never>(() => {});

type Stream = AsyncGenerator<StreamBatch, void, undefined>;

async function joined(stream: Stream): Promise<{ids: string[]; data: number[]; rows: number[]}> {
	const all = {ids: [] as string[], data: [] as number[], rows: [] as number[]};
	for await (const {ids, data, rows} of stream) {
		all.ids.push(...ids);
		for (const value of data) all.data.push(value);
		all.rows.push(rows);
	}
	return all;
}

/** Texts without end that tell how many were read and whether they were closed. */
function watched({waitAt = Number.POSITIVE_INFINITY, wait = async () => {}} = {}) {
	const seen = {read: 0, closed: 0};
	const source = {
		[Symbol.asyncIterator]: () => ({
			async next() {
				if (seen.read === waitAt) await wait();
				return {done: false as const, value: `what is sign ${seen.read++}`};
			},
			async return() {
				seen.closed++;
				return {done: true as const, value: undefined};
			},
		}),
	};
	return {seen, source};
}

describe('a stream', () => {
	const list = many(2 * most + 100);
	const named = list.map((text, n) => ({id: `doc-${n}`, text}));
	function* generated() {
		yield* list;
	}
	async function* awaited() {
		for (const item of named) yield item;
	}

	test.each([
		['an array', () => list],
		['a set', () => new Set(list)],
		['a generator', generated],
		['promises of texts', () => list.map(async text => text)],
		['an asynchronous generator of named texts', awaited],
		['a Readable', () => Readable.from(list)],
		['a ReadableStream of named texts', () => Readable.toWeb(Readable.from(named))],
	])('of %s gives the bits of encode, in order', async (_, source) => {
		const model = await load(path);
		const {ids, data, rows} = await joined(model.encodeStream(source() as Iterable<string>));
		expect(data).toEqual([...(await model.encode(list)).data]);
		expect(rows).toEqual([most, most, 100]);
		expect(ids.map(id => id.replace('doc-', ''))).toEqual(list.map((_, n) => String(n)));
	});

	test('of nothing gives nothing', async () => {
		expect(await joined((await load(path)).encodeStream([]))).toEqual({
			ids: [],
			data: [],
			rows: [],
		});
	});

	test.each<EncodeOptions>([
		{promptText: 'query: '},
		{dimensions: 7},
		{normalize: false},
		{maxLength: 4, batchTokens: 50},
	])('with %j is encode with it', async options => {
		const model = await load(path);
		const {data} = await joined(model.encodeStream(list, options));
		expect(data).toEqual([...(await model.encode(list, options)).data]);
	});

	test('has batches of fewer texts where they are long', async () => {
		const long = Array.from({length: 6}, (_, n) => `${n} `.repeat(2 ** 20));
		const {rows} = await joined((await load(path)).encodeStream(long));
		expect(rows).toEqual([2, 2, 2]);
	});

	test('counts on over its batches', async () => {
		const seen: number[][] = [];
		const onProgress = ({done, total, tokens}: Record<'done' | 'total' | 'tokens', number>) =>
			void seen.push([done, total, tokens]);
		const model = await load(path);
		await joined(model.encodeStream(list, {onProgress}));
		const {tokens} = await model.encode(list);
		const sum = tokens.reduce((a, b) => a + b, 0);
		expect(seen.at(-1)).toEqual([list.length, list.length, sum]);
		expect(seen.map(([done]) => done)).toEqual(
			seen.map(([done]) => done).toSorted((a, b) => a! - b!),
		);
	});

	test('may run beside another of the same model', async () => {
		const model = await load(path);
		const other = list.toReversed();
		const [first, second] = await Promise.all(
			[list, other].map(texts => joined(model.encodeStream(texts))),
		);
		expect(first!.data).toEqual([...(await model.encode(list)).data]);
		expect(second!.data).toEqual([...(await model.encode(other)).data]);
	});
});

describe('the source of a stream', () => {
	test('is read one batch at a time, and only when that is asked for', async () => {
		const {seen, source} = watched();
		const stream = (await load(path)).encodeStream(source);
		await sleep(10);
		const reads = [seen.read];
		for (let n = 0; n < 3; n++) {
			await stream.next();
			await sleep(10);
			reads.push(seen.read);
		}
		await stream.return();
		expect(reads).toEqual([0, most, 2 * most, 3 * most]);
		expect(seen).toEqual({read: 3 * most, closed: 1});
	});

	test('is closed by a break', async () => {
		const {seen, source} = watched();
		for await (const {rows} of (await load(path)).encodeStream(source)) {
			expect(rows).toBe(most);
			break;
		}
		expect(seen).toEqual({read: most, closed: 1});
	});

	test('is closed by return() while it is waited for', async () => {
		const {seen, source} = watched({waitAt: 5, wait: () => never});
		const stream = (await load(path)).encodeStream(source);
		const next = stream.next();
		await sleep(10);
		expect(await stream.return()).toEqual({done: true, value: undefined});
		expect(await next).toEqual({done: true, value: undefined});
		expect(seen).toEqual({read: 5, closed: 1});
	});

	test('is closed by return() while its texts are computed, which stops', async () => {
		const model = await load(path);
		const {seen, source} = watched();
		let stream: Stream | undefined;
		let ended: unknown;
		let last = 0;
		const onProgress = ({done}: {done: number}) => {
			last = done;
			ended ??= stream?.return();
		};
		stream = model.encodeStream(source, {batchTokens: 20, onProgress});
		expect(await stream.next()).toEqual({done: true, value: undefined});
		expect(await ended).toEqual({done: true, value: undefined});
		expect(last).toBeLessThan(100);
		expect(seen).toEqual({read: most, closed: 1});
		expect((await model.embed('usable')).length).toBe(64);
	});

	test('that fails ends the stream with its error, after the batches before', async () => {
		const broken = new Error('disk on fire');
		async function* source() {
			yield* many(most + 1);
			throw broken;
		}
		const stream = (await load(path)).encodeStream(source());
		expect((await stream.next()).value).toMatchObject({rows: most});
		await expect(stream.next()).rejects.toBe(broken);
		expect(await stream.next()).toEqual({done: true, value: undefined});
	});

	test('has a promise that fails', async () => {
		const broken = new Error('not kept');
		const stream = (await load(path)).encodeStream([Promise.reject(broken)] as never);
		await expect(stream.next()).rejects.toBe(broken);
	});

	test.each([
		[5, 'expected a string or an object with id and text, got a number'],
		[null, 'expected a string or an object with id and text, got null'],
		[undefined, 'expected a string or an object with id and text, got nothing'],
		[Buffer.from('a'), 'expected a string or an object with id and text, got an object'],
		[['a'], 'expected a string or an object with id and text, got an array'],
		[{id: 'a', text: 7}, 'expected text to be a string, got a number'],
		[{id: {}, text: 'a'}, 'expected id to be a string or a whole number, got an object'],
	])('that yields %j is closed, and the text is named by its number', async (value, message) => {
		const seen = {closed: 0};
		async function* source() {
			try {
				yield* many(most + 3);
				yield value as string;
			} finally {
				seen.closed++;
			}
		}
		const stream = (await load(path)).encodeStream(source());
		await stream.next();
		await expect(stream.next()).rejects.toMatchObject({
			code: 'OPTION_TYPE',
			message: `texts[${most + 3}]: ${message}`,
		});
		expect(seen.closed).toBe(1);
	});

	test('may name texts by whole numbers, or not at all', async () => {
		const items = [{id: 7, text: 'a'}, {text: 'b'}, 'c'] as unknown as string[];
		expect((await joined((await load(path)).encodeStream(items))).ids).toEqual(['7', '1', '2']);
	});
});

describe('an abort of a stream rejects with its reason and closes the source', () => {
	const reason = new Error('enough');

	test('before it begins, without reading', async () => {
		const {seen, source} = watched();
		const signal = AbortSignal.abort(reason);
		const stream = (await load(path)).encodeStream(source, {signal});
		await expect(stream.next()).rejects.toBe(reason);
		expect(seen).toEqual({read: 0, closed: 1});
	});

	test('while the source is waited for', async () => {
		const controller = new AbortController();
		const {seen, source} = watched({waitAt: 5, wait: () => never});
		const {signal} = controller;
		const next = (await load(path)).encodeStream(source, {signal}).next();
		setTimeout(() => controller.abort(reason), 10);
		await expect(next).rejects.toBe(reason);
		expect(seen).toEqual({read: 5, closed: 1});
	});

	test('while a Readable is waited for, which is destroyed', async () => {
		const controller = new AbortController();
		const source = new Readable({objectMode: true, read() {}});
		source.push('one text');
		const {signal} = controller;
		const next = (await load(path)).encodeStream(source, {signal}).next();
		setTimeout(() => controller.abort(reason), 10);
		await expect(next).rejects.toBe(reason);
		expect(source.destroyed).toBe(true);
	});

	test('while a generator that never waits is read', async () => {
		const controller = new AbortController();
		let closed = 0;
		function* source() {
			try {
				while (true) {
					const end = performance.now() + 1;
					while (performance.now() < end) Math.random();
					yield 'a text that took long';
				}
			} finally {
				closed++;
			}
		}
		const {signal} = controller;
		const next = (await load(path)).encodeStream(source(), {signal}).next();
		setTimeout(() => controller.abort(reason), 20);
		const begun = performance.now();
		await expect(next).rejects.toBe(reason);
		expect(performance.now() - begun).toBeLessThan(most / 2);
		expect(closed).toBe(1);
	});

	test('while texts are computed', async () => {
		const model = await load(path);
		const controller = new AbortController();
		const {seen, source} = watched();
		const {signal} = controller;
		const onProgress = () => controller.abort(reason);
		const stream = model.encodeStream(source, {batchTokens: 20, signal, onProgress});
		await expect(stream.next()).rejects.toBe(reason);
		expect(seen).toEqual({read: most, closed: 1});
		expect((await model.embed('usable')).length).toBe(64);
	});

	test('while a batch is looked at, even if the source fails to close', async () => {
		const controller = new AbortController();
		async function* source() {
			try {
				yield* many(3 * most);
			} finally {
				await Promise.reject(new Error('cannot close'));
			}
		}
		const stream = (await load(path)).encodeStream(source(), {signal: controller.signal});
		await stream.next();
		controller.abort(reason);
		await expect(stream.next()).rejects.toBe(reason);
	});
});

describe('a stream of', () => {
	test.each(['a text', 5, null, undefined, {}, () => []])('%o is refused at once', async texts => {
		const model = await load(path);
		expect(() => model.encodeStream(texts as never)).toThrow(
			expect.objectContaining({code: 'OPTION_TYPE'}),
		);
	});

	test.each([{dimensions: 65}, {prompt: 'none'}, {batch: 5}])(
		'%j is refused at once, and nothing is read',
		async options => {
			const model = await load(path);
			const {seen, source} = watched();
			expect(() => model.encodeStream(source, options as EncodeOptions)).toThrow(
				expect.objectContaining({name: 'EngineError'}),
			);
			expect(seen).toEqual({read: 0, closed: 0});
		},
	);

	test('a model that is disposed meanwhile ends with an error and closes the source', async () => {
		const model = await load(path);
		const {seen, source} = watched();
		const stream = model.encodeStream(source);
		await stream.next();
		await model.dispose();
		await expect(stream.next()).rejects.toMatchObject({code: 'DISPOSED'});
		expect(seen.closed).toBe(1);
	});
});
