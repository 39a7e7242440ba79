// JSON in which no object names a key twice. JSON.parse keeps the last of them in silence, so two
// readers of one file could see two different things.

import {EngineError} from '../errors.js';
import {parseJsonText} from '../nesting.js';

/** Parses JSON; throws a SyntaxError on anything that is not JSON and on a key given twice. */
export function parseStrictJson(text: string): unknown {
	const value = parseJsonText(text);
	const repeated = keyGivenTwice(text, value);
	if (repeated !== undefined) throw new SyntaxError(`the key ${repeated} is given twice`);
	return value;
}

/** Refuses a record, parsed from `text`, of which it depends on the reader what it says. */
export function expectDistinctKeys(text: string, value: unknown, where: string): void {
	const key = keyGivenTwice(text, value);
	if (key === undefined) return;
	const message = `${where}: expected every key once, got ${key} twice; keep one of them`;
	throw new EngineError('DATA_ROW', message);
}

/** The first key, quoted, that an object of a JSON text has twice; `value` is what the text says. */
function keyGivenTwice(text: string, value: unknown): string | undefined {
	// No fewer than the keys of the text, and mostly all of them are those of the outermost object.
	const count = colonsBehindQuotes(text);
	if (count === ownKeys(value) || count === keysIn(value)) return;
	// Inside strings there are colons behind quotes too, so that more of them need not mean a repeat.
	return repeatedKey(text);
}

function colonsBehindQuotes(text: string): number {
	let count = 0;
	for (let at = text.indexOf(':'); at >= 0; at = text.indexOf(':', at + 1)) {
		let before = at - 1;
		while (isSpace(text.charCodeAt(before))) before--;
		if (text.charCodeAt(before) === 0x22) count++;
	}

	return count;
}

function isSpace(code: number): boolean {
	return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** Keys of all objects inside a value; by a list of its own, since nesting may be deep. */
function keysIn(value: unknown): number {
	let count = 0;
	const left = [value];
	while (left.length > 0) {
		const one = left.pop();
		if (typeof one !== 'object' || one === null) continue;
		count += ownKeys(one);
		for (const inner of Array.isArray(one) ? one : Object.values(one)) {
			if (typeof inner === 'object' && inner !== null) left.push(inner);
		}
	}

	return count;
}

function ownKeys(value: unknown): number {
	const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
	return isObject ? Object.keys(value).length : 0;
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
