// Llama (Touvron et al. 2023) and its kin Mistral, Qwen 2 and 3: rms norm before, rotary positions, heads
// that share keys, a gated layer. Causal unless the file says that it was trained to see both ways.

import {
	type AttentionSpec,
	activations,
	attention,
	blocks,
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

/** What one of them does in its own way. */
type Own = {
	name: string;
	/** The longest text of a file that does not say. */
	longest: number;
	/** Of a file that does not say; usually each head has its own. */
	keyHeads?: number;
	/** Of a file that does not say; usually the heads share the width. */
	headWidth?: number;
	/** Biases, and whether heads are normalised. */
	parts(config: FamilyConfig): Partial<AttentionSpec>;
	/** How far each block sees; 0: all. */
	windows?(config: FamilyConfig, count: number): readonly number[];
};

function isCausal(config: FamilyConfig): boolean {
	const isTwoWay = config.flag('use_bidirectional_attention', false);
	return config.flag('is_causal', true) && !isTwoWay;
}

/** A causal window counts the token itself. */
function windowOf(config: FamilyConfig): number {
	const window = config.size('sliding_window', {otherwise: 4096, least: 2});
	return isCausal(config) ? window - 1 : window;
}

/** Qwen's later blocks see a window, if it is switched on. */
function laterWindows(config: FamilyConfig, count: number): number[] {
	const isOn = config.flag('use_sliding_window', false) && !config.is('sliding_window', null);
	const first = config.size('max_window_layers', {otherwise: 28, least: 0});
	const kinds = ['full_attention', 'sliding_attention'] as const;
	const usual = Array.from({length: count}, (_, block) => kinds[isOn && block >= first ? 1 : 0]);
	const named = config.list('layer_types', isOn ? kinds : ['full_attention'], usual);
	return named.map(kind => (kind === 'sliding_attention' ? windowOf(config) : 0));
}

function bodyOf(config: FamilyConfig, own: Own) {
	const width = config.size('hidden_size');
	const heads = config.size('num_attention_heads');
	const headWidth = config.number('head_dim', own.headWidth ?? width / heads);
	const keyHeads = config.size('num_key_value_heads', {otherwise: own.keyHeads ?? heads});
	const longest = config.size('max_position_embeddings', {otherwise: own.longest});
	const norm = rmsNorm(config.number('rms_norm_eps', 1e-6));
	const norms = {before: norm};
	const shared = {
		...{heads, keyHeads, headWidth, norms, causal: isCausal(config)},
		rotary: rotary(config, {headWidth, longest, base: config.number('rope_theta', 10_000)}),
		...own.parts(config),
	};
	const mlpBias = own.name === 'llama' && config.flag('mlp_bias', false);
	const feedForward = mlp({
		width: config.size('intermediate_size'),
		activation: config.choice('hidden_act', activations, 'silu'),
		gate: 'first',
		bias: mlpBias,
		outputBias: mlpBias,
		norms,
	});
	const count = config.size('num_hidden_layers', {most: mostBlocks});
	const windows = own.windows?.(config, count) ?? [];
	return {
		width,
		longest,
		embedding: embedding({vocabulary: config.size('vocab_size'), width}),
		blocks: blocks(count, block => ({
			attention: attention({...shared, window: windows[block] ?? 0}),
			mlp: feedForward,
		})),
		finalNorm: norm,
	};
}

function kin(own: Own): Family {
	return {
		name: own.name,
		modelTypes: [own.name],
		spec: config => bodyOf(config, own),
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
			...weightAndBias(
				['gate_proj', 'up_proj'].map(name => `${layer}.mlp.${name}`),
				'blocks.{i}.mlp.up',
			),
			...weightAndBias(`${layer}.mlp.down_proj`, 'blocks.{i}.mlp.down'),
			...weightAndBias(`${layer}.post_attention_layernorm`, 'blocks.{i}.mlp.before'),
			...weightAndBias('norm', 'final'),
		],
		prefixes: ['model.'],
		unused: [/^lm_head\./, /^score\./, /rotary_emb\.inv_freq$/],
	};
}

/** Biases of all four projections, or of none. */
function biases(config: FamilyConfig) {
	const bias = config.flag('attention_bias', false);
	return {bias, outputBias: bias};
}

export const llama = kin({name: 'llama', longest: 2048, parts: biases});

export const mistral = kin({
	name: 'mistral',
	longest: 131_072,
	keyHeads: 8,
	parts: config => {
		config.only('attention_bias', false);
		config.only('layer_types');
		return {bias: false, outputBias: false};
	},
	windows: (config, count) =>
		Array.from({length: count}, () => (config.is('sliding_window', null) ? 0 : windowOf(config))),
});

export const qwen2 = kin({
	name: 'qwen2',
	longest: 32_768,
	keyHeads: 32,
	parts: () => ({bias: true, outputBias: false}),
	windows: laterWindows,
});

export const qwen3 = kin({
	name: 'qwen3',
	longest: 32_768,
	keyHeads: 32,
	headWidth: 128,
	parts: config => ({...biases(config), headNorm: rmsNorm(config.number('rms_norm_eps', 1e-6))}),
	windows: laterWindows,
});
