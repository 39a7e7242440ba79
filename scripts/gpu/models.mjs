// The rows of the table that are whole models of random weights: encoding from texts to vectors, and a
// step of training. peers.py writes the folders of the models, with the configurations of the real ones.

import {packedTexts} from '../../benchmarks/texts.mjs';
import {trainingStep} from '../../benchmarks/train.mjs';
import {EmbeddingModel} from '../../dist/model/embedding-model.js';

const configurations = {
	MiniLM: {hidden_size: 384, num_hidden_layers: 6, num_attention_heads: 12},
	'bge-base': {hidden_size: 768, num_hidden_layers: 12, num_attention_heads: 12},
	'bge-large': {hidden_size: 1024, num_hidden_layers: 24, num_attention_heads: 16},
};
const tiny = {tiny: {hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2}};

export function modelQuestions({device, folder, isTrial}) {
	const context = {device: device.name, folder, isTrial};
	return Object.entries(isTrial ? tiny : configurations).flatMap(([name, configuration]) =>
		(isTrial ? [8] : [128, 512]).flatMap(length => [
			encoding(context, {name, configuration, length, isMixed: false}),
			encoding(context, {name, configuration, length, isMixed: true}),
			step(context, {name, configuration, length, isMixed: false}),
			step(context, {name, configuration, length, isMixed: true}),
		]),
	);
}

function encoding({device, folder, isTrial}, {name, configuration, length, isMixed}) {
	const texts = isTrial ? 2 : Math.round((name === 'MiniLM' ? 262_144 : 65_536) / length);
	const path = `${folder}/${name}`;
	return {
		title: `${name}: encode ${texts} texts of ${isMixed ? 'up to ' : ''}${length} tokens, bf16`,
		goal: '3 times the peer',
		peer: {kind: 'encode', path, configuration, texts, length, isMixed},
		make: async () => {
			const model = await EmbeddingModel.load(path, {device, dtype: 'bf16', pooling: 'mean'});
			const words = textsOf(texts, length, isMixed);
			return {run: () => model.encode(words), dispose: () => model.dispose?.()};
		},
	};
}

function step({device, folder, isTrial}, {name, configuration, length, isMixed}) {
	const texts = isTrial ? 2 : 8192 / length;
	const lengths = Array.from({length: texts}, (_, n) => lengthOf(n, length, isMixed));
	const path = `${folder}/${name}`;
	const size = `${texts} texts of ${isMixed ? 'up to ' : ''}${length} tokens`;
	return {
		title: `${name}: a step of training, ${size}, ids given, bf16`,
		goal: `${isMixed ? 4 : 2} times the peer`,
		peer: {kind: 'train', path, configuration, lengths},
		make: async () => {
			const model = await EmbeddingModel.load(path, {device, dtype: 'bf16', pooling: 'mean'});
			const take = await trainingStep(model, packedTexts(lengths));
			return {run: take, dispose: () => model.dispose?.()};
		},
	};
}

/** All of a length, or of an eighth of it to all of it. */
function lengthOf(n, length, isMixed) {
	return isMixed ? Math.ceil((length * (1 + ((n * 7) % 8))) / 8) : length;
}

/** One token a word, less the two that stand around a text; peers.py makes the same ones. */
function textsOf(count, length, isMixed) {
	return Array.from({length: count}, (_, n) => {
		const own = lengthOf(n, length, isMixed);
		return Array.from(
			{length: Math.max(1, own - 2)},
			(_, i) => words[(n * 31 + i * 7) % words.length],
		).join(' ');
	});
}

const words = 'the of and to in was for on as with by at from his that it he an were are'.split(
	' ',
);
