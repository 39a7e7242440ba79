// A table of one row a token and nothing else: StaticEmbedding of sentence-transformers and model2vec.
// Its sizes are those of the table; no configuration says them.

import type {Family} from '../spec.js';

export const staticEmbedding: Family = {
	name: 'static',
	modelTypes: [],
	spec(config) {
		const width = config.size('hidden_size');
		const vocabulary = config.size('vocab_size');
		const table = {vocabulary, width, scale: 1, positions: 0, positionOffset: 0, types: 0};
		return {width, longest: 0, embedding: table, blocks: []};
	},
	dropout: () => ({hidden: 0, attention: 0}),
	tensors: [
		['embedding.weight', 'embedding.tokens'],
		['embeddings', 'embedding.tokens'],
	],
	prefixes: [],
	unused: [],
	// The rows and weights of a model2vec vocabulary that was made smaller.
	foreign: [/^mapping$/, /^weights$/],
};
