// RAG-Retrieval's single judgements: {query, content, label} or {query, content, score}.

import {hasField, type Names, namedFields} from '../fields.js';
import {has, type Layout} from './layout.js';

export const pointwise: Layout = {
	name: 'RAG-Retrieval, with "query" and "content"',
	recognises: (value, names) =>
		has(value, 'content') &&
		hasField(value, 'query', names) &&
		!hasField(value, 'positives', names),
	fields: (value, {where, names}) =>
		namedFields(value as object, {where, names: new Map([...content, ...(names ?? [])])}),
};

const content: Names = new Map([['content', 'positives']]);
