// ALBERT (Lan et al. 2020): a narrow embedding that is projected, and groups of blocks that share weights.

import {
	activations,
	attention,
	embedding,
	type Family,
	layerNorm,
	mlp,
	mostBlocks,
	weightAndBias,
} from '../spec.js';

const layer = 'encoder.albert_layer_groups.{i}.albert_layers.0';

export const albert: Family = {
	name: 'albert',
	modelTypes: ['albert'],
	spec(config) {
		config.only('position_embedding_type', 'absolute');
		config.only('inner_group_num', 1);
		const width = config.size('hidden_size');
		const narrow = config.size('embedding_size', {otherwise: 128});
		if (narrow === width) config.refuse('embedding_size', 'another width than hidden_size');
		const heads = config.size('num_attention_heads');
		const positions = config.size('max_position_embeddings', {otherwise: 512});
		const norm = layerNorm(config.number('layer_norm_eps', 1e-12));
		const block = {
			attention: attention({heads, headWidth: width / heads, norms: {after: norm}}),
			mlp: mlp({
				width: config.size('intermediate_size'),
				activation: config.choice('hidden_act', activations, 'gelu_new'),
				norms: {after: norm},
			}),
		};
		const count = config.size('num_hidden_layers', {most: mostBlocks});
		const groups = config.size('num_hidden_groups', {otherwise: 1, most: count});
		return {
			width,
			longest: positions,
			embedding: embedding({
				vocabulary: config.size('vocab_size'),
				width: narrow,
				positions,
				types: config.size('type_vocab_size', {otherwise: 2}),
				norm,
			}),
			blocks: Array.from({length: count}, (_, index) => ({
				weights: Math.floor(index / (count / groups)),
				...block,
			})),
		};
	},
	dropout: config => ({
		hidden: config.number('hidden_dropout_prob', 0),
		attention: config.number('attention_probs_dropout_prob', 0),
	}),
	tensors: [
		['embeddings.word_embeddings.weight', 'embedding.tokens'],
		['embeddings.position_embeddings.weight', 'embedding.positions'],
		['embeddings.token_type_embeddings.weight', 'embedding.types'],
		...weightAndBias('embeddings.LayerNorm', 'embedding.norm'),
		...weightAndBias('encoder.embedding_hidden_mapping_in', 'embedding.projection'),
		...weightAndBias(
			['query', 'key', 'value'].map(name => `${layer}.attention.${name}`),
			'blocks.{i}.attention.qkv',
		),
		...weightAndBias(`${layer}.attention.dense`, 'blocks.{i}.attention.output'),
		...weightAndBias(`${layer}.attention.LayerNorm`, 'blocks.{i}.attention.after'),
		...weightAndBias(`${layer}.ffn`, 'blocks.{i}.mlp.up'),
		...weightAndBias(`${layer}.ffn_output`, 'blocks.{i}.mlp.down'),
		...weightAndBias(`${layer}.full_layer_layer_norm`, 'blocks.{i}.mlp.after'),
	],
	prefixes: ['albert.'],
	unused: [
		/^pooler/,
		/^embeddings\.position_ids$/,
		/^predictions\./,
		/^sop_classifier\./,
		/^classifier\./,
	],
};
