// The plain mirror of native/base/random.h: which elements a dropout keeps.

export type RowPlace = {seed: number; step: number; text: number; site: number; row: number};

const word = (value: bigint) => BigInt.asUintN(64, value);

function mix(value: bigint): bigint {
	let z = word(value + 0x9e3779b97f4a7c15n);
	z = word((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
	z = word((z ^ (z >> 27n)) * 0x94d049bb133111ebn);
	return z ^ (z >> 31n);
}

const pair = (high: number, low: number) => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);

function keyOf({seed, step, text, site, row}: RowPlace): number {
	const offset = mix(pair(seed, step)) + 0x632be59bd9b4e019n * BigInt(site >>> 0);
	return Number(mix(mix(pair(text, row)) ^ word(offset)) >> 32n);
}

function bitsOf(key: number, column: number): number {
	let hash = (key + Math.imul(column, 0x9e3779b9)) | 0;
	hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
	hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
	return (hash ^ (hash >>> 16)) >>> 0;
}

/** For each column of a row whether it is kept. */
export function keptColumns(place: RowPlace, columns: number, rate: number): boolean[] {
	const key = keyOf(place);
	const threshold = Math.floor(Math.fround(rate) * 2 ** 32);
	return Array.from({length: columns}, (_, column) => bitsOf(key, column) >= threshold);
}
