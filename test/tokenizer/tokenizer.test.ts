// The life of a tokenizer on the main thread: order, turns, abort, death, disposal.

import {execFile} from 'node:child_process';
import {promisify} from 'node:util';
import {Worker} from 'node:worker_threads';
import {afterEach, describe, expect, test, vi} from 'vitest';
import type {EncodedTexts} from '../../dist/tokenizer/encoder.js';
import {readTokenizerFiles, type TokenizerFiles} from '../../dist/tokenizer/files.js';
import {Tokenizer} from '../../dist/tokenizer/tokenizer.js';
import {bertFamily, sourceOf} from './sources.js';

const files = await readTokenizerFiles(bertFamily);
const settings = {maxLength: 64};
const texts = Array.from(
	{length: 3000},
	(_, n) => `the ${n} of a text ${'and so on '.repeat(n % 20)}`,
);

afterEach(() => {
	vi.restoreAllMocks();
});

/** Ends the worker of the next message that is posted, before it could answer. */
function killNextWorker() {
	const post = Worker.prototype.postMessage;
	vi.spyOn(Worker.prototype, 'postMessage').mockImplementationOnce(function (
		this: Worker,
		message,
	) {
		void this.terminate();
		post.call(this, message);
	});
}

test('the facts of a tokenizer are known once it is open', async () => {
	await using tokenizer = await Tokenizer.open(files);
	expect(tokenizer.specialTokens).toBe(2);
	expect(tokenizer.largestId).toBeGreaterThan(100);
	expect(files.modelMaxLength).toBe(130);
});

test('many messages give the same ids in the same order as single texts', async () => {
	await using tokenizer = await Tokenizer.open(files);
	const {ids, offsets, truncated} = await tokenizer.encode(texts, settings);
	const some = [0, 255, 256, 257, 1500, 2999];
	const single = await Promise.all(some.map(n => tokenizer.encode([texts[n] ?? ''], settings)));
	expect(offsets).toHaveLength(texts.length + 1);
	expect(ids).toHaveLength(offsets.at(-1) ?? 0);
	expect(some.map(n => ids.slice(offsets[n], offsets[n + 1]))).toEqual(single.map(one => one.ids));
	expect(some.map(n => truncated[n])).toEqual(single.map(one => one.truncated[0]));
});

test('no texts give no ids, and an empty text its special tokens', async () => {
	await using tokenizer = await Tokenizer.open(files);
	expect((await tokenizer.encode([], settings)).offsets).toEqual(Int32Array.of(0));
	expect((await tokenizer.encode([''], settings)).ids).toHaveLength(2);
});

test('a short call is not kept waiting by a long one', async () => {
	await using tokenizer = await Tokenizer.open(files);
	const finished: string[] = [];
	const long = tokenizer.encode([...texts, ...texts], settings).then(() => finished.push('long'));
	const short = tokenizer.encode(['short'], settings).then(() => finished.push('short'));
	await Promise.all([long, short]);
	expect(finished).toEqual(['short', 'long']);
});

test('at most four messages of at most 256 texts are under way', async () => {
	await using tokenizer = await Tokenizer.open(files);
	const post = vi.spyOn(Worker.prototype, 'postMessage');
	const call = tokenizer.encode(texts, settings);
	expect(post).toHaveBeenCalledTimes(4);
	await call;
	expect(post).toHaveBeenCalledTimes(Math.ceil(texts.length / 256));
});

test('long texts are posted in messages of few characters', async () => {
	await using tokenizer = await Tokenizer.open(files);
	const post = vi.spyOn(Worker.prototype, 'postMessage');
	const long = ['a '.repeat(100_000), 'b '.repeat(100_000), 'c', 'd '.repeat(1_000_000), 'e'];
	await tokenizer.encode(long, settings);
	type Message = {readonly texts: readonly string[]} | {readonly part: string};
	const sizes = post.mock.calls.map(([message]) => {
		const sent = message as Message;
		return 'part' in sent ? `part of ${sent.part.length}` : sent.texts.length;
	});
	const parts = [...Array(7).fill('part of 262144'), 'part of 164992'];
	expect(sizes.filter(size => typeof size === 'number')).toEqual([1, 2, 1, 0]);
	expect(sizes.filter(size => typeof size === 'string')).toEqual(parts);
});

