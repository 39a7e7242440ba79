// GritLM: every text is [instruction, text]. The instruction of the query becomes its prompt;
// those of documents are put before them.

import {give, namedFields, refuse} from '../fields.js';
import {has, type Layout} from './layout.js';

export const instructed: Layout = {
	name: 'GritLM, [instruction, text] for each text',
	recognises: value =>
		has(value, 'query') && Array.isArray(value['query']) && value['query'].length > 1,
	fields(value, place) {
		const {where} = place;
		const fields = namedFields(value as object, place);
		const {query, pos, neg} = value as Record<string, unknown>;
		const [instruction, text] = pairOf(query, 'query', where);
		give(fields, 'query', 'query', text);
		give(fields, 'prompt', 'query', before(instruction));
		if (pos !== undefined && pos !== null) {
			give(fields, 'positives', 'pos', documentsOf(pos, 'pos', where));
		}

		if (neg !== undefined && neg !== null) {
			give(fields, 'negatives', 'neg', documentsOf(neg, 'neg', where));
		}

		return fields;
	},
};

function isPair(value: unknown): value is [string, string] {
	return (
		Array.isArray(value) && value.length === 2 && value.every(item => typeof item === 'string')
	);
}

function pairOf(value: unknown, name: string, where: string): [string, string] {
	if (!isPair(value)) refuse(where, `"${name}" to be [instruction, text]`, JSON.stringify(value));
	return value;
}

function documentsOf(value: unknown, name: string, where: string): string[] {
	const list: unknown[] = isPair(value) || !Array.isArray(value) ? [value] : value;
	return list.map((item, index) => {
		const [instruction, text] = pairOf(item, `${name}[${index}]`, where);
		return text.trim() === '' ? text : before(instruction) + text;
	});
}

/** An instruction as it stands before a text. */
function before(instruction: string): string {
	return instruction.trim() === '' ? '' : `${instruction.trimEnd()} `;
}
