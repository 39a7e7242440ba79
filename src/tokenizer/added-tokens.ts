// Finds added tokens in a text, leftmost and longest first, as the Rust library does; the text
// between them is handed on.

import type {AddedToken} from '../native.js';
import {escapeRegExp} from './patterns.js';

type OnText = (text: string, begin: number) => boolean;
type OnToken = (id: number) => boolean;

export class AddedTokenSplitter {
	readonly #tokens: ReadonlyMap<string, AddedToken>;
	readonly #pattern: RegExp | undefined;

	/** Looks for `spelling(token)`, which is the content or its normalised form. */
	constructor(tokens: readonly AddedToken[], spelling: (token: AddedToken) => string) {
		const spelled = tokens.map(token => [spelling(token), token] as const);
		this.#tokens = new Map(spelled.filter(([content]) => content !== ''));
		const contents = [...this.#tokens.keys()].sort((a, b) => b.length - a.length);
		if (contents.length > 0) this.#pattern = new RegExp(contents.map(escapeRegExp).join('|'), 'g');
	}

	mayMatch(text: string): boolean {
		if (this.#pattern === undefined) return false;
		this.#pattern.lastIndex = 0;
		return this.#pattern.test(text);
	}

	/** Calls back in the order of the text; stops with false when a call returns false. */
	split(text: string, onText: OnText, onToken: OnToken): boolean {
		const pattern = this.#pattern;
		if (pattern === undefined) return onText(text, 0);
		let done = 0;
		pattern.lastIndex = 0;
		for (let found = pattern.exec(text); found !== null; found = pattern.exec(text)) {
			const next = pattern.lastIndex;
			const token = this.#tokens.get(found[0])!;
			if (token.singleWord && !standsAlone(text, found.index, next)) continue;
			const begin = token.lstrip ? Math.max(done, spaceBefore(text, found.index)) : found.index;
			if (done < begin && !onText(text.slice(done, begin), done)) return false;
			done = token.rstrip ? spaceAfter(text, next) : next;
			if (!onToken(token.id)) return false;
			pattern.lastIndex = next;
		}
		return done >= text.length || onText(text.slice(done), done);
	}
}

const wordBefore = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const wordAfter = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
const space = /\p{White_Space}/u;

function standsAlone(text: string, begin: number, end: number): boolean {
	const before = text.slice(Math.max(0, begin - 2), begin);
	return !wordBefore.test(before) && !wordAfter.test(text.slice(end, end + 2));
}

// White space is always one UTF-16 unit.
function spaceBefore(text: string, index: number): number {
	let begin = index;
	while (begin > 0 && space.test(text.charAt(begin - 1))) begin--;
	return begin;
}

function spaceAfter(text: string, index: number): number {
	let end = index;
	while (end < text.length && space.test(text.charAt(end))) end++;
	return end;
}
