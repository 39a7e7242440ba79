// Nomic BERT (Nussbaum et al. 2024): BERT with rotary positions, a gated layer and no biases. Its files name
// their values as GPT-2 does, those of transformers 5 as BERT does.

import {
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

const layer = 'encoder.layers.{i}';
const native = 'layers.{i}';

const gates = {swiglu: 'silu', silu: 'silu', geglu: 'gelu', glu: 'sigmoid'} as const;

/** What other models of this code have and this family has not. */
function refuseVariants(config: FamilyConfig): void {
	const off = ['causal', 'parallel_block', 'prenorm', 'use_rms_norm', 'rotary_emb_interleaved'];
	for (const key of [...off, 'scale_attn_by_inverse_layer_idx']) config.only(key, false);
	config.only('moe_every_n_layers', 0);
	config.only('rotary_emb_scale_base');
	config.only('scale_attn_weights', true);
}

/** Scaled rotation changes nothing up to the length of training, so no text may be longer. */
function longestOf(config: FamilyConfig): number {
	const positions = config.size(['n_positions', 'max_position_embeddings'], {otherwise: 2048});
	const isScaled = config.number('rotary_scaling_factor', 0) > 0;
	return isScaled ? config.size('max_trained_positions', {otherwise: 2048}) : positions;
}

export const nomic: Family = {
	name: 'nomic_bert',
	modelTypes: ['nomic_bert'],
	spec(config) {
		refuseVariants(config);
		const width = config.size(['n_embd', 'hidden_size']);
		const heads = config.size(['n_head', 'num_attention_heads']);
		const longest = longestOf(config);
		const norm = layerNorm(config.number(['layer_norm_epsilon', 'layer_norm_eps'], 1e-12));
		const headWidth = config.number('head_dim', width / heads);
		const bias = config.flag('qkv_proj_bias', false);
		const base = config.number(['rotary_emb_base', 'rope_theta'], 1000);
		const fraction = config.number('rotary_emb_fraction', 1);
		if (fraction === 0 || fraction > 1) config.refuse('rotary_emb_fraction', 'above 0, up to 1');
		const turn = rotary(config, {headWidth, longest, fraction, base});
		const norms = {after: norm};
		const block = {
			attention: attention({heads, headWidth, bias, outputBias: bias, rotary: turn, norms}),
			mlp: mlp({
				width: config.size(['n_inner', 'intermediate_size']),
				activation: config.choice(['activation_function', 'hidden_act'], gates, 'silu'),
				gate: 'second',
				bias: config.flag('mlp_fc1_bias', false),
				outputBias: config.flag('mlp_fc2_bias', false),
				norms,
			}),
		};
		const count = config.size(['n_layer', 'num_hidden_layers'], {most: mostBlocks});
		const types = config.size('type_vocab_size', {otherwise: 2, least: 0});
		return {
			width,
			longest,
			embedding: embedding({vocabulary: config.size('vocab_size'), width, types, norm}),
			blocks: blocks(count, () => block),
		};
	},
	dropout: config => ({
		hidden: config.number(['resid_pdrop', 'hidden_dropout_prob'], 0),
		attention: config.number(['attn_pdrop', 'attention_probs_dropout_prob'], 0),
	}),
	tensors: [
		['embeddings.word_embeddings.weight', 'embedding.tokens'],
		['embeddings.token_type_embeddings.weight', 'embedding.types'],
		...weightAndBias('emb_ln', 'embedding.norm'),
		...weightAndBias('embeddings.LayerNorm', 'embedding.norm'),
		...weightAndBias(`${layer}.attn.Wqkv`, 'blocks.{i}.attention.qkv'),
		...weightAndBias(
			['q_proj', 'k_proj', 'v_proj'].map(name => `${native}.self_attn.${name}`),
			'blocks.{i}.attention.qkv',
		),
		...weightAndBias(`${layer}.attn.out_proj`, 'blocks.{i}.attention.output'),
		...weightAndBias(`${native}.self_attn.o_proj`, 'blocks.{i}.attention.output'),
		...weightAndBias(`${layer}.norm1`, 'blocks.{i}.attention.after'),
		...weightAndBias(`${native}.post_attention_layernorm`, 'blocks.{i}.attention.after'),
		...weightAndBias([`${layer}.mlp.fc11`, `${layer}.mlp.fc12`], 'blocks.{i}.mlp.up'),
		...weightAndBias([`${native}.mlp.up_proj`, `${native}.mlp.gate_proj`], 'blocks.{i}.mlp.up'),
		...weightAndBias(`${layer}.mlp.fc2`, 'blocks.{i}.mlp.down'),
		...weightAndBias(`${native}.mlp.down_proj`, 'blocks.{i}.mlp.down'),
		...weightAndBias(`${layer}.norm2`, 'blocks.{i}.mlp.after'),
		...weightAndBias(`${native}.post_mlp_layernorm`, 'blocks.{i}.mlp.after'),
	],
	prefixes: ['bert.', 'nomic_bert.'],
	unused: [/^pooler\./, /^cls\./, /^classifier\./, /rotary_emb\.inv_freq$/],
	foreign: [/\.mlp\.(experts|router)\./],
};
