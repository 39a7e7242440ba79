// RAG-Retrieval's lists to rank: {query, hits: [{content, label}]}. What has a label above 0 is a
// positive, with the label as its score, and the others are negatives.

import {kindOf} from '../../errors.js';
import {give, namedFields, objectsOf, refuse, take} from '../fields.js';
import {has, type Layout} from './layout.js';

interface Hit {
	text: string;
	label: number;
}

export const hits: Layout = {
	name: 'RAG-Retrieval, with "hits"',
	recognises: value => has(value, 'hits'),
	fields(value, place) {
		const fields = namedFields(value as object, place);
		const found = take(fields, value as object, ['hits']);
		const all = objectsOf(found.hits, 'hits', place.where).map(hit => hitOf(hit, place.where));
		const positives = all.filter(({label}) => label > 0);
		const negatives = all.filter(({label}) => label <= 0);
		if (positives.length === 0) {
			const got = all.length === 0 ? 'an empty array' : `${all.length} without one`;
			refuse(place.where, '"hits" to hold one with a label above 0', got);
		}

		give(
			fields,
			'positives',
			'hits',
			positives.map(({text}) => text),
		);
		give(
			fields,
			'negatives',
			'hits',
			negatives.map(({text}) => text),
		);
		give(
			fields,
			'positiveScores',
			'hits',
			positives.map(({label}) => label),
		);
		give(
			fields,
			'negativeScores',
			'hits',
			negatives.map(({label}) => label),
		);
		return fields;
	},
};

function hitOf(
	{name, object}: {name: string; object: Record<string, unknown>},
	where: string,
): Hit {
	const {content, label} = object;
	if (typeof content !== 'string')
		refuse(where, `"${name}.content" to be a string`, kindOf(content));
	if (content.trim() === '') refuse(where, `"${name}.content" to hold a text`, 'an empty one');
	if (typeof label !== 'number') refuse(where, `"${name}.label" to be a number`, kindOf(label));
	return {text: content, label};
}
