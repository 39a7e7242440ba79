// ModernBERT (Warner et al. 2024): norm before, rotary positions, a gated layer, and blocks that see the
// whole text, every third, or a window. The norm of the embedding serves as the first block's.

import {
	activations,
	attention,
	embedding,
	type Family,
	type FamilyConfig,
	layerNorm,
	mlp,
	mostBlocks,
	rotary,
	weightAndBias,
} from '../spec.js';

const kinds = ['full_attention', 'sliding_attention'] as const;

/** Of each block: named one by one since transformers 5, before by a number. */
function kindsOf(config: FamilyConfig, count: number) {
	const every = config.size('global_attn_every_n_layers', {otherwise: 3});
	const kindOf = (block: number) => kinds[block % every === 0 ? 0 : 1];
	return config.list(
		'layer_types',
		kinds,
		Array.from({length: count}, (_, block) => kindOf(block)),
	);
}

/** What tells the kinds apart. */
function partsOf(config: FamilyConfig, headWidth: number, longest: number) {
	const whole = config.number('global_rope_theta', 160_000);
	const near = config.is('local_rope_theta', null) ? whole : config.number('local_rope_theta', 1e4);
	const turn = (base: number, layer: (typeof kinds)[number]) =>
		rotary(config, {headWidth, longest, base, layer});
	const reach = config.size('local_attention', {otherwise: 128, least: 2});
	return {
		full_attention: {rotary: turn(whole, 'full_attention')},
		sliding_attention: {
			rotary: turn(near, 'sliding_attention'),
			window: Math.floor(reach / 2),
		},
	};
}

export const modernbert: Family = {
	name: 'modernbert',
	modelTypes: ['modernbert'],
	spec(config) {
		const width = config.size('hidden_size');
		const heads = config.size('num_attention_heads');
		const count = config.size('num_hidden_layers', {most: mostBlocks});
		const longest = config.size('max_position_embeddings', {otherwise: 8192});
		const norm = layerNorm(config.number('norm_eps', 1e-5), config.flag('norm_bias', false));
		const bias = config.flag('attention_bias', false);
		const mlpBias = config.flag('mlp_bias', false);
		const plain = {heads, headWidth: width / heads, bias, outputBias: bias};
		const parts = partsOf(config, plain.headWidth, longest);
		const feedForward = mlp({
			width: config.size('intermediate_size'),
			activation: config.choice('hidden_activation', activations, 'gelu'),
			gate: 'first',
			bias: mlpBias,
			outputBias: mlpBias,
			norms: {before: norm},
		});
		const norms = (block: number) => (block === 0 ? {} : {before: norm});
		return {
			width,
			longest,
			embedding: embedding({vocabulary: config.size('vocab_size'), width, norm}),
			blocks: kindsOf(config, count).map((kind, block) => ({
				weights: block,
				attention: attention({...plain, ...parts[kind], norms: norms(block)}),
				mlp: feedForward,
			})),
			finalNorm: norm,
		};
	},
	dropout: config => ({
		hidden: config.number('mlp_dropout', 0),
		attention: config.number('attention_dropout', 0),
	}),
	starts(config) {
		const deviation = config.number('initializer_range', 0.02);
		const deep = deviation / Math.sqrt(2 * config.size('num_hidden_layers', {most: mostBlocks}));
		const cut = config.number('initializer_cutoff_factor', 2);
		return file => ({deviation: /\.Wo\.weight$/.test(file) ? deep : deviation, cut});
	},
	tensors: [
		['embeddings.tok_embeddings.weight', 'embedding.tokens'],
		...weightAndBias('embeddings.norm', 'embedding.norm'),
		...weightAndBias('layers.{i}.attn_norm', 'blocks.{i}.attention.before'),
		...weightAndBias('layers.{i}.attn.Wqkv', 'blocks.{i}.attention.qkv'),
		...weightAndBias('layers.{i}.attn.Wo', 'blocks.{i}.attention.output'),
		...weightAndBias('layers.{i}.mlp_norm', 'blocks.{i}.mlp.before'),
		...weightAndBias('layers.{i}.mlp.Wi', 'blocks.{i}.mlp.up'),
		...weightAndBias('layers.{i}.mlp.Wo', 'blocks.{i}.mlp.down'),
		...weightAndBias('final_norm', 'final'),
	],
	prefixes: ['model.'],
	unused: [/^head\./, /^decoder\./, /^classifier\./],
};
