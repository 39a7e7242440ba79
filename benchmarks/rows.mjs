// How near the speed of memory are the parts of a step that compute little: LayerNorm, AdamW, the
// gradient of the embedding table?

import {device, peers, rounds, timed} from './rounds.mjs';

const [tokens, width, vocabulary] = [8192, 768, 30522];
const million = 1e6;

/** Bytes of a turn: it lasts long beside what the threads of the turn before still spin. */
const turn = 3e9;

export async function measure({threads, seconds, python}) {
	const computing = await device(threads);
	const {native} = computing;
	const tensor = (rows, columns) => {
		const made = native.tensor(rows, columns, 'f32');
		native.write(
			made,
			Float32Array.from({length: rows * columns}, (_, i) => ((i * 7919) % 2001) / 1000 + 0.1),
		);
		return made;
	};
	const questions = [
		layerNorm(tensor),
		layerNormBackward(tensor),
		adamW(tensor),
		embeddingGradient(native, tensor),
	];
	const repeats = [...questions.map(({bytes}) => bytes), copied].map(bytes =>
		Math.ceil(turn / bytes),
	);
	const sizes = [tokens, width, vocabulary, ...repeats];
	const others = await peers(python, 'rows.py', sizes, computing.threads);
	const kept = others.map(({name, run}) => ({name, run}));
	const copy = kept.slice(-1).map(peer => ({...peer, count: (repeats.at(-1) * copied) / 1e9}));
	for (const [n, {title, op, fields, bytes}] of questions.entries()) {
		const run = () =>
			timed(async () => {
				for (let again = 0; again < repeats[n]; again++) native.run(op, fields);
				await native.synchronize();
			});
		await rounds({
			candidates: [{name: 'inbatch', run}, ...(python ? [kept[n]] : []), ...copy],
			seconds: seconds / 4,
			computing,
			unit: 'GB',
			count: (repeats[n] * bytes) / 1e9,
			limit: copy[0]?.name,
			title,
		});
	}
	for (const {close} of others) close();
}

/** Bytes read and written by the copy beside. */
const copied = 2 * 4 * 32 * million;

function layerNorm(tensor) {
	const fields = {
		...{kind: 'layer', epsilon: 1e-5, x: tensor(tokens, width), y: tensor(tokens, width)},
		...{weight: tensor(1, width), bias: tensor(1, width)},
		...{mean: tensor(tokens, 1), rstd: tensor(tokens, 1)},
	};
	return {title: 'LayerNorm forward', op: 'normForward', fields, bytes: 8 * tokens * width};
}

function layerNormBackward(tensor) {
	const fields = {
		...{kind: 'layer', sum: tensor(tokens, width), weight: tensor(1, width)},
		...{mean: tensor(tokens, 1), rstd: tensor(tokens, 1), dy: tensor(tokens, width)},
		...{dx: tensor(tokens, width), dweight: tensor(1, width), dbias: tensor(1, width)},
	};
	return {title: 'LayerNorm backward', op: 'normBackward', fields, bytes: 12 * tokens * width};
}

function adamW(tensor) {
	const [rows, columns] = [32, million];
	const fields = {
		...{rate: 1e-5, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.01, step: 1},
		...{gradientScale: 1, weight: tensor(rows, columns), gradient: tensor(rows, columns)},
		...{first: tensor(rows, columns), second: tensor(rows, columns)},
	};
	return {title: 'AdamW, 32 million parameters', op: 'adamW', fields, bytes: 28 * rows * columns};
}

function embeddingGradient(native, tensor) {
	const ids = native.tensor(1, tokens, 'i32');
	native.write(
		ids,
		Int32Array.from({length: tokens}, (_, n) => (n * 7919) % vocabulary),
	);
	const offsets = native.tensor(1, 2, 'i32');
	native.write(offsets, Int32Array.of(0, tokens));
	const fields = {ids, offsets, dx: tensor(tokens, width), dtokens: tensor(vocabulary, width)};
	return {
		title: 'embedding gradient of 8192 tokens',
		op: 'embedBackward',
		fields,
		bytes: 12 * tokens * width,
	};
}
