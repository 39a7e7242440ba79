// BERT (Devlin et al. 2019), MiniLM, BGE, E5, GTE-base: token types, learned positions, norm after.

import {attention, type Family, layerNorm, mlp, mostBlocks} from '../spec.js';

export const bert: Family = {
	name: 'bert',
	modelTypes: ['bert'],
	spec(config) {
		config.only('position_embedding_type', 'absolute');
		config.only('is_decoder', false);
		config.only('add_cross_attention', false);
		const width = config.size('hidden_size');
		const heads = config.size('num_attention_heads');
		const norm = layerNorm(config.number('layer_norm_eps', 1e-12));
		const block = {
			attention: attention({heads, headWidth: width / heads, norms: {after: norm}}),
			mlp: mlp({
				width: config.size('intermediate_size'),
				activation: config.choice('hidden_act', {gelu: 'gelu', relu: 'relu'} as const, 'gelu'),
				norms: {after: norm},
			}),
		};
		return {
			width,
			embedding: {
				vocabulary: config.size('vocab_size'),
				width,
				scale: 1,
				positions: config.size('max_position_embeddings'),
				positionOffset: 0,
				types: config.size('type_vocab_size'),
				norm,
			},
			blocks: Array.from({length: config.size('num_hidden_layers', mostBlocks)}, (_, weights) => ({
				weights,
				...block,
			})),
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
		['embeddings.LayerNorm.weight', 'embedding.norm.weight'],
		['embeddings.LayerNorm.bias', 'embedding.norm.bias'],
		...(['weight', 'bias'] as const).flatMap(
			part =>
				[
					[
						`encoder.layer.{i}.attention.self.query.${part}`,
						`blocks.{i}.attention.qkv.${part}`,
						[0, 3],
					],
					[
						`encoder.layer.{i}.attention.self.key.${part}`,
						`blocks.{i}.attention.qkv.${part}`,
						[1, 3],
					],
					[
						`encoder.layer.{i}.attention.self.value.${part}`,
						`blocks.{i}.attention.qkv.${part}`,
						[2, 3],
					],
					[
						`encoder.layer.{i}.attention.output.dense.${part}`,
						`blocks.{i}.attention.output.${part}`,
					],
					[
						`encoder.layer.{i}.attention.output.LayerNorm.${part}`,
						`blocks.{i}.attention.after.${part}`,
					],
					[`encoder.layer.{i}.intermediate.dense.${part}`, `blocks.{i}.mlp.up.${part}`],
					[`encoder.layer.{i}.output.dense.${part}`, `blocks.{i}.mlp.down.${part}`],
					[`encoder.layer.{i}.output.LayerNorm.${part}`, `blocks.{i}.mlp.after.${part}`],
				] as const,
		),
	],
	prefixes: ['bert.'],
	unused: [/^pooler\./, /^embeddings\.position_ids$/, /^cls\./, /^classifier\./],
};
