// Random numbers that are a function of their keys, so that any of them can be had again without
// its predecessors. 32-bit arithmetic only: the same on every machine. Not for secrets.

import {mixed} from '../draws.js';
import {giveTurn} from '../pace.js';

/** Gives whole numbers from 0 to 2^32 - 1, each as likely as any other. */
export type Random = () => number;

/** The stream of a list of keys (whole numbers below 2^53), say seed, epoch, row. */
export function randomOf(...keys: number[]): Random {
	let high = 0x243f6a88;
	let low = 0x85a308d3;
	for (const key of keys) {
		high = mixed(high ^ key) ^ mixed(low + Math.floor(key / 2 ** 32));
		low = mixed(low ^ high) + 0x9e3779b9;
	}

	return sfc32(high, low);
}

/** A whole number from 0 to `bound - 1`, without the slight preference of a plain remainder. */
export function below(random: Random, bound: number): number {
	const limit = 2 ** 32 - (2 ** 32 % bound);
	let value = random();
	while (value >= limit) value = random();
	return value % bound;
}

/** `count` different numbers from 0 to `bound - 1`, in random order. */
export function sample(random: Random, count: number, bound: number): number[] {
	const numbers = Array.from({length: bound}, (_, index) => index);
	for (let index = 0; index < count; index++) {
		const other = index + below(random, bound - index);
		[numbers[index], numbers[other]] = [numbers[other]!, numbers[index]!];
	}

	return numbers.slice(0, count);
}

/** The numbers from 0 to `length - 1` in the random order of (seed, epoch). */
export async function shuffled(
	length: number,
	seed: number,
	epoch: number,
	signal?: AbortSignal,
): Promise<Uint32Array> {
	const order = new Uint32Array(length);
	const random = randomOf(seed, epoch, 0x5ffe);
	// The inside-out form of Fisher and Yates fills and shuffles at once.
	for (let index = 0; index < length; index++) {
		if (index % 1024 === 0) await giveTurn(signal);
		const other = below(random, index + 1);
		order[index] = order[other]!;
		order[other] = index;
	}

	return order;
}

/**
Small fast counting generator of Chris Doty-Humphrey (PractRand), with its twelve rounds of warm-up.
*/
function sfc32(high: number, low: number): Random {
	let a = high | 0;
	let b = low | 0;
	let c = mixed(high ^ 0x6a09e667) | 0;
	let counter = 1;
	const next = () => {
		const sum = (a + b + counter) | 0;
		counter = (counter + 1) | 0;
		a = b ^ (b >>> 9);
		b = (c + (c << 3)) | 0;
		c = (((c << 21) | (c >>> 11)) + sum) | 0;
		return sum >>> 0;
	};
	for (let round = 0; round < 12; round++) next();
	return next;
}
