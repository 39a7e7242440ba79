// A hash of texts, for finding equal ones without keeping them. Two 32-bit lanes over UTF-16 units;
// the 53 bits of the result make a collision within a batch of a thousand texts less likely than
// one in ten thousand million.

/** A whole number from 1 to 2^53 - 1; equal texts have equal ones. */
export function textHash(text: string): number {
	let a = 0xdeadbeef;
	let b = 0x41c6ce57;
	for (let index = 0; index < text.length; index++) {
		const unit = text.charCodeAt(index);
		a = Math.imul(a ^ unit ^ (a >>> 15), 0x9e3779b1);
		b = Math.imul(b ^ unit ^ (b >>> 13), 0x5f356495);
	}

	const high = finish(a, b) & 0x1fffff;
	const low = finish(b, a) >>> 0;
	return high * 2 ** 32 + low || 1;
}

function finish(word: number, other: number): number {
	const mixed =
		Math.imul(word ^ (word >>> 16), 0x85ebca6b) ^ Math.imul(other ^ (other >>> 13), 0xc2b2ae35);
	return Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b) ^ (mixed >>> 13);
}
