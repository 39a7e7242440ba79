// The rows of the table that move bytes and compute little.

import {running} from './questions.mjs';

export function rowQuestions(made, isTrial) {
	const shape = isTrial
		? {tokens: 32, width: 48, vocabulary: 100, count: 960}
		: {tokens: 65536, width: 768, vocabulary: 30522, count: 110_000_000};
	const bytes = 2 * shape.tokens * shape.width;
	const all = [
		['LayerNorm forward, bf16', 'norm', 2 * bytes, layerNorm],
		['LayerNorm backward, bf16', 'normBackward', 3 * bytes, layerNormBackward],
		['mean of texts, bf16', 'pool', bytes, pool],
		['gradient of embeddings in f32 of rows in bf16', 'embedding', 5 * bytes, embedding],
		[
			`AdamW of ${shape.count} parameters, f32 and rounded to bf16`,
			'adamw',
			30 * shape.count,
			adamW,
		],
	];
	return all.map(([title, kind, moved, operands]) => ({
		title,
		goal: '0.85 of the copy',
		peer: {kind, ...shape},
		bytes: moved,
		make: () => {
			const {op, ...fields} = operands(made, shape);
			return running(made.native, op, fields);
		},
	}));
}

function layerNorm({native, random}, {tokens, width}) {
	const column = () => native.tensor(tokens, 1, 'f32');
	return {
		...{op: 'normForward', kind: 'layer', epsilon: 1e-5},
		...{x: random(tokens, width, 'bf16'), y: native.tensor(tokens, width, 'bf16')},
		...{weight: random(1, width), bias: random(1, width), mean: column(), rstd: column()},
	};
}

function layerNormBackward({native, random, integers}, {tokens, width}) {
	return {
		...{
			op: 'normBackward',
			kind: 'layer',
			sum: random(tokens, width, 'bf16'),
			weight: random(1, width),
		},
		...{mean: random(tokens, 1), rstd: random(tokens, 1), dy: random(tokens, width, 'bf16')},
		...{dx: native.tensor(tokens, width, 'bf16')},
		...{dweight: random(1, width), dbias: random(1, width)},
		offsets: integers(offsetsOf(tokens)),
	};
}

/** Where texts of 16 tokens to 128 begin. */
function offsetsOf(tokens) {
	const offsets = [0];
	for (let n = 0; offsets.at(-1) < tokens; n++) {
		offsets.push(Math.min(tokens, offsets.at(-1) + 16 * (1 + ((n * 5) % 8))));
	}
	return offsets;
}

function pool({native, random, integers}, {tokens, width}) {
	const offsets = offsetsOf(tokens);
	const y = native.tensor(offsets.length - 1, width, 'f32');
	const x = random(tokens, width, 'bf16');
	return {op: 'poolForward', kind: 'mean', at: 0, x, offsets: integers(offsets), y};
}

function embedding({random, integers}, {tokens, width, vocabulary}) {
	const ids = integers(Array.from({length: tokens}, (_, n) => (n * 7919) % vocabulary));
	const offsets = integers([0, tokens]);
	const dtokens = random(vocabulary, width);
	return {
		op: 'embedBackward',
		padding: -1,
		scale: 1,
		ids,
		offsets,
		dx: random(tokens, width, 'bf16'),
		dtokens,
	};
}

function adamW({native, random, squares}, {count}) {
	const shape = [count / 160, 160];
	return {
		...{op: 'adamW', rate: 1e-5, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.01, step: 1},
		...{gradientScale: 1, weight: random(...shape), gradient: random(...shape)},
		...{
			first: random(...shape),
			second: squares(...shape),
			rounded: native.tensor(...shape, 'bf16'),
		},
	};
}
