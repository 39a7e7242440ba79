// Random numbers without a state: each is a function of a key and an index, so any of them can be had
// alone and in any order. 32-bit arithmetic only: the same on every machine. Not for secrets.

/** A key of a seed and a name. */
export function keyOf(seed: number, name: string): number {
	return Array.from(name).reduce((sum, letter) => mixed(sum ^ letter.codePointAt(0)!), seed);
}

/** A number in [0, 1) for each pair of key and index. */
export function fraction(key: number, index: number): number {
	return mixed(mixed(key + Math.imul(index, 0x9e3779b9)) ^ index) / 2 ** 32;
}

/** A number of the standard normal distribution for each pair of key and index (Box and Muller 1958). */
export function normal(key: number, index: number): number {
	const radius = Math.sqrt(-2 * Math.log(1 - fraction(key, 2 * index)));
	return radius * Math.cos(2 * Math.PI * fraction(key, 2 * index + 1));
}

/** The same without what lies further than `cut` from 0: that is drawn again under another key. */
export function cutNormal(key: number, index: number, cut: number): number {
	let [value, attempt] = [normal(key, index), key];
	while (Math.abs(value) > cut) {
		attempt = mixed(attempt + 1);
		value = normal(attempt, index);
	}
	return value;
}

/** A permutation of the words of 32 bits in which each bit depends on all. */
export function mixed(word: number): number {
	let x = word >>> 0;
	x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
	x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
	return (x ^ (x >>> 15)) >>> 0;
}
