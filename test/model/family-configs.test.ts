// What families make of configurations: shapes that were published over time, frequencies of rotary
// positions against transformers, values that are refused by name.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {familyConfig, type JsonObject} from '../../dist/model/config.js';
import {families} from '../../dist/model/families/index.js';
import {readModelFolder} from '../../dist/model/folder.js';
import type {BodySpec, RotarySpec} from '../../dist/model/spec.js';
import {temporaryFolder} from '../files/folder.js';
import {fixtures} from './families.js';
import {modelFolder} from './folders.js';

function bodyOf(config: JsonObject): BodySpec & {family: string} {
	const values = familyConfig(config, 'config.json');
	const type = String(config['model_type']);
	const family = families.find(
		one => one.modelTypes.includes(type) && (one.matches?.(values) ?? true),
	)!;
	return {...family.spec(values), family: family.name};
}

type RotaryCase = {config: JsonObject; expected: Record<string, RotarySpec>};

const rotaryCases: RotaryCase[] = JSON.parse(readFileSync(join(fixtures, 'rotary.json'), 'utf8'));

describe('rotary positions turn as in transformers', () => {
	/** Blocks of a window are those of `sliding_attention`; a family without has only `all`. */
	const kindOf = (expected: RotaryCase['expected'], window: number) =>
		expected['all'] ?? expected[window > 0 ? 'sliding_attention' : 'full_attention']!;
	const named = rotaryCases.map(({config, expected}) => {
		const {model_type, rope_theta, rope_scaling, rope_parameters} = config;
		const says = {rope_theta, rope_scaling, rope_parameters};
		return {name: `${model_type} ${JSON.stringify(says)}`, config, expected};
	});

	test.each(named)('$name', ({config, expected}) => {
		for (const {attention} of bodyOf(config).blocks) {
			const {frequencies, magnitude} = attention.rotary!;
			const exact = kindOf(expected, attention.window);
			expect(frequencies).toHaveLength(exact.frequencies.length);
			expect(magnitude).toBeCloseTo(exact.magnitude, 12);
			for (const [pair, frequency] of exact.frequencies.entries()) {
				expect(frequencies[pair]! / frequency, `pair ${pair}`).toBeCloseTo(1, 12);
			}
		}
	});
});

const sizes = {hidden_size: 64, num_attention_heads: 4, intermediate_size: 96, vocab_size: 50};
const bert = {...sizes, num_hidden_layers: 2};
const decoder = {...bert, rms_norm_eps: 1e-6, max_position_embeddings: 512};

