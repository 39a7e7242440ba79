// Batches of made-up ids: equal lengths, or lengths as of passages (lognormal, mean 81, at most 256).

/** So many texts of a model of MiniLM's size; a larger one takes a quarter, for rounds of seconds. */
export function sized(spec, count) {
	return spec.width < 512 ? count : count / 4;
}

export function equalLengths(count, length) {
	return packedTexts(Array.from({length: count}, () => length));
}

export function mixedLengths(count) {
	let state = 1;
	const uniform = () => {
		state = (state * 48271) % 2147483647;
		return state / 2147483647;
	};
	const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
	const lengths = Array.from({length: count}, () => Math.exp(4.27 + 0.5 * normal()));
	return packedTexts(lengths.map(length => Math.max(4, Math.min(256, Math.round(length)))));
}

/** The same lengths, the longest first: batches of 32 then need little padding. */
export function sortedLengths(count) {
	return packedTexts(mixedLengths(count).lengths.toSorted((a, b) => b - a));
}

/** Texts of these lengths, packed. */
export function packedTexts(lengths) {
	const offsets = new Int32Array(lengths.length + 1);
	for (const [n, length] of lengths.entries()) offsets[n + 1] = offsets[n] + length;
	const ids = Int32Array.from({length: offsets.at(-1)}, (_, n) => 1000 + ((n * 7919) % 29000));
	const texts = Int32Array.from(lengths, (_, n) => n);
	return {ids, offsets, texts, lengths};
}

/** GFLOP of the products of a forward pass. */
export function forwardGflop({width, blocks}, lengths) {
	return lengths.reduce((sum, length) => {
		const perToken = blocks.reduce(
			(total, {mlp}) =>
				total + 2 * (4 * width * width + 2 * width * mlp.width) + 4 * length * width,
			0,
		);
		return sum + (perToken * length) / 1e9;
	}, 0);
}