test('a text that is posted in parts gives the ids of the whole', async () => {
	await using tokenizer = await Tokenizer.open(files);
	const words = Array.from({length: 200_000}, (_, n) => ['the', 'é', '中', '😀', 'end.'][n % 5]);
	const [long, whole] = [words.join(' '), {maxLength: 1e6}];
	const half = long.indexOf('é', long.length / 2);
	const [both, ...halves] = await Promise.all(
		[long, long.slice(0, half), long.slice(half)].map(text => tokenizer.encode([text], whole)),
	);
	const [first, second] = halves.map(({ids}) => [...ids]);
	expect([...both!.ids]).toEqual([...first!.slice(0, -1), ...second!.slice(1)]);
});

test('an aborted call rejects with the reason and others go on', async () => {
	await using tokenizer = await Tokenizer.open(files);
	const controller = new AbortController();
	const reason = new Error('enough');
	const aborted = tokenizer.encode(texts, {...settings, signal: controller.signal});
	const other = tokenizer.encode(['other'], settings);
	controller.abort(reason);
	await expect(aborted).rejects.toBe(reason);
	expect((await other).offsets).toHaveLength(2);
	await expect(tokenizer.encode(['a'], {...settings, signal: controller.signal})).rejects.toBe(
		reason,
	);
});

test('opening can be aborted', async () => {
	const controller = new AbortController();
	const reason = new Error('enough');
	const opening = Tokenizer.open(files, {signal: controller.signal});
	controller.abort(reason);
	await expect(opening).rejects.toBe(reason);
});

test('a worker that dies rejects the call, and the next call works', async () => {
	await using tokenizer = await Tokenizer.open(files);
	const before = await tokenizer.encode(['again'], settings);
	killNextWorker();
	await expect(tokenizer.encode(['again'], settings)).rejects.toMatchObject({
		code: 'INTERNAL',
		message: expect.stringContaining('worker died'),
	});
	expect(await tokenizer.encode(['again'], settings)).toEqual(before);
});

describe('with several workers', () => {
	const workers = {most: 3, afterSeconds: 0};
	const many = [...texts, ...texts];

	/** What was encoded, as what is quick to compare. */
	const bytesOf = ({ids, offsets, truncated}: EncodedTexts) =>
		[ids, offsets, truncated].map(({buffer}) => Buffer.from(buffer).toString('base64'));

	/** A tokenizer that has opened all of them, and these. */
	async function openedAll() {
		const post = vi.spyOn(Worker.prototype, 'postMessage');
		const tokenizer = await Tokenizer.open(files, {workers});
		const used = () => new Set(post.mock.contexts);
		while (used().size < 3) await tokenizer.encode(many, settings);
		return {tokenizer, used: used(), post};
	}

	test('texts come back in their order, with the ids that one gives', async () => {
		const {tokenizer, used, post} = await openedAll();
		await using one = await Tokenizer.open(files);
		post.mockClear();
		const [some, short] = await Promise.all([
			tokenizer.encode(many, settings),
			tokenizer.encode(['short'], settings),
		]);
		expect(new Set(post.mock.contexts)).toEqual(used);
		expect(bytesOf(some)).toEqual(bytesOf(await one.encode(many, settings)));
		expect(short).toEqual(await one.encode(['short'], settings));
		await tokenizer.dispose();
		expect([...used].map(({threadId}) => threadId)).toEqual([-1, -1, -1]);
	});

	test('few messages are posted at a time, and each once', async () => {
		const {tokenizer, post} = await openedAll();
		post.mockClear();
		const call = tokenizer.encode(many, settings);
		expect(post).toHaveBeenCalledTimes(4);
		await call;
		expect(post).toHaveBeenCalledTimes(Math.ceil(many.length / 256));
		await tokenizer.dispose();
	});

	test('a call that is quicker than another is worth is left to the first', async () => {
		const post = vi.spyOn(Worker.prototype, 'postMessage');
		await using tokenizer = await Tokenizer.open(files, {workers: {most: 3, afterSeconds: 60}});
		await tokenizer.encode(texts, settings);
		expect(new Set(post.mock.contexts).size).toBe(1);
	});

	test('one that dies rejects the calls that had texts there, and no others', async () => {
		const {tokenizer} = await openedAll();
		const before = bytesOf(await tokenizer.encode(many, settings));
		killNextWorker();
		const [lost, kept] = await Promise.allSettled([
			tokenizer.encode(['lost'], settings),
			tokenizer.encode(['kept'], settings),
		]);
		expect(lost).toMatchObject({status: 'rejected', reason: {code: 'INTERNAL'}});
		expect(kept.status).toBe('fulfilled');
		expect(bytesOf(await tokenizer.encode(many, settings))).toEqual(before);
		await tokenizer.dispose();
	});

	test('an abort ends a call that all work on, and others go on', async () => {
		const {tokenizer} = await openedAll();
		const controller = new AbortController();
		const aborted = tokenizer.encode(many, {...settings, signal: controller.signal});
		const other = tokenizer.encode(['other'], settings);
		controller.abort(new Error('enough'));
		await expect(aborted).rejects.toThrow('enough');
		expect((await other).offsets).toHaveLength(2);
		await tokenizer.dispose();
	});

	test('one that cannot open rejects a call, and the next call works', async () => {
		const source = sourceOf(new TextDecoder().decode(files.source.bytes));
		await using tokenizer = await Tokenizer.open({...files, source}, {workers});
		const before = await tokenizer.encode(texts, settings);
		source.bytes.fill(0);
		const untilOneMore = async () => {
			for (let turn = 0; turn < 1000; turn++) await tokenizer.encode(texts, settings);
		};
		await expect(untilOneMore()).rejects.toMatchObject({code: 'TOKENIZER_INVALID'});
		expect((await tokenizer.encode(texts.slice(0, 9), settings)).ids).toEqual(
			before.ids.slice(0, before.offsets[9]),
		);
	});
});

