// Small calls beside a large one: who waits how long, told in shares of the large one's own chunks.

import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {EmbeddingModel} from '../../dist/index.js';

const words = 'my bike makes a strange noise when it rains and the lamp stays red for hours'.split(
	' ',
);
const texts = Array.from({length: 250}, (_, n) =>
	Array.from({length: 60}, (_, i) => words[(7 * n + i * (1 + (n % 5))) % words.length]).join(' '),
).map((text, n) => `${text} ${n}`);
const batchTokens = 4096;
const groupTokens = 384; // what the engine computes before it looks who else waits

let model: EmbeddingModel;
let other: EmbeddingModel;
let alone: Awaited<ReturnType<EmbeddingModel['encode']>>;
let chunkTime: number;
let tokens: number;

beforeAll(async () => {
	model = await EmbeddingModel.load('builtin', {threads: 1});
	other = await EmbeddingModel.load('builtin', {threads: 1});
	const begun = performance.now();
	alone = await model.encode(texts, {batchTokens});
	tokens = alone.tokens.reduce((a, b) => a + b);
	chunkTime = ((performance.now() - begun) * batchTokens) / tokens;
});
afterAll(() => Promise.all([model.dispose(), other.dispose()]));

/** Embeds small texts one after the other until the large call is done; how long each took. */
async function beside(large: Promise<unknown>, small: EmbeddingModel): Promise<number[]> {
	const waits: number[] = [];
	const state = {isDone: false};
	const done = large.finally(() => {
		state.isDone = true;
	});
	while (!state.isDone) {
		const begun = performance.now();
		await small.embed(`a small text ${waits.length}`);
		waits.push(performance.now() - begun);
	}
	await done;
	return waits;
}

const median = (numbers: number[]) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;

describe('a small call beside a large one', () => {
	test.each([
		['the same model', () => model],
		['another model on the same device', () => other],
	])('of %s waits for less than a chunk of it, and changes no bit', async (_, of) => {
		const large = model.encode(texts, {batchTokens});
		const waits = await beside(large, of());
		expect(waits.length).toBeGreaterThan(tokens / batchTokens);
		expect(median(waits)).toBeLessThan(chunkTime);
		expect((await large).data).toEqual(alone.data);
	});

	test('has the bits that it has alone', async () => {
		const expected = await model.embed('a small text');
		const large = model.encode(texts, {batchTokens});
		expect(await model.embed('a small text')).toEqual(expected);
		await large;
	});
});

test('a large call is not starved by callers that never stop', async () => {
	const callers = 8;
	const large = model.encode(texts, {batchTokens});
	const loops = Array.from({length: callers}, () => beside(large, model));
	const small = (await Promise.all(loops)).flat().length;
	// A group for each round of small calls, and what is under way at the beginning and the end.
	const rounds = Math.ceil(tokens / (groupTokens / 2)) + 10;
	expect(small).toBeLessThan(callers * rounds);
	expect((await large).data).toEqual(alone.data);
});

test('thousands of small calls at once and a large one all end with their own bits', async () => {
	const few = texts.slice(0, 20).map((_, n) => `a small text ${n}`);
	const expected = await Promise.all(few.map(text => model.embed(text)));
	const large = model.encode(texts, {batchTokens});
	const calls = Array.from({length: 2000}, (_, n) => model.embed(few[n % few.length]!));
	for (const [n, vector] of (await Promise.all(calls)).entries()) {
		expect(vector).toEqual(expected[n % few.length]);
	}
	expect((await large).data).toEqual(alone.data);
});
