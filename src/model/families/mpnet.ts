// MPNet (Song et al. 2020): learned positions from 2 and one relative bias for all blocks, whose buckets and
// furthest distance are fixed whatever the configuration says of padding.

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

const layer = 'encoder.layer.{i}';
const padding = 1;
const positionOffset = padding + 1;

export const mpnet: Family = {
	name: 'mpnet',
	modelTypes: ['mpnet'],
	spec(config) {
		config.only('relative_attention_num_buckets', 32);
		const width = config.size('hidden_size');
		const heads = config.size('num_attention_heads');
		const positions = config.size('max_position_embeddings', {otherwise: 512, least: 3});
		const norm = layerNorm(config.number('layer_norm_eps', 1e-12));
		const block = {
			attention: attention({heads, headWidth: width / heads, norms: {after: norm}}),
			mlp: mlp({
				width: config.size('intermediate_size'),
				activation: config.choice('hidden_act', activations, 'gelu'),
				norms: {after: norm},
			}),
		};
		return {
			width,
			longest: positions - positionOffset,
			embedding: embedding({
				vocabulary: config.size('vocab_size'),
				width,
				positions,
				positionOffset,
				padding,
				norm,
			}),
			blocks: blocks(config.size('num_hidden_layers', {most: mostBlocks}), () => block),
			relativeBias: {buckets: 32, furthest: 128},
		};
	},
	dropout: config => ({
		hidden: config.number('hidden_dropout_prob', 0.1),
		attention: config.number('attention_probs_dropout_prob', 0.1),
	}),
	tensors: [
		['embeddings.word_embeddings.weight', 'embedding.tokens'],
		['embeddings.position_embeddings.weight', 'embedding.positions'],
		...weightAndBias('embeddings.LayerNorm', 'embedding.norm'),
		['encoder.relative_attention_bias.weight', 'relativeBias'],
		...weightAndBias(
			['q', 'k', 'v'].map(name => `${layer}.attention.attn.${name}`),
			'blocks.{i}.attention.qkv',
		),
		...weightAndBias(`${layer}.attention.attn.o`, 'blocks.{i}.attention.output'),
		...weightAndBias(`${layer}.attention.LayerNorm`, 'blocks.{i}.attention.after'),
		...weightAndBias(`${layer}.intermediate.dense`, 'blocks.{i}.mlp.up'),
		...weightAndBias(`${layer}.output.dense`, 'blocks.{i}.mlp.down'),
		...weightAndBias(`${layer}.output.LayerNorm`, 'blocks.{i}.mlp.after'),
	],
	prefixes: ['mpnet.'],
	unused: [/^pooler\./, /^embeddings\.position_ids$/, /^lm_head\./, /^classifier\./],
};