test('dispose waits for calls in flight and refuses later ones', async () => {
	const tokenizer = await Tokenizer.open(files);
	const call = tokenizer.encode(texts, settings);
	const disposed = tokenizer.dispose();
	await expect(tokenizer.encode(['late'], settings)).rejects.toMatchObject({code: 'DISPOSED'});
	await disposed;
	expect((await call).offsets).toHaveLength(texts.length + 1);
	await tokenizer.dispose();
});

test('a length that leaves no room for the text is refused', async () => {
	await using tokenizer = await Tokenizer.open(files);
	const refused = {code: 'OPTION_RANGE'};
	await expect(tokenizer.encode(['a'], {maxLength: 2})).rejects.toMatchObject(refused);
	await expect(tokenizer.encode(['a'], {maxLength: 3.5})).rejects.toMatchObject(refused);
	expect((await tokenizer.encode(['a'], {maxLength: 3})).ids).toHaveLength(3);
	const bare = {maxLength: 1, addSpecialTokens: false};
	expect((await tokenizer.encode(['a b'], bare)).ids).toHaveLength(1);
});

test('a text that is no string is refused by its index', async () => {
	await using tokenizer = await Tokenizer.open(files);
	const wrong = ['a', 7] as unknown as string[];
	await expect(tokenizer.encode(wrong, settings)).rejects.toThrow(
		'texts[1]: expected a string, got a number',
	);
});

test('an invalid tokenizer rejects open with its code', async () => {
	const broken: TokenizerFiles = {...files, source: sourceOf('{"model":')};
	await expect(Tokenizer.open(broken)).rejects.toMatchObject({code: 'TOKENIZER_INVALID'});
});

test('an idle tokenizer does not keep the process alive', async () => {
	const url = (name: string) => new URL(`../../dist/tokenizer/${name}.js`, import.meta.url).href;
	const program = `
		import {readTokenizerFiles} from '${url('files')}';
		import {Tokenizer} from '${url('tokenizer')}';
		const tokenizer = await Tokenizer.open(await readTokenizerFiles(${JSON.stringify(bertFamily)}));
		console.log((await tokenizer.encode(['a'], {maxLength: 8})).ids.length);
	`;
	const node = promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
		timeout: 30_000,
	});
	expect((await node).stdout).toBe('3\n');
});
