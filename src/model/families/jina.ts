// Jina v2 (Günther et al. 2023): BERT whose scores fall with the distance (ALiBi), with a gated layer. Its
// files say "bert". The variant with norms of queries and keys (code, de, es, zh) is another model.

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

const feedForwards = {
	original: undefined,
	geglu: 'gelu',
	reglu: 'relu',
} as const;

export const jina: Family = {
	name: 'jina_v2',
	modelTypes: ['bert'],
	matches: config => config.is('position_embedding_type', 'alibi'),
	spec(config) {
		config.only('is_decoder', false);
		config.only('add_cross_attention', false);
		const width = config.size('hidden_size');
		const heads = config.size('num_attention_heads');
		const norm = layerNorm(config.number('layer_norm_eps', 1e-12));
		const gated = config.choice('feed_forward_type', feedForwards, 'original');
		const plain = config.choice('hidden_act', activations, 'gelu');
		const norms = {after: norm};
		const block = {
			attention: attention({heads, headWidth: width / heads, alibi: true, norms}),
			mlp: mlp({
				width: config.size('intermediate_size'),
				activation: gated ?? plain,
				gate: gated ? 'first' : 'none',
				bias: !gated,
				norms,
			}),
		};
		const types = config.size('type_vocab_size', {otherwise: 2});
		return {
			width,
			longest: config.size('max_position_embeddings', {otherwise: 512}),
			embedding: embedding({vocabulary: config.size('vocab_size'), width, types, norm}),
			blocks: blocks(config.size('num_hidden_layers', {most: mostBlocks}), () => block),
		};
	},
	dropout: config => ({
		hidden: config.number('hidden_dropout_prob', 0.1),
		attention: config.number('attention_probs_dropout_prob', 0.1),
	}),
	tensors: [
		['embeddings.word_embeddings.weight', 'embedding.tokens'],
		['embeddings.token_type_embeddings.weight', 'embedding.types'],
		...weightAndBias('embeddings.LayerNorm', 'embedding.norm'),
		...weightAndBias(
			['query', 'key', 'value'].map(name => `${layer}.attention.self.${name}`),
			'blocks.{i}.attention.qkv',
		),
		...weightAndBias(`${layer}.attention.output.dense`, 'blocks.{i}.attention.output'),
		...weightAndBias(`${layer}.attention.output.LayerNorm`, 'blocks.{i}.attention.after'),
		[`${layer}.mlp.gated_layers.weight`, 'blocks.{i}.mlp.up.weight'],
		...weightAndBias(`${layer}.intermediate.dense`, 'blocks.{i}.mlp.up'),
		...weightAndBias(`${layer}.mlp.wo`, 'blocks.{i}.mlp.down'),
		...weightAndBias(`${layer}.output.dense`, 'blocks.{i}.mlp.down'),
		...weightAndBias(`${layer}.mlp.layernorm`, 'blocks.{i}.mlp.after'),
		...weightAndBias(`${layer}.output.LayerNorm`, 'blocks.{i}.mlp.after'),
	],
	prefixes: ['bert.'],
	unused: [/^pooler\./, /^embeddings\.position_ids$/, /^cls\./, /^classifier\./],
	foreign: [/\.layer_norm_(q|k|1|2)\./],
};
