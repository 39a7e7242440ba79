// Names of tensors that differ by version, tensors that stand for one another, and tensors of variants
// that would be computed wrongly.

import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {temporaryFolder} from '../files/folder.js';
import {fixtures} from './families.js';
import {load, modelFolder, rewriteWeights, same, type WeightTensor, weightsOf} from './folders.js';

const {folder} = temporaryFolder();
let made = 0;
const place = () => join(folder, `model-${made++}`);
const family = (name: string) => join(fixtures, name);
const texts = ['the symptom', 'what is the age of all the others?'];

async function embeddingsOf(path: string): Promise<Float32Array> {
	const model = await load(path, {pooling: 'mean'});
	expect(model.warnings).toEqual([]);
	return (await model.encode(texts)).data;
}

/** A copy of a tiny model, its tensors under other names. */
async function renamed(name: string, change: (tensor: string) => string): Promise<string> {
	const path = modelFolder(place(), {}, family(name));
	await rewriteWeights(path, (tensor, values) => [change(tensor), values]);
	return path;
}

const bare = (prefix: string) => (name: string) => `${prefix}${name}`;

const names: [string, string, (name: string) => string][] = [
	['roberta', 'with the prefix of a model with a head', bare('roberta.')],
	['roberta', 'with the names of norms from before PyTorch', legacy],
	['distilbert', 'with the prefix of a model with a head', bare('distilbert.')],
	['mpnet', 'with the prefix of a model with a head', bare('mpnet.')],
	['albert', 'with the prefix of a model with a head', bare('albert.')],
	['modernbert', 'with the prefix of a model with a head', bare('model.')],
	['nomic_bert', 'with the prefix of a model with a head', bare('bert.')],
	['gte', 'with the prefix of a model with a head', bare('new.')],
	['jina_v2', 'with the prefix of a model with a head', bare('bert.')],
	['llama', 'without a prefix', name => name.replace(/^model\./, '')],
	['qwen3', 'with the prefix of a causal model', bare('model.')],
	['gemma3', 'with the prefix of a causal model', bare('model.')],
	['t5', 'of the stack alone', t5Stack],
	[
		't5',
		'with the embedding of the encoder',
		name => name.replace('shared', 'encoder.embed_tokens'),
	],
];

function legacy(name: string): string {
	return name
		.replace('LayerNorm.weight', 'LayerNorm.gamma')
		.replace('LayerNorm.bias', 'LayerNorm.beta');
}

function t5Stack(name: string): string {
	return name.replace(/^encoder\./, '').replace('shared', 'embed_tokens');
}

test.each(names)('%s is read %s', async (name, _, change) => {
	const path = await renamed(name, change);
	expect(await embeddingsOf(path)).toEqual(await embeddingsOf(family(name)));
});

/** Some of the rows of a tensor, by numbers of equal parts. */
function partOf({dtype, shape, bytes}: WeightTensor, [at, of]: [number, number]): WeightTensor {
	const size = bytes.length / of;
	const [rows, ...rest] = shape;
	return {dtype, shape: [rows! / of, ...rest], bytes: bytes.slice(at * size, (at + 1) * size)};
}

type Split = Record<string, readonly string[]>;

/** Takes tensors apart whose name ends so, and gives the rest other names. */
async function split(
	name: string,
	parts: Split,
	change: (tensor: string) => string,
	config: object,
): Promise<string> {
	const path = modelFolder(place(), {'config.json': config}, family(name));
	const added: Record<string, WeightTensor> = {};
	for (const [tensor, values] of await weightsOf(path)) {
		const [end, leaf] = [tensor.split('.').at(-2)!, tensor.split('.').at(-1)!];
		const pieces = parts[end] ?? [end];
		for (const [at, piece] of pieces.entries()) {
			const whole = change(tensor.replace(`${end}.${leaf}`, `${piece}.${leaf}`));
			added[whole] = partOf(values, [at, pieces.length]);
		}
	}
	await rewriteWeights(path, () => undefined, added);
	return path;
}

const sizes = {
	hidden_size: 16,
	num_attention_heads: 2,
	intermediate_size: 20,
	num_hidden_layers: 2,
};
const heads = ['q_proj', 'k_proj', 'v_proj'];

async function vocabularyOf(name: string): Promise<number> {
	const tensors = await weightsOf(family(name));
	return tensors.get('embeddings.word_embeddings.weight')!.shape[0]!;
}