// Keys and values as in the files of the models named.
const published: [string, JsonObject, object][] = [
	[
		'all-mpnet-base-v2',
		{
			...{...bert, model_type: 'mpnet', layer_norm_eps: 1e-5, max_position_embeddings: 514},
			...{pad_token_id: 1, relative_attention_num_buckets: 32},
		},
		{
			longest: 512,
			embedding: {positions: 514, positionOffset: 2, types: 0},
			relativeBias: {buckets: 32, furthest: 128},
		},
	],
	[
		'bge-m3',
		{
			...{...bert, model_type: 'xlm-roberta', layer_norm_eps: 1e-5, pad_token_id: 1},
			...{max_position_embeddings: 8194, type_vocab_size: 1, position_embedding_type: 'absolute'},
		},
		{family: 'roberta', longest: 8192, embedding: {positionOffset: 2, types: 1}},
	],
	[
		'distilbert-base-uncased',
		{
			...{model_type: 'distilbert', dim: 64, n_heads: 4, n_layers: 2, hidden_dim: 96},
			...{vocab_size: 50, max_position_embeddings: 512, activation: 'gelu'},
			...{sinusoidal_pos_embds: false, tie_weights_: true, seq_classif_dropout: 0.2},
		},
		{width: 64, longest: 512, embedding: {types: 0, norm: {epsilon: 1e-12}}},
	],
	[
		'nomic-embed-text-v1.5',
		{
			...{model_type: 'nomic_bert', n_embd: 64, n_head: 4, n_inner: 96, n_layer: 2},
			...{vocab_size: 50, type_vocab_size: 2, n_positions: 8192, max_trained_positions: 2048},
			...{activation_function: 'swiglu', causal: false, prenorm: false, parallel_block: false},
			...{qkv_proj_bias: false, mlp_fc1_bias: false, mlp_fc2_bias: false, use_rms_norm: false},
			...{rotary_emb_base: 1000, rotary_emb_fraction: 1, rotary_emb_interleaved: false},
			...{rotary_emb_scale_base: null, rotary_scaling_factor: null, layer_norm_epsilon: 1e-12},
			...{scale_attn_by_inverse_layer_idx: false, scale_attn_weights: true},
		},
		{family: 'nomic_bert', longest: 8192, embedding: {types: 2, positions: 0}},
	],
	[
		'nomic-embed-text-v1.5 as transformers 5 writes it',
		{
			...{...bert, model_type: 'nomic_bert', hidden_act: 'silu', layer_norm_eps: 1e-12},
			...{max_position_embeddings: 2048, type_vocab_size: 2, head_dim: 16},
			rope_parameters: {rope_theta: 1000, rope_type: 'default'},
		},
		{family: 'nomic_bert', longest: 2048},
	],
	[
		'a Nomic model whose rotation grows with the text',
		{
			...{model_type: 'nomic_bert', n_embd: 64, n_head: 4, n_inner: 96, n_layer: 2},
			...{vocab_size: 50, n_positions: 8192, max_trained_positions: 2048},
			...{activation_function: 'swiglu', rotary_scaling_factor: 2},
		},
		{longest: 2048},
	],
	[
		'gte-base-en-v1.5',
		{
			...{...bert, model_type: 'new', type_vocab_size: 0, position_embedding_type: 'rope'},
			...{rope_theta: 500_000, rope_scaling: {factor: 2, type: 'ntk'}, pack_qkv: true},
			...{logn_attention_scale: false, logn_attention_clip1: false, hidden_act: 'gelu'},
			...{max_position_embeddings: 8192, layer_norm_type: 'layer_norm'},
		},
		{family: 'gte', longest: 8192, embedding: {types: 0}},
	],
	[
		'snowflake-arctic-embed-m-v2.0',
		{
			...{...bert, model_type: 'gte', type_vocab_size: 1, position_embedding_type: 'rope'},
			...{rope_theta: 160_000, rope_scaling: null, max_position_embeddings: 8192},
		},
		{family: 'gte', longest: 8192, embedding: {types: 1}},
	],
	[
		'jina-embeddings-v2-base-en',
		{
			...{...bert, model_type: 'bert', position_embedding_type: 'alibi', emb_pooler: 'mean'},
			...{feed_forward_type: 'geglu', max_position_embeddings: 8192, type_vocab_size: 2},
			...{attn_implementation: 'torch', classifier_dropout: null},
		},
		{family: 'jina_v2', longest: 8192, embedding: {positions: 0, types: 2}},
	],
	[
		'paraphrase-albert-small-v2',
		{
			...{...bert, model_type: 'albert', embedding_size: 16, num_hidden_groups: 1},
			...{inner_group_num: 1, net_structure_type: 0, gap_size: 0, down_scale_factor: 1},
			...{hidden_act: 'gelu', max_position_embeddings: 512},
		},
		{embedding: {width: 16}, blocks: [{weights: 0}, {weights: 0, mlp: {activation: 'gelu'}}]},
	],
	[
		'an ALBERT of two groups',
		{...bert, model_type: 'albert', embedding_size: 16, num_hidden_layers: 4, num_hidden_groups: 2},
		{blocks: [{weights: 0}, {weights: 0}, {weights: 1}, {weights: 1}]},
	],
	[
		'gtr-t5-base',
		{
			...{model_type: 't5', d_model: 64, d_kv: 16, d_ff: 96, num_heads: 4, num_layers: 2},
			...{vocab_size: 50, feed_forward_proj: 'relu', is_encoder_decoder: true, n_positions: 512},
			...{layer_norm_epsilon: 1e-6, relative_attention_num_buckets: 32, dropout_rate: 0.1},
		},
		{longest: 512, relativeBias: {buckets: 32, furthest: 128}},
	],
	[
		'e5-mistral-7b-instruct',
		{
			...{...decoder, model_type: 'mistral', num_key_value_heads: 2, sliding_window: 4096},
			...{hidden_act: 'silu', max_position_embeddings: 32_768, rope_theta: 10_000},
		},
		{longest: 32_768, blocks: [{attention: {keyHeads: 2, window: 4095, causal: true}}, {}]},
	],
	[
		'a Mistral without a window',
		{...decoder, model_type: 'mistral', num_key_value_heads: 2, sliding_window: null},
		{blocks: [{attention: {window: 0}}, {}]},
	],
	[
		'gte-Qwen2-1.5B-instruct',
		{
			...{...decoder, model_type: 'qwen2', num_key_value_heads: 2, is_causal: false},
			...{use_sliding_window: false, sliding_window: 131_072, max_window_layers: 21},
			...{rope_theta: 1e6, max_position_embeddings: 131_072},
		},
		{longest: 131_072, blocks: [{attention: {causal: false, window: 0, bias: true}}, {}]},
	],
	[
		'a Qwen 2 whose last block has a window',
		{
			...{...decoder, model_type: 'qwen2', num_key_value_heads: 4, use_sliding_window: true},
			...{sliding_window: 16, max_window_layers: 1},
		},
		{blocks: [{attention: {window: 0}}, {attention: {window: 15}}]},
	],
	[
		'Qwen3-Embedding-0.6B',
		{
			...{...decoder, model_type: 'qwen3', num_key_value_heads: 2, head_dim: 32},
			...{attention_bias: false, rope_scaling: null, sliding_window: null, rope_theta: 1e6},
			...{use_sliding_window: false, max_window_layers: 28},
		},
		{blocks: [{attention: {headWidth: 32, headNorm: {kind: 'rms'}, causal: true}}, {}]},
	],
	[
		'ModernBERT-base as transformers 5 writes it',
		{
			...{...bert, model_type: 'modernbert', norm_eps: 1e-5, local_attention: 128},
			...{layer_types: ['full_attention', 'sliding_attention'], max_position_embeddings: 8192},
			rope_parameters: {
				full_attention: {rope_theta: 160_000, rope_type: 'default'},
				sliding_attention: {rope_theta: 10_000, rope_type: 'default'},
			},
		},
		{longest: 8192, blocks: [{attention: {window: 0}}, {attention: {window: 64}}]},
	],
	[
		'embeddinggemma-300m',
		{
			...{...decoder, model_type: 'gemma3_text', num_key_value_heads: 1, head_dim: 32},
			...{_sliding_window_pattern: 2, attn_logit_softcapping: null, query_pre_attn_scalar: 256},
			...{final_logit_softcapping: null, hidden_activation: 'gelu_pytorch_tanh'},
			...{sliding_window: 512, use_bidirectional_attention: true, rope_local_base_freq: 1e4},
			...{rope_scaling: null, rope_theta: 1e6, max_position_embeddings: 2048},
		},
		{
			longest: 2048,
			embedding: {scale: 8},
			blocks: [
				{attention: {window: 256, causal: false, scale: 1 / 16}},
				{attention: {window: 0, causal: false}},
			],
		},
	],
];

