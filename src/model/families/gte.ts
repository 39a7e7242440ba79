// GTE 1.5 and multilingual (Zhang et al. 2024; `model_type` "new"), Snowflake Arctic 2 of medium size: BERT
// with rotary positions and a gated layer. transformers 5 has it as "gte", with other names.

import {
	activations,
	attention,
	blocks,
	embedding,
	type Family,
	type FamilyConfig,
	layerNorm,
	mlp,
	mostBlocks,
	rotary,
	weightAndBias,
} from '../spec.js';

const layer = 'encoder.layer.{i}';
const native = 'layers.{i}';

/** Where the two differ: what a file means that does not say. */
const versions = {
	new: {base: 10_000, longest: 2048},
	gte: {base: 160_000, longest: 8192},
};

const kinds = ['default', 'ntk', 'linear', 'dynamic', 'llama3', 'yarn'] as const;

/** What the code can do and no published model does. */
function refuseVariants(config: FamilyConfig): void {
	config.only('position_embedding_type', 'rope');
	config.only('layer_norm_type', 'layer_norm');
	config.only('logn_attention_scale', false);
	config.only('logn_attention_clip1', false);
}

export const gte: Family = {
	name: 'gte',
	modelTypes: ['new', 'gte'],
	spec(config) {
		refuseVariants(config);
		const version = config.choice('model_type', versions);
		const width = config.size('hidden_size');
		const heads = config.size('num_attention_heads');
		const headWidth = config.number('head_dim', width / heads);
		const longest = config.size('max_position_embeddings', {otherwise: version.longest});
		const norm = layerNorm(config.number('layer_norm_eps', 1e-12));
		const base = config.number('rope_theta', version.base);
		const turn = rotary(config, {headWidth, longest, base, kinds});
		const block = {
			attention: attention({heads, headWidth, rotary: turn, norms: {after: norm}}),
			mlp: mlp({
				width: config.size('intermediate_size'),
				activation: config.choice('hidden_act', activations, 'gelu'),
				gate: 'second',
				bias: false,
				norms: {after: norm},
			}),
		};
		const types = config.size('type_vocab_size', {otherwise: 1, least: 0});
		return {
			width,
			longest,
			embedding: embedding({vocabulary: config.size('vocab_size'), width, types, norm}),
			blocks: blocks(config.size('num_hidden_layers', {most: mostBlocks}), () => block),
		};
	},
	dropout: config => ({
		hidden: config.number('hidden_dropout_prob', 0.1),
		attention: config.number('attention_probs_dropout_prob', 0),
	}),
	tensors: [
		['embeddings.word_embeddings.weight', 'embedding.tokens'],
		['embeddings.token_type_embeddings.weight', 'embedding.types'],
		...weightAndBias('embeddings.LayerNorm', 'embedding.norm'),
		...weightAndBias(`${layer}.attention.qkv_proj`, 'blocks.{i}.attention.qkv'),
		...[`${layer}.attention`, `${native}.self_attn`].flatMap(place =>
			weightAndBias(
				['q_proj', 'k_proj', 'v_proj'].map(name => `${place}.${name}`),
				'blocks.{i}.attention.qkv',
			),
		),
		...weightAndBias(`${layer}.attention.o_proj`, 'blocks.{i}.attention.output'),
		...weightAndBias(`${native}.self_attn.o_proj`, 'blocks.{i}.attention.output'),
		...weightAndBias(`${layer}.attn_ln`, 'blocks.{i}.attention.after'),
		...weightAndBias(`${native}.post_attention_layernorm`, 'blocks.{i}.attention.after'),
		[`${layer}.mlp.up_gate_proj.weight`, 'blocks.{i}.mlp.up.weight'],
		[
			[`${native}.mlp.up_proj.weight`, `${native}.mlp.gate_proj.weight`],
			'blocks.{i}.mlp.up.weight',
		],
		...weightAndBias(`${layer}.mlp.down_proj`, 'blocks.{i}.mlp.down'),
		...weightAndBias(`${native}.mlp.down_proj`, 'blocks.{i}.mlp.down'),
		...weightAndBias(`${layer}.mlp_ln`, 'blocks.{i}.mlp.after'),
		...weightAndBias(`${native}.post_mlp_layernorm`, 'blocks.{i}.mlp.after'),
	],
	prefixes: ['new.', 'gte.'],
	unused: [/^pooler\./, /^lm_head\./, /^classifier\./, /rotary_emb\.inv_freq$/],
};