describe('the names of transformers 5 are read', () => {
	test('of Nomic', async () => {
		const vocab_size = await vocabularyOf('nomic_bert');
		const config = {
			...{...sizes, vocab_size, model_type: 'nomic_bert', type_vocab_size: 2},
			rope_parameters: {rope_type: 'default', rope_theta: 1000},
		};
		const change = (name: string) =>
			name
				.replace('encoder.layers', 'layers')
				.replace('emb_ln', 'embeddings.LayerNorm')
				.replace(/attn\.(?=[qkv]_proj)/, 'self_attn.')
				.replace('attn.out_proj', 'self_attn.o_proj')
				.replace('fc11', 'up_proj')
				.replace('fc12', 'gate_proj')
				.replace('fc2', 'down_proj')
				.replace('norm1', 'post_attention_layernorm')
				.replace('norm2', 'post_mlp_layernorm');
		const path = await split('nomic_bert', {Wqkv: heads}, change, config);
		expect(await embeddingsOf(path)).toEqual(await embeddingsOf(family('nomic_bert')));
	});

	test('of GTE', async () => {
		const change = (name: string) =>
			name
				.replace('encoder.layer', 'layers')
				.replace(/attention\.(?=[qkvo]_proj)/, 'self_attn.')
				.replace('attn_ln', 'post_attention_layernorm')
				.replace('mlp_ln', 'post_mlp_layernorm');
		const vocab_size = await vocabularyOf('gte');
		const config = {
			...{...sizes, vocab_size, model_type: 'gte', type_vocab_size: 0},
			...{rope_scaling: {type: 'ntk', factor: 2}, rope_theta: 500_000},
		};
		const parts = {qkv_proj: heads, up_gate_proj: ['up_proj', 'gate_proj']};
		const path = await split('gte', parts, change, config);
		expect(await embeddingsOf(path)).toEqual(await embeddingsOf(family('gte')));
	});
});

test('a tensor that stands in the file twice is saved the same twice', async () => {
	const path = modelFolder(place(), {}, family('t5'));
	const shared = (await weightsOf(path)).get('shared.weight')!;
	await rewriteWeights(path, same, {'encoder.embed_tokens.weight': shared});
	const model = await load(path, {pooling: 'mean'});
	const {rows, columns} = model.core.parameters().find(p => p.name === 'embedding.tokens')!;
	const values = Float32Array.from({length: rows * columns}, (_, at) => at);
	model.core.write('weight', 'embedding.tokens', 0, values);
	const saved = place();
	await model.save(saved);
	const tensors = await weightsOf(saved);
	for (const name of ['shared.weight', 'encoder.embed_tokens.weight']) {
		expect(new Float32Array(tensors.get(name)!.bytes.slice().buffer)).toEqual(values);
	}
});

const tensor: WeightTensor = {dtype: 'F32', shape: [2], bytes: new Uint8Array(8)};

test.each([
	['roberta', ['lm_head.bias', 'pooler.dense.weight', 'embeddings.position_ids']],
	['distilbert', ['vocab_transform.weight', 'pre_classifier.bias']],
	['mpnet', ['lm_head.bias', 'pooler.dense.weight']],
	['albert', ['pooler.weight', 'predictions.bias', 'sop_classifier.classifier.bias']],
	['modernbert', ['head.dense.weight', 'decoder.bias']],
	['t5', ['decoder.final_layer_norm.weight', 'lm_head.weight']],
	['mistral', ['lm_head.weight', 'layers.0.self_attn.rotary_emb.inv_freq']],
])('%s carries along what it knows and does not use', async (name, unused) => {
	const path = modelFolder(place(), {}, family(name));
	await rewriteWeights(path, same, Object.fromEntries(unused.map(one => [one, tensor])));
	const model = await load(path, {pooling: 'mean'});
	expect(model.warnings).toEqual([]);
	const saved = place();
	await model.save(saved);
	for (const one of unused) expect((await weightsOf(saved)).get(one)).toEqual(tensor);
});

describe('a model is refused', () => {
	test.each([
		['jina_v2', 'encoder.layer.0.attention.self.layer_norm_q.weight'],
		['nomic_bert', 'encoder.layers.1.mlp.experts.mlp.w1'],
	])('%s with a tensor of a variant', async (name, foreign) => {
		const path = modelFolder(place(), {}, family(name));
		await rewriteWeights(path, same, {[foreign]: tensor});
		await expect(load(path, {pooling: 'mean'})).rejects.toMatchObject({
			code: 'MODEL_TENSOR',
			message: expect.stringContaining(`got tensor "${foreign}", which belongs to a variant`),
		});
	});

	test('whose grouped heads do not add up, naming all three tensors', async () => {
		const path = modelFolder(place(), {}, family('llama'));
		const name = 'model.layers.1.self_attn.k_proj.weight';
		await rewriteWeights(path, (each, values) => [
			each,
			each === name ? partOf(values, [0, 2]) : values,
		]);
		await expect(load(path, {pooling: 'mean'})).rejects.toMatchObject({
			code: 'MODEL_TENSOR',
			message: expect.stringMatching(
				/"model.*q_proj.weight", ".*k_proj.*", ".*v_proj.*" of shape \[32,16\] together, got \[16,16\], \[4,16\], \[8,16\]/,
			),
		});
	});

	test.each([
		['qwen2', 'layers.0.self_attn.v_proj.bias'],
		['t5_v1_1', 'encoder.block.1.layer.1.DenseReluDense.wi_1.weight'],
		['gte', 'encoder.layer.0.attention.qkv_proj.weight'],
	])('%s without %s, by this name', async (name, lost) => {
		const path = modelFolder(place(), {}, family(name));
		await rewriteWeights(path, (each, values) => (each === lost ? undefined : [each, values]));
		await expect(load(path, {pooling: 'mean'})).rejects.toMatchObject({
			code: 'MODEL_TENSOR',
			message: expect.stringContaining(`expected tensor "${lost}"`),
		});
	});
});
