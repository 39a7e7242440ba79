// LLM-Embedder's dialogues: {query, history, teacher_scores, answers, task}. The turns of the
// history are the candidates, none of them a positive by itself: the scores of a teacher say
// which is.

import {give, hasField, namedFields} from '../fields.js';
import {has, type Layout} from './layout.js';

export const chat: Layout = {
	name: 'LLM-Embedder, with "history"',
	recognises: (value, names) =>
		has(value, 'history') &&
		value['history'] !== '' &&
		!(Array.isArray(value['history']) && value['history'].length === 0) &&
		!hasTexts(value, names),
	fields(value, place) {
		const fields = namedFields(value as object, place);
		const {history} = value as {history: unknown};
		give(fields, 'positives', 'pos', []);
		give(fields, 'negatives', 'history', history);
		return fields;
	},
};

/** Whether the record has positives of its own; empty lists of them are as good as none. */
function hasTexts(value: Record<string, unknown>, names: Parameters<typeof hasField>[2]): boolean {
	const kept = Object.entries(value).filter(([, item]) => !Array.isArray(item) || item.length > 0);
	return hasField(Object.fromEntries(kept), 'positives', names);
}
