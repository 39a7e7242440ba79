import {expect, test} from 'vitest';
import {below, randomOf, sample, shuffled} from '../../dist/data/random.js';
import {textHash} from '../../dist/data/text-hash.js';

const take = (count: number, ...keys: number[]) => {
	const random = randomOf(...keys);
	return Array.from({length: count}, () => random());
};

test('Equal keys give equal streams, any other key another', () => {
	expect(take(5, 1, 2, 3)).toEqual(take(5, 1, 2, 3));
	const others = [
		[1, 2, 4],
		[1, 3, 3],
		[2, 2, 3],
		[1, 2],
		[2, 1, 3],
		[1 + 2 ** 32, 2, 3],
		[0],
		[0, 0],
	];
	const firsts = [[1, 2, 3], ...others].map(keys => take(2, ...keys).join());
	expect(new Set(firsts).size).toBe(firsts.length);
});

test('First values of neighbouring keys are spread evenly', () => {
	const counts = new Array<number>(16).fill(0);
	for (let row = 0; row < 16_000; row++) counts[below(randomOf(7, 0, row), 16)]!++;
	// Chi-square with 15 degrees of freedom: 37.7 is passed once in a thousand.
	const chi = counts.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
	expect(chi).toBeLessThan(37.7);
});

test('Every bit of the stream is as often one as zero', () => {
	const words = take(20_000, 42);
	for (let bit = 0; bit < 32; bit++) {
		const ones = words.filter(word => (word >>> bit) & 1).length;
		expect(Math.abs(ones - 10_000)).toBeLessThan(4 * Math.sqrt(5000));
	}
});

test('A sample has no number twice and all numbers come up', () => {
	const random = randomOf(3);
	const seen = new Set<number>();
	for (let round = 0; round < 200; round++) {
		const drawn = sample(random, 4, 9);
		expect(new Set(drawn).size).toBe(4);
		for (const number of drawn) seen.add(number);
	}

	expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
});

test('A shuffle is a permutation, the same for the same seed and epoch only', async () => {
	const order = await shuffled(10_000, 1, 0);
	expect(await shuffled(10_000, 1, 0)).toEqual(order);
	expect(await shuffled(10_000, 1, 1)).not.toEqual(order);
	expect(await shuffled(10_000, 2, 0)).not.toEqual(order);
	expect(order.toSorted()).toEqual(Uint32Array.from({length: 10_000}, (_, n) => n));
	expect(order.filter((row, place) => row === place).length).toBeLessThan(12);
});

test('All orders of three come up equally often', async () => {
	const counts = new Map<string, number>();
	for (let seed = 0; seed < 6000; seed++) {
		const order = (await shuffled(3, seed, 0)).join();
		counts.set(order, (counts.get(order) ?? 0) + 1);
	}

	const chi = [...counts.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
	expect(counts.size).toBe(6);
	// Chi-square with 5 degrees of freedom: 20.5 is passed once in a thousand.
	expect(chi).toBeLessThan(20.5);
});

test('Hashes of texts that differ little do not collide', () => {
	const texts = new Set<string>();
	for (let n = 0; n < 100_000; n++)
		texts
			.add(`text ${n}`)
			.add(`${n} text`)
			.add(String.fromCharCode(n % 65536, n >> 8));
	const hashes = new Set([...texts].map(textHash));
	expect(hashes.size).toBe(texts.size);
	expect([...hashes].every(hash => Number.isSafeInteger(hash) && hash > 0)).toBe(true);
	expect(new Set([...hashes].map(hash => hash % 1024)).size).toBe(1024);
});
