// Options of LLM-Embedder that training does not read here: its evaluation, its index, its caches, and
// where its outputs lie.

import {deadOptions, maps, read, type Table} from './table.js';

const retrieval = 'it belongs to the search over an index, which training does not make';
const mining = 'it belongs to mining negatives';
const bm25 = 'it belongs to BM25';
const evaluation =
	'nothing is evaluated on such files here; --eval takes a retrieval folder, on the way and at the end';

export const llmEmbedderUnused: Table = {
	...deadOptions(evaluation, 'text', {
		eval_data: null,
		corpus: null,
		key_template: '{title} {text}',
	}),
	...deadOptions(evaluation, 'list', {
		metrics: ['mrr', 'recall', 'ndcg'],
		cutoffs: [1, 5, 10, 100],
	}),
	...deadOptions(evaluation, 'text', {eval_method: 'retrieval', evaluation_strategy: 'steps'}),
	...deadOptions(evaluation, 'text', {
		eval_strategy: 'steps',
		log_path: 'data/results/performance.log',
	}),
	...deadOptions(retrieval, 'text', {faiss_index_factory: 'Flat', embedding_name: 'embeddings'}),
	...deadOptions(retrieval, 'number', {hits: 200, batch_size: 1000}),
	...deadOptions(retrieval, 'boolean', {
		...{load_encode: false, save_encode: false, load_index: false, save_index: false},
		...{load_result: false, save_result: true, save_to_output: false},
	}),
	...deadOptions(retrieval, 'text', {retrieval_method: 'dense', dtype: 'fp16'}),
	...deadOptions(mining, 'boolean', {filter_answers: false}),
	...deadOptions(mining, 'number', {max_neg_num: 100}),
	...deadOptions(mining, 'text', {save_name: null}),
	...deadOptions(bm25, 'text', {anserini_dir: '/share/peitian/Apps/anserini', language: 'en'}),
	...deadOptions(bm25, 'number', {k1: 0.82, b: 0.68, threads: 32}),
	...deadOptions(bm25, 'boolean', {storeDocvectors: false, load_collection: false}),
	output_dir: maps('text', values => ({output: values.text('output_dir'), modelPlace: 'encoder'}), {
		default: 'data/outputs/',
	}),
	early_exit_steps: read('number'),
};
