// A small model with made-up weights, for programs that exercise the add-on itself. Plain JavaScript,
// so that workers and child processes can import it.

import {native} from '../../dist/native.js';

const norm = {kind: 'layer', epsilon: 1e-12, offset: 0, bias: true};

export const width = 64;

/** What the model is made of; a wide vocabulary makes it heavy. */
export function specOf({vocabulary = 512, blocks = 2} = {}) {
	const attention = {heads: 4, keyHeads: 4, headWidth: 16, scale: 0.25};
	const block = {
		attention: {...attention, bias: true, outputBias: true, norms: {after: norm}},
		mlp: {width: 2 * width, activation: 'gelu', bias: true, norms: {after: norm}},
	};
	return {
		width,
		embedding: {vocabulary, width, positions: 128, positionOffset: 0, types: 0, norm},
		blocks: Array.from({length: blocks}, (_, weights) => ({weights, ...block})),
		head: {pooling: ['mean'], dense: [], normalize: true},
	};
}

/** A model whose weights are the same in every process. */
export async function tinyModel(device, options) {
	const model = new (native().Model)(device, specOf(options));
	const next = noise(1);
	for (const {name, rows, columns} of model.parameters()) {
		model.write('weight', name, 0, Float32Array.from({length: rows * columns}, next));
	}
	await model.pack();
	return model;
}

/** `texts` texts of up to `longest` tokens. */
export function batchOf(texts, longest = 128) {
	const offsets = new Int32Array(texts + 1);
	for (let text = 0; text < texts; text++) {
		offsets[text + 1] = offsets[text] + 1 + ((text * 37) % longest);
	}
	const ids = Int32Array.from({length: offsets.at(-1)}, (_, token) => (token * 7919) % 512);
	return {ids, offsets};
}

/** The embeddings of a batch. */
export async function encode(model, batch) {
	const embeddings = new Float32Array((batch.offsets.length - 1) * width);
	await model.encode(batch, {dimensions: width, normalize: true}, embeddings);
	return embeddings;
}

/** Queues more work than gets done soon, encoding and training, and returns at once. */
export function overload(device, model, jobs = 200) {
	const batch = batchOf(64);
	const gradient = device.tensor(64, width, 'f32');
	const settings = {seed: 1, step: 1, hidden: 0.1, attention: 0.1, keep: true};
	for (let job = 0; job < jobs; job++) {
		encode(model, batch).catch(() => {});
		model.forward(batch, settings, gradient);
		model.backward(gradient);
		device.read(gradient, new Float32Array(64 * width)).catch(() => {});
	}
}

// Numbers from -0.5 to 0.5, the same each time.
function noise(seed) {
	let state = seed;
	return () => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return state / 2 ** 32 - 0.5;
	};
}
