// How the modules of a model that hands up token vectors are written and read. Only
// sentence-transformers from version 6 on has such models; the layout is that of its MultiVectorEncoder.

import {EngineError} from '../errors.js';
import type {JsonObject} from './config.js';

/** What is said before work begins whose result is saved. */
export const tokenWarning =
	'what is saved hands up token vectors: sentence-transformers opens it from version 6 on, as a ' +
	'MultiVectorEncoder, and neither before nor as a SentenceTransformer';

/** Modules see and give rows of tokens. */
export const tokenNames = {
	module_input_name: 'token_embeddings',
	module_output_name: 'token_embeddings',
};

/** Every token counts. */
export const maskConfig = {
	skiplist_words: [],
	skiplist_tasks: ['document'],
	keep_only_token_ids: null,
};

const base = 'sentence_transformers.base.modules';

/** The class of each module, as version 6 names it. */
export const tokenTypes = {
	Transformer: `${base}.transformer.Transformer`,
	Dense: `${base}.dense.Dense`,
	Normalize: `${base}.normalize.Normalize`,
	MultiVectorMask:
		'sentence_transformers.multi_vector_encoder.modules.multi_vector_mask.MultiVectorMask',
};

/** Refuses a mask that leaves tokens out. */
export function expectPlainMask(config: JsonObject, path: string): void {
	const {skiplist_words: skipped, keep_only_token_ids: kept = null} = config;
	const isEmpty = skipped === undefined || (Array.isArray(skipped) && skipped.length === 0);
	if (isEmpty && kept === null) return;
	const name = isEmpty ? 'keep_only_token_ids' : 'skiplist_words';
	throw new EngineError(
		'MODEL_MODULE',
		`${path}: expected all tokens to count, got "${name}", which is not supported`,
	);
}
