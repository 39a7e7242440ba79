// Records of named fields, the most common layout: those of NeMo, open-retrievals, RAG-Retrieval,
// Intel, FlagEmbedding, sentence-transformers, DPR's successors and this package. Their names never
// contradict each other, so one table (fields.ts) reads them all.

import {kindOf} from '../../errors.js';
import {namedFields, refuse} from '../fields.js';
import {isObject, type Layout} from './layout.js';

export const named: Layout = {
	name: 'named fields',
	recognises: () => true,
	fields(value, place) {
		if (!isObject(value)) refuse(place.where, 'an object', kindOf(value));
		return namedFields(value, place);
	},
};
