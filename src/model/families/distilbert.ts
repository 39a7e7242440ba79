// DistilBERT (Sanh et al. 2019): BERT without token types, its tensors under other names. Positions are read
// from the file whether they were learned or computed.

import {
	activations,
	attention,
	blocks,
	embedding,
	type Family,
	layerNorm,
	mlp,
	mostBlocks,
	weightAndBias,
} from '../spec.js';

const layer = 'transformer.layer.{i}';

export const distilbert: Family = {
	name: 'distilbert',
	modelTypes: ['distilbert'],
	spec(config) {
		const width = config.size(['dim', 'hidden_size']);
		const heads = config.size(['n_heads', 'num_attention_heads']);
		const positions = config.size('max_position_embeddings', {otherwise: 512});
		const norm = layerNorm(1e-12);
		const block = {
			attention: attention({heads, headWidth: width / heads, norms: {after: norm}}),
			mlp: mlp({
				width: config.size('hidden_dim'),
				activation: config.choice('activation', activations, 'gelu'),
				norms: {after: norm},
			}),
		};
		const count = config.size(['n_layers', 'num_hidden_layers'], {most: mostBlocks});
		return {
			width,
			longest: positions,
			embedding: embedding({
				vocabulary: config.size('vocab_size'),
				width,
				positions,
				norm,
			}),
			blocks: blocks(count, () => block),
		};
	},
	dropout: config => ({
		hidden: config.number('dropout', 0.1),
		attention: config.number('attention_dropout', 0.1),
	}),
	starts(config) {
		config.only('sinusoidal_pos_embds', false);
		const deviation = config.number('initializer_range', 0.02);
		return () => ({deviation});
	},
	tensors: [
		['embeddings.word_embeddings.weight', 'embedding.tokens'],
		['embeddings.position_embeddings.weight', 'embedding.positions'],
		...weightAndBias('embeddings.LayerNorm', 'embedding.norm'),
		...weightAndBias(
			['q_lin', 'k_lin', 'v_lin'].map(name => `${layer}.attention.${name}`),
			'blocks.{i}.attention.qkv',
		),
		...weightAndBias(`${layer}.attention.out_lin`, 'blocks.{i}.attention.output'),
		...weightAndBias(`${layer}.sa_layer_norm`, 'blocks.{i}.attention.after'),
		...weightAndBias(`${layer}.ffn.lin1`, 'blocks.{i}.mlp.up'),
		...weightAndBias(`${layer}.ffn.lin2`, 'blocks.{i}.mlp.down'),
		...weightAndBias(`${layer}.output_layer_norm`, 'blocks.{i}.mlp.after'),
	],
	prefixes: ['distilbert.'],
	unused: [/^vocab_/, /^embeddings\.position_ids$/, /^(pre_)?classifier\./, /^qa_outputs\./],
};
