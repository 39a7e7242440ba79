// DPR: {question, answers, positive_ctxs, hard_negative_ctxs, negative_ctxs}, where a context is
// {title, text, passage_id or psg_id, …}. Hard negatives stand before the others, so that the first
// ones are those that DPR itself trains on.

import {type Fields, give, namedFields, objectsOf, take} from '../fields.js';
import {has, type Layout} from './layout.js';

const kinds = ['positive_ctxs', 'hard_negative_ctxs', 'negative_ctxs'] as const;

/** What a context tells beside its text: scores of the search that found it. */
const used = new Set(['title', 'text', 'passage_id', 'psg_id']);

export const dpr: Layout = {
	name: 'DPR, with "positive_ctxs"',
	recognises: value => kinds.some(kind => has(value, kind)),
	fields(value, place) {
		const fields = namedFields(value as object, place);
		const contexts = take(fields, value as object, kinds);
		const negativeIds: unknown[] = [];
		for (const [number, kind] of kinds.entries()) {
			if (contexts[kind] === undefined) continue;
			const ids = idsOf(fields, contexts[kind], kind);
			if (kind !== 'positive_ctxs') {
				fields.numbered.push({name: kind, value: contexts[kind], number});
				negativeIds.push(...ids);
			} else {
				give(fields, 'positives', kind, contexts[kind]);
				if (!ids.includes(undefined)) give(fields, 'positiveIds', `${kind}[].passage_id`, ids);
			}
		}

		const isWhole = negativeIds.length > 0 && !negativeIds.includes(undefined);
		if (isWhole) give(fields, 'negativeIds', 'negative_ctxs[].passage_id', negativeIds);
		return fields;
	},
};

/** The ids of contexts; their other facts are named as not used. */
function idsOf(fields: Fields, contexts: unknown, kind: string): unknown[] {
	const unused = new Set<string>();
	const ids = objectsOf(contexts, kind, fields.where).map(({object}) => {
		for (const name of Object.keys(object)) if (!used.has(name)) unused.add(name);
		return object['passage_id'] ?? object['psg_id'];
	});
	fields.unknown.push(...Array.from(unused, name => `${kind}[].${name}`));
	return ids;
}
