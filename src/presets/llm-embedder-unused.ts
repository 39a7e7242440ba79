// Options of LLM-Embedder that training does not read here: its index, its mining, its BM25; and where its
// outputs lie.

import {deadOptions, maps, read, type Table} from './table.js';

const retrieval =
	'it belongs to its index; the search of an evaluation is exact, and keeps nothing';
const mining = 'it belongs to mining negatives';
const bm25 = 'it belongs to BM25';

export const llmEmbedderUnused: Table = {
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
