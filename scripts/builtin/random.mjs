// Random numbers that a seed decides, for what is drawn while the embedded model is made.

const deviation = 0.02;

/** Numbers from 0 to below 1, by a generator of 32 bits (mulberry32). */
export function uniforms(seed) {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

/** Weights of an extent each call, normal with the usual deviation, by Box and Muller. */
export function normals(seed) {
	const uniform = uniforms(seed);
	const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
	return extents => {
		const count = extents.reduce((product, extent) => product * extent, 1);
		return Float32Array.from({length: count}, () => deviation * normal());
	};
}

/** The items in a random order. */
export function shuffled(items, random) {
	const order = [...items];
	for (let n = order.length - 1; n > 0; n--) {
		const other = Math.floor(random() * (n + 1));
		[order[n], order[other]] = [order[other], order[n]];
	}

	return order;
}
