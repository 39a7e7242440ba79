// Gemma 3 text models (2025), EmbeddingGemma: rms norms before and inside whose weights are stored less one,
// a scaled embedding, norms of queries and keys, and blocks that see a window but for every sixth.

import {
	activations,
	attention,
	embedding,
	type Family,
	type FamilyConfig,
	mlp,
	mostBlocks,
	rmsNorm,
	rotary,
	weightAndBias,
} from '../spec.js';

const layer = 'layers.{i}';
const kinds = ['full_attention', 'sliding_attention'] as const;

/** Of each block: named one by one, or by the number of the pattern. */
function kindsOf(config: FamilyConfig) {
	const count = config.size('num_hidden_layers', {most: mostBlocks});
	const pattern = ['sliding_window_pattern', '_sliding_window_pattern'];
	const every = config.size(pattern, {otherwise: 6});
	const usual = Array.from({length: count}, (_, block) => kinds[(block + 1) % every === 0 ? 0 : 1]);
	return config.list('layer_types', kinds, usual);
}

/** What tells the kinds apart. The window of one that sees both ways is counted in whole. */
function partsOf(config: FamilyConfig, headWidth: number, longest: number) {
	const causal = !config.flag('use_bidirectional_attention', false);
	const window = config.size('sliding_window', {otherwise: 4096, least: 2});
	const [whole, near] = [
		config.number('rope_theta', 1e6),
		config.number('rope_local_base_freq', 1e4),
	];
	return {
		full_attention: {
			causal,
			rotary: rotary(config, {headWidth, longest, base: whole, layer: 'full_attention'}),
		},
		sliding_attention: {
			causal,
			window: causal ? window - 1 : Math.floor(window / 2),
			rotary: rotary(config, {
				...{headWidth, longest, base: near, layer: 'sliding_attention', isScaled: false},
			}),
		},
	};
}

export const gemma3: Family = {
	name: 'gemma3_text',
	modelTypes: ['gemma3_text'],
	spec(config) {
		config.only('attn_logit_softcapping');
		config.only('is_causal', !config.flag('use_bidirectional_attention', false));
		const width = config.size('hidden_size');
		const headWidth = config.size('head_dim', {otherwise: 256});
		const longest = config.size('max_position_embeddings', {otherwise: 131_072});
		const norm = rmsNorm(config.number('rms_norm_eps', 1e-6), 1);
		const norms = {before: norm, inside: norm};
		const bias = config.flag('attention_bias', false);
		const plain = {
			heads: config.size('num_attention_heads'),
			keyHeads: config.size('num_key_value_heads', {otherwise: 4}),
			headWidth,
			scale: 1 / Math.sqrt(config.size('query_pre_attn_scalar', {otherwise: 256})),
			...{bias, outputBias: bias, headNorm: norm, norms},
		};
		const parts = partsOf(config, headWidth, longest);
		const feedForward = mlp({
			width: config.size('intermediate_size'),
			activation: config.choice('hidden_activation', activations, 'gelu_pytorch_tanh'),
			gate: 'first',
			...{bias: false, outputBias: false, norms},
		});
		const vocabulary = config.size('vocab_size');
		return {
			width,
			longest,
			embedding: embedding({vocabulary, width, scale: Math.sqrt(width)}),
			blocks: kindsOf(config).map((kind, weights) => ({
				weights,
				attention: attention({...plain, ...parts[kind]}),
				mlp: feedForward,
			})),
			finalNorm: norm,
		};
	},
	dropout: config => ({hidden: 0, attention: config.number('attention_dropout', 0)}),
	tensors: [
		['embed_tokens.weight', 'embedding.tokens'],
		...weightAndBias(
			['q_proj', 'k_proj', 'v_proj'].map(name => `${layer}.self_attn.${name}`),
			'blocks.{i}.attention.qkv',
		),
		...weightAndBias(`${layer}.self_attn.q_norm`, 'blocks.{i}.attention.queryNorm'),
		...weightAndBias(`${layer}.self_attn.k_norm`, 'blocks.{i}.attention.keyNorm'),
		...weightAndBias(`${layer}.self_attn.o_proj`, 'blocks.{i}.attention.output'),
		...weightAndBias(`${layer}.input_layernorm`, 'blocks.{i}.attention.before'),
		...weightAndBias(`${layer}.post_attention_layernorm`, 'blocks.{i}.attention.inside'),
		...weightAndBias(
			['gate_proj', 'up_proj'].map(name => `${layer}.mlp.${name}`),
			'blocks.{i}.mlp.up',
		),
		...weightAndBias(`${layer}.mlp.down_proj`, 'blocks.{i}.mlp.down'),
		...weightAndBias(`${layer}.pre_feedforward_layernorm`, 'blocks.{i}.mlp.before'),
		...weightAndBias(`${layer}.post_feedforward_layernorm`, 'blocks.{i}.mlp.inside'),
		...weightAndBias('norm', 'final'),
	],
	prefixes: ['model.'],
	unused: [/^lm_head\./, /^score\./, /rotary_emb\.inv_freq$/],
};
