// JSON that keeps how its numbers were spelled. Python tells 2.0 from 2, JavaScript does not, and transformers 5
// refuses a whole number where its configuration has a float.

import {randomUUID} from 'node:crypto';
import {isObject} from './config.js';

const stringOrNumber = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g;
/** Begins the strings that stand for spelled numbers; nothing else begins so. */
const mark = `${randomUUID()}:`;
const marked = new RegExp(`"${mark}([^"]*)"`, 'g');

/** The JSON of `value`, whose numbers are spelled as at the same places of `text` where they are the same. */
export function spelledAs(text: string, value: object): string {
	const spelled: unknown = JSON.parse(
		text.replace(stringOrNumber, one => (one.startsWith('"') ? one : `"${mark}${one}"`)),
	);
	return JSON.stringify(withSpelling(value, spelled), null, 2).replace(marked, '$1');
}

function withSpelling(value: unknown, spelled: unknown): unknown {
	if (typeof value === 'number') {
		const isSpelled = typeof spelled === 'string' && spelled.startsWith(mark);
		return isSpelled && Number(spelled.slice(mark.length)) === value ? spelled : value;
	}
	if (Array.isArray(value)) {
		const list: readonly unknown[] = Array.isArray(spelled) ? spelled : [];
		return value.map((one, index) => withSpelling(one, list[index]));
	}
	if (!isObject(value)) return value;
	const members = isObject(spelled) ? spelled : {};
	return Object.fromEntries(
		Object.entries(value).map(([key, one]) => [key, withSpelling(one, members[key])]),
	);
}
