// Changes of bytes: what libFuzzer does to an input, and words of a dictionary.

const numbers = ['-1', '0', '1', '255', '65536', '2147483647', '2147483648', '4294967296'].concat([
	'9007199254740991',
	'9007199254740992',
	'1e308',
	'1e999',
	'0.5',
	'-0',
	'18446744073709551616',
]);

const longs = [0n, 1n, 7n, 8n, 0x7fn, 0xffn, 0xffffn, 2n ** 31n, 2n ** 32n, 2n ** 53n].concat([
	2n ** 53n + 1n,
	2n ** 62n,
	2n ** 63n,
	2n ** 64n - 1n,
]);

/** Each takes bytes that it leaves as they are, a source of chance and what it may use. */
const changes = [
	function flipBit(bytes, random) {
		const changed = Buffer.from(bytes);
		if (changed.length > 0) changed[random.below(changed.length)] ^= 1 << random.below(8);
		return changed;
	},
	function setByte(bytes, random) {
		const changed = Buffer.from(bytes);
		if (changed.length > 0) changed[random.below(changed.length)] = random.below(256);
		return changed;
	},
	function insertBytes(bytes, random) {
		const added = Buffer.alloc(1 + random.below(random.chance(8) ? 512 : 8), random.below(256));
		return splice(bytes, random.below(bytes.length + 1), 0, added);
	},
	function eraseBytes(bytes, random) {
		const {begin, count} = range(bytes, random);
		return splice(bytes, begin, count, Buffer.alloc(0));
	},
	function copyPart(bytes, random) {
		const {begin, count} = range(bytes, random);
		const part = bytes.subarray(begin, begin + count);
		return splice(bytes, random.below(bytes.length + 1), 0, part);
	},
	function repeatPart(bytes, random) {
		const {begin, count} = range(bytes, random);
		const part = bytes.subarray(begin, begin + Math.min(count, 64));
		const parts = Array.from({length: 1 << random.below(9)}, () => part);
		return splice(bytes, begin, 0, Buffer.concat(parts));
	},
	function cutEnd(bytes, random) {
		return bytes.subarray(0, random.below(bytes.length + 1));
	},
	function insertWord(bytes, random, {words}) {
		const word = Buffer.from(random.one(words));
		const at = random.below(bytes.length + 1);
		return splice(bytes, at, random.chance(2) ? word.length : 0, word);
	},
	function changeNumber(bytes, random) {
		const found = [...bytes.toString('latin1').matchAll(/-?\d+/g)];
		if (found.length === 0) return bytes;
		const {index, 0: old} = random.one(found);
		const near = String(Number(old) + random.one([-1, 1, 4, 8]));
		return splice(
			bytes,
			index,
			old.length,
			Buffer.from(random.chance(2) ? near : random.one(numbers)),
		);
	},
	function setLong(bytes, random) {
		const long = Buffer.alloc(8);
		long.writeBigUInt64LE(random.one(longs));
		const at = random.chance(2) ? 0 : random.below(bytes.length + 1);
		return splice(bytes, at, 8, long);
	},
	function crossOver(bytes, random, {other}) {
		const {begin, count} = range(other, random);
		const at = random.below(bytes.length + 1);
		const part = other.subarray(begin, begin + count);
		return splice(bytes, at, random.chance(2) ? count : 0, part);
	},
];

/** An input a few changes away from `bytes`; never longer than `longest`. */
export function mutate(bytes, random, {words, other, longest}) {
	let changed = bytes;
	for (let left = 1 + random.below(4); left > 0; left--) {
		changed = random.one(changes)(changed, random, {words, other});
	}
	return Buffer.from(changed.subarray(0, longest));
}

function range(bytes, random) {
	const begin = random.below(bytes.length + 1);
	const most = bytes.length - begin;
	return {begin, count: random.below((random.chance(2) ? Math.min(most, 16) : most) + 1)};
}

function splice(bytes, at, count, added) {
	return Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + count)]);
}
