// JSON in which no object names a key twice. JSON.parse keeps the last of them in silence, so two
// readers of one file could see two different things.

import {parseJsonText} from '../nesting.js';

/** Parses JSON; throws a SyntaxError on anything that is not JSON and on a key given twice. */
export function parseStrictJson(text: string): unknown {
	const value = parseJsonText(text);
	const repeated = repeatedKey(text);
	if (repeated !== undefined) throw new SyntaxError(`the key ${repeated} is given twice`);
	return value;
}

/** The first key, quoted, that an object of this valid JSON text has twice. */
function repeatedKey(text: string): string | undefined {
	// One entry per open bracket: the keys of an object so far, nothing for an array.
	const open: (Set<unknown> | undefined)[] = [];
	for (let at = 0; at < text.length; at++) {
		const character = text[at]!;
		if (character === '{') open.push(new Set());
		else if (character === '[') open.push(undefined);
		else if (character === '}' || character === ']') open.pop();
		if (character !== '"') continue;

		const end = stringEnd(text, at);
		const quoted = text.slice(at, end);
		at = end - 1;
		if (!isFollowedByColon(text, end)) continue;
		const keys = open.at(-1)!;
		const key: unknown = JSON.parse(quoted);
		if (keys.has(key)) return quoted;
		keys.add(key);
	}

	return;
}

/** The index behind the string that begins at `begin`. */
function stringEnd(text: string, begin: number): number {
	for (let at = text.indexOf('"', begin + 1); ; at = text.indexOf('"', at + 1)) {
		let first = at;
		while (text[first - 1] === '\\') first--;
		if ((at - first) % 2 === 0) return at + 1;
	}
}

function isFollowedByColon(text: string, from: number): boolean {
	let at = from;
	while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++;
	return text[at] === ':';
}
