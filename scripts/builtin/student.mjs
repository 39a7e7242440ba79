// The embedded model before training: a small BERT whose token embeddings are what the teacher says
// of each piece, cut to the main directions, and whose last layer turns these directions back into
// the teacher's space. All else is random.

import {cp, mkdir, readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {writeSafetensors} from '../../dist/files/safetensors.js';
import {principal} from './principal.mjs';
import {normals} from './random.mjs';
import {dot, rowOf} from './vectors.mjs';

const positions = 256;
const embeddingDeviation = 0.1;

/** The pieces of a vocabulary as texts of their own. */
export async function piecesOf(vocabulary) {
	const lines = (await readFile(join(vocabulary, 'vocab.txt'), 'utf8')).trimEnd().split('\n');
	return lines.map(piece => piece.replace(/^##/, '').replace(/^\[(.*)\]$/, '$1'));
}

/** Writes a model folder of {width, blocks, heads}. `pieces` are the teacher's vectors of the vocabulary. */
export async function writeStudent(folder, {vocabulary, pieces, seed, shape}) {
	const {width} = shape;
	const {mean, directions} = principal(pieces, width);
	const {tokens, factor} = tokenEmbeddings(pieces, mean, directions);
	const rows = tokens.length / width;
	await writeFolder(folder, vocabulary, {...shape, pieces: rows, outputs: pieces.width});
	const tensors = bodyTensors(tokens, shape, normals(seed));
	await writeSafetensors(join(folder, 'model.safetensors'), tensors.map(sourceOf));
	const linear = directions.flatMap(direction => Array.from(direction));
	const head = [
		['linear.weight', transposed(linear, pieces.width), [pieces.width, width]],
		['linear.bias', Float32Array.from(mean, value => value * factor), [pieces.width]],
	];
	await writeSafetensors(join(folder, '2_Dense', 'model.safetensors'), head.map(sourceOf));
}

/** Each piece in the main directions, and by what factor a norm of the rows will stretch them. */
function tokenEmbeddings(pieces, mean, directions) {
	const width = directions.length;
	const rows = pieces.data.length / pieces.width;
	const tokens = new Float32Array(rows * width);
	for (let row = 0; row < rows; row++) {
		const vector = rowOf(pieces, row);
		const centred = Float64Array.from(vector, (value, n) => value - mean[n]);
		directions.forEach((direction, n) => {
			tokens[row * width + n] = dot(direction, centred);
		});
	}

	const factor = 1 / Math.sqrt(dot(tokens, tokens) / tokens.length);
	return {tokens: tokens.map(value => value * factor * embeddingDeviation), factor};
}

function transposed(values, columns) {
	const rows = values.length / columns;
	return Float32Array.from(values, (_, n) => values[(n % rows) * columns + Math.floor(n / rows)]);
}

function bodyTensors(tokens, {width, blocks}, random) {
	const intermediate = 4 * width;
	const fill = (name, extents) => [name, random(extents), extents];
	const linear = (name, outputs, inputs) => [
		fill(`${name}.weight`, [outputs, inputs]),
		[`${name}.bias`, new Float32Array(outputs), [outputs]],
	];
	const norm = name => [
		[`${name}.LayerNorm.weight`, new Float32Array(width).fill(1), [width]],
		[`${name}.LayerNorm.bias`, new Float32Array(width), [width]],
	];
	const block = index => {
		const place = `encoder.layer.${index}`;
		return [
			...['query', 'key', 'value'].flatMap(part =>
				linear(`${place}.attention.self.${part}`, width, width),
			),
			...linear(`${place}.attention.output.dense`, width, width),
			...norm(`${place}.attention.output`),
			...linear(`${place}.intermediate.dense`, intermediate, width),
			...linear(`${place}.output.dense`, width, intermediate),
			...norm(`${place}.output`),
		];
	};
	return [
		['embeddings.word_embeddings.weight', tokens, [tokens.length / width, width]],
		fill('embeddings.position_embeddings.weight', [positions, width]),
		fill('embeddings.token_type_embeddings.weight', [2, width]),
		...norm('embeddings'),
		...Array.from({length: blocks}, (_, index) => block(index)).flat(),
	];
}

function sourceOf([name, values, extents]) {
	const bytes = async () => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
	return {name, dtype: 'F32', shape: extents, bytes};
}

async function writeFolder(folder, vocabulary, {pieces, width, blocks, heads, outputs}) {
	for (const place of ['1_Pooling', '2_Dense', '3_Normalize']) {
		await mkdir(join(folder, place), {recursive: true});
	}

	for (const name of ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json']) {
		await cp(join(vocabulary, name), join(folder, name));
	}

	const module = (idx, path, kind) => {
		const type = `sentence_transformers.models.${kind}`;
		return {idx, name: String(idx), path, type};
	};
	const files = {
		'config.json': {
			architectures: ['BertModel'],
			model_type: 'bert',
			vocab_size: pieces,
			hidden_size: width,
			num_hidden_layers: blocks,
			num_attention_heads: heads,
			intermediate_size: 4 * width,
			hidden_act: 'gelu',
			max_position_embeddings: positions,
			type_vocab_size: 2,
			layer_norm_eps: 1e-12,
			pad_token_id: 0,
			hidden_dropout_prob: 0,
			attention_probs_dropout_prob: 0,
		},
		'modules.json': [
			module(0, '', 'Transformer'),
			module(1, '1_Pooling', 'Pooling'),
			module(2, '2_Dense', 'Dense'),
			module(3, '3_Normalize', 'Normalize'),
		],
		'sentence_bert_config.json': {max_seq_length: positions, do_lower_case: false},
		'1_Pooling/config.json': {word_embedding_dimension: width, pooling_mode_mean_tokens: true},
		'2_Dense/config.json': {
			in_features: width,
			out_features: outputs,
			bias: true,
			activation_function: 'torch.nn.modules.linear.Identity',
		},
	};
	for (const [name, value] of Object.entries(files)) {
		await writeFile(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
	}
}
