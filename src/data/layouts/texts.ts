// Texts alone: {text, label?} and the names of collections, FlagEmbedding's {content}, Intel's
// {context: [text]}, GritLM's {text: [turn, turn]}. A text of several turns is one text, a turn a
// line.

import {kindOf} from '../../errors.js';
import {give, hasField, type Names, namedFields, refuse} from '../fields.js';
import {has, isObject, type Layout} from './layout.js';

const names: Names = new Map([
	['content', 'text'],
	['context', 'text'],
]);

export const texts: Layout = {
	name: 'texts',
	recognises: (value, given) =>
		isObject(value) &&
		!hasField(value, 'query', given) &&
		!hasField(value, 'positives', given) &&
		(has(value, 'content') || has(value, 'context') || hasField(value, 'text', given)),
	fields(value, place) {
		const fields = namedFields(value as object, {
			...place,
			names: new Map([...names, ...(place.names ?? [])]),
		});
		const {text} = fields.found;
		const turns: unknown = text?.value;
		if (!Array.isArray(turns)) return fields;
		for (const [index, turn] of turns.entries()) {
			if (typeof turn === 'string') continue;
			refuse(place.where, `"${text!.name}[${index}]" to be a string`, kindOf(turn));
		}

		give(fields, 'text', text!.name, turns.join('\n'));
		return fields;
	},
};
