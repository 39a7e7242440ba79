// The steps of `pre_tokenizer` as the native tokenizer takes them; nothing when one of them is not for it.

import type {NativeSplit} from '../native.js';
import {isRecord, type JsonRecord} from './json.js';
import {isWhole} from './native-normalizer.js';
import type {Behavior} from './splitting.js';

const mostSteps = 8;

/**
`value` is a pre-tokenizer that `readPreTokenizer` has accepted. Those that are taken make no text more than
a few times longer, so that nothing counts their growth: bytes come last, and marks are of one unit.
*/
export function nativeSplits(value: unknown): NativeSplit[] | undefined {
	if (value === undefined || value === null) return [];
	if (!isRecord(value)) return undefined;
	const sections = value.type === 'Sequence' ? (value.pretokenizers as unknown[]) : [value];
	if (sections.length > mostSteps) return undefined;
	const splits: NativeSplit[] = [];
	for (const section of sections) {
		const split = isRecord(section) ? readers[String(section.type)]?.(section) : undefined;
		if (split === undefined || splits.at(-1)?.kind === 'byteLevel') return undefined;
		splits.push(split);
	}
	return splits;
}

const readers: {readonly [type: string]: (section: JsonRecord) => NativeSplit | undefined} = {
	BertPreTokenizer: () => ({kind: 'bert'}),
	ByteLevel: ({add_prefix_space: space, use_regex: regex}) => ({
		kind: 'byteLevel',
		prefixSpace: space !== false,
		useRegex: regex !== false,
	}),
	CharDelimiterSplit: ({delimiter}) => literal('delimiter', delimiter, {behavior: 'Removed'}),
	Digits: ({individual_digits: individual}) => ({kind: 'digits', individual: individual === true}),
	Metaspace: readMetaspace,
	Punctuation: ({behavior}) => ({
		kind: 'punctuation',
		behavior: (behavior ?? 'Isolated') as Behavior,
	}),
	Split: readSplit,
	Whitespace: () => ({kind: 'whitespace'}),
	WhitespaceSplit: () => ({kind: 'whitespaceSplit'}),
};

function literal(
	kind: 'delimiter' | 'literal',
	pattern: unknown,
	rule: Partial<NativeSplit>,
): NativeSplit | undefined {
	if (typeof pattern !== 'string' || pattern === '' || !isWhole(pattern)) return undefined;
	return {kind, pattern, ...rule};
}

function readMetaspace(section: JsonRecord): NativeSplit | undefined {
	const {replacement = '▁', prepend_scheme: scheme, add_prefix_space: always, split} = section;
	const mark = String(replacement ?? '▁');
	if (mark.length !== 1 || !isWhole(mark)) return undefined;
	const prepending = scheme ?? (always === false ? 'never' : 'always');
	return {
		kind: 'metaspace',
		pattern: mark,
		splits: split !== false,
		prepending: prepending as 'always' | 'first' | 'never',
	};
}

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const others = ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
const cl100k = (digits: string) =>
	`${contractions}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}|${others}`;

/** The patterns that native code follows by hand, as they are written in the files. */
const patterns: {readonly [regex: string]: NativeSplit} = {
	[cl100k('\\p{N}')]: {kind: 'cl100k', digits: 1},
	[cl100k('\\p{N}{1,3}')]: {kind: 'cl100k', digits: 3},
	["'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"]: {
		kind: 'gpt2',
	},
};

function readSplit({pattern, behavior, invert}: JsonRecord): NativeSplit | undefined {
	const {String: text, Regex: regex} = pattern as JsonRecord;
	const isInverted = invert === true;
	if (text !== undefined) {
		return literal('literal', text, {behavior: behavior as Behavior, inverted: isInverted});
	}
	// These give every character to a match, so that matches alone are words or all that is left.
	const keepsMatches = behavior === 'Isolated' || (behavior === 'Removed' && isInverted);
	if (!keepsMatches || !Object.hasOwn(patterns, String(regex))) return undefined;
	return patterns[String(regex)];
}
