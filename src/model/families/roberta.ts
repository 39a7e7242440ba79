// RoBERTa (Liu et al. 2019), CamemBERT, XLM-RoBERTa, BGE-M3, multilingual E5: BERT whose positions begin
// after the one of padding. A text may hold that token too; it has no place of its own.

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

export const roberta: Family = {
	name: 'roberta',
	modelTypes: ['roberta', 'camembert', 'xlm-roberta'],
	spec(config) {
		config.only('position_embedding_type', 'absolute');
		config.only('is_decoder', false);
		config.only('add_cross_attention', false);
		const width = config.size('hidden_size');
		const heads = config.size('num_attention_heads');
		const positions = config.size('max_position_embeddings', {otherwise: 512});
		const most = positions - 2;
		const padding = config.size('pad_token_id', {otherwise: 1, least: 0, most});
		const positionOffset = padding + 1;
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
				types: config.size('type_vocab_size', {otherwise: 2}),
				norm,
			}),
			blocks: blocks(config.size('num_hidden_layers', {most: mostBlocks}), () => block),
		};
	},
	dropout: config => ({
		hidden: config.number('hidden_dropout_prob', 0.1),
		attention: config.number('attention_probs_dropout_prob', 0.1),
	}),
	tensors: [
		['embeddings.word_embeddings.weight', 'embedding.tokens'],
		['embeddings.position_embeddings.weight', 'embedding.positions'],
		['embeddings.token_type_embeddings.weight', 'embedding.types'],
		...weightAndBias('embeddings.LayerNorm', 'embedding.norm'),
		...weightAndBias(
			['query', 'key', 'value'].map(name => `${layer}.attention.self.${name}`),
			'blocks.{i}.attention.qkv',
		),
		...weightAndBias(`${layer}.attention.output.dense`, 'blocks.{i}.attention.output'),
		...weightAndBias(`${layer}.attention.output.LayerNorm`, 'blocks.{i}.attention.after'),
		...weightAndBias(`${layer}.intermediate.dense`, 'blocks.{i}.mlp.up'),
		...weightAndBias(`${layer}.output.dense`, 'blocks.{i}.mlp.down'),
		...weightAndBias(`${layer}.output.LayerNorm`, 'blocks.{i}.mlp.after'),
	],
	prefixes: ['roberta.'],
	unused: [/^pooler\./, /^embeddings\.position_ids$/, /^lm_head\./, /^classifier\./],
};
