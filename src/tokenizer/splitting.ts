// Splitting a text at the matches of a pattern, with the five things that can happen to a match.

import {invalid} from './json.js';

export const behaviors = [
	'Removed',
	'Isolated',
	'MergedWithPrevious',
	'MergedWithNext',
	'Contiguous',
] as const;
export type Behavior = (typeof behaviors)[number];

export interface Part {
	readonly text: string;
	readonly isMatch: boolean;
}

export function readBehavior(value: unknown, where: string): Behavior {
	const behavior = behaviors.find(name => name === value);
	if (behavior !== undefined) return behavior;
	throw invalid(where, behaviors.join(', '), value);
}

export interface SplitRule {
	readonly pattern: RegExp;
	readonly behavior: Behavior;
	/** What does not match counts as the match. */
	readonly isInverted: boolean;
}

export function splitBy(text: string, {pattern, behavior, isInverted}: SplitRule): string[] {
	const parts: Part[] = [];
	let done = 0;
	for (const match of text.matchAll(pattern)) {
		if (match[0] === '') continue;
		if (done < match.index) {
			parts.push({text: text.slice(done, match.index), isMatch: isInverted});
		}
		parts.push({text: match[0], isMatch: !isInverted});
		done = match.index + match[0].length;
	}
	if (done < text.length) parts.push({text: text.slice(done), isMatch: isInverted});
	return arrange(parts, behavior);
}

/** The words that parts in the order of a text make; matches stand alone, join a neighbour or go. */
export function arrange(parts: readonly Part[], behavior: Behavior): string[] {
	switch (behavior) {
		case 'Removed':
			return parts.filter(part => !part.isMatch).map(part => part.text);
		case 'Isolated':
			return parts.map(part => part.text);
		case 'Contiguous':
			return join(parts, (before, part) => before.isMatch === part.isMatch);
		case 'MergedWithPrevious':
			return join(parts, (before, part) => part.isMatch && !before.isMatch);
		case 'MergedWithNext':
			return join(parts, (before, part) => before.isMatch && !part.isMatch);
	}
}

function join(parts: readonly Part[], belongs: (before: Part, part: Part) => boolean): string[] {
	const words: string[] = [];
	parts.forEach((part, index) => {
		const before = parts[index - 1];
		if (before !== undefined && belongs(before, part)) words[words.length - 1] += part.text;
		else words.push(part.text);
	});
	return words;
}