test.each(published)('reads %s', (_, config, expected) => {
	expect(bodyOf(config)).toMatchObject(expected);
});

const {folder} = temporaryFolder();
let made = 0;

function refusal(family: string, change: object): Promise<unknown> {
	const from = join(fixtures, family);
	const config: object = JSON.parse(readFileSync(join(from, 'config.json'), 'utf8'));
	const files = {'config.json': {...config, ...change}};
	const path = modelFolder(join(folder, `model-${made++}`), files, from);
	return readModelFolder(path, {pooling: 'mean'});
}

const refused: [string, object, string][] = [
	['bert', {position_embedding_type: 'relative_key'}, 'position_embedding_type'],
	['bert', {is_decoder: true}, 'is_decoder'],
	['bert', {hidden_act: 'quick_gelu'}, 'hidden_act'],
	['roberta', {pad_token_id: 129}, 'pad_token_id'],
	['roberta', {add_cross_attention: true}, 'add_cross_attention'],
	['mpnet', {relative_attention_num_buckets: 64}, 'relative_attention_num_buckets'],
	['albert', {inner_group_num: 2}, 'inner_group_num'],
	['albert', {num_hidden_groups: 9}, 'num_hidden_groups'],
	['albert', {embedding_size: 16}, 'embedding_size'],
	['modernbert', {layer_types: ['full_attention']}, 'layer_types'],
	['modernbert', {layer_types: Array(4).fill('linear_attention')}, 'layer_types'],
	['modernbert', {local_attention: 1}, 'local_attention'],
	['modernbert', {rope_parameters: {rope_type: 'default'}}, 'rope_parameters.rope_type'],
	['nomic_bert', {parallel_block: true}, 'parallel_block'],
	['nomic_bert', {prenorm: true}, 'prenorm'],
	['nomic_bert', {rotary_emb_interleaved: true}, 'rotary_emb_interleaved'],
	['nomic_bert', {rotary_emb_scale_base: 512}, 'rotary_emb_scale_base'],
	['nomic_bert', {rotary_emb_fraction: 0}, 'rotary_emb_fraction'],
	['nomic_bert', {moe_every_n_layers: 2}, 'moe_every_n_layers'],
	['nomic_bert', {activation_function: 'gelu'}, 'activation_function'],
	['nomic_bert', {causal: true}, 'causal'],
	['gte', {logn_attention_scale: true}, 'logn_attention_scale'],
	['gte', {position_embedding_type: 'absolute'}, 'position_embedding_type'],
	['gte', {rope_scaling: {type: 'ntk', factor: 2, mixed_b: 0.5}}, 'rope_scaling.mixed_b'],
	['gte', {rope_scaling: {type: 'ntk', factor: 0.5}}, 'rope_scaling.factor'],
	['jina_v2', {feed_forward_type: 'swiglu'}, 'feed_forward_type'],
	['jina_v2', {position_embedding_type: 'rope'}, 'position_embedding_type'],
	['t5', {feed_forward_proj: 'gated-snake'}, 'feed_forward_proj'],
	['t5', {is_decoder: true}, 'is_decoder'],
	['llama', {rope_scaling: {rope_type: 'longrope'}}, 'rope_scaling.rope_type'],
	['llama', {rope_scaling: {type: 'linear'}}, 'rope_scaling.factor'],
	['llama', {rope_scaling: 2}, 'rope_scaling'],
	['llama', {rope_theta: 0}, 'rope_theta'],
	['llama', {partial_rotary_factor: 0.5}, 'partial_rotary_factor'],
	['llama', {rope_parameters: {full_attention: {}}}, 'rope_parameters.full_attention'],
	['llama', {attention_bias: 'yes'}, 'attention_bias'],
	['mistral', {sliding_window: 1}, 'sliding_window'],
	['mistral', {layer_types: Array(3).fill('full_attention')}, 'layer_types'],
	['mistral', {attention_bias: true}, 'attention_bias'],
	['qwen2', {layer_types: ['full_attention', 'sliding_attention']}, 'layer_types'],
	['gemma3', {attn_logit_softcapping: 50}, 'attn_logit_softcapping'],
	['gemma3', {is_causal: true}, 'is_causal'],
	['gemma3', {layer_types: Array(4).fill('chunked_attention')}, 'layer_types'],
];

test.each(refused)('%s refuses %j by its name', async (family, change, key) => {
	await expect(refusal(family, change)).rejects.toMatchObject({
		code: 'MODEL_CONFIG',
		message: expect.stringContaining(`"${key}"`),
	});
});

test('a model of no family is refused with the types that are known', async () => {
	const types = families.flatMap(one => one.modelTypes);
	expect(types).toEqual(expect.arrayContaining(['xlm-roberta', 'new', 'gemma3_text']));
	await expect(refusal('bert', {model_type: 'deberta-v2'})).rejects.toMatchObject({
		code: 'MODEL_FAMILY',
		message: expect.stringMatching(/of .*xlm-roberta.*, got "deberta-v2"/),
	});
});
