// The pre-tokenizers of tokenizer.json: from pieces of a normalised text to its words.

import {EngineError} from '../errors.js';
import {splitBert} from './bert-normalizer.js';
import {Growth} from './growth.js';
import {asArray, asFlag, asRecord, asString, byType, invalid, type JsonRecord} from './json.js';
import {escapeRegExp, readPattern} from './patterns.js';
import {arrange, type Part, readBehavior, splitBy} from './splitting.js';
import {charClass, charClasses} from './unicode-tables.js';

/** Splits pieces further; `isFirst` says that the first of them begins the text. */
export type PreTokenizer = (pieces: readonly string[], isFirst: boolean) => readonly string[];

/**
Reads `pre_tokenizer`; nothing there leaves a text one word. One that makes a text longer and longer
throws when it is used.
*/
export function readPreTokenizer(value: unknown, where: string): PreTokenizer {
	if (value === undefined || value === null) return pieces => pieces;
	const growth = new Growth(where);
	const split = readStep(value, where, growth);
	return (pieces, isFirst) => {
		growth.begin(lengthOf(pieces));
		return split(pieces, isFirst);
	};
}

function readStep(value: unknown, where: string, growth: Growth): PreTokenizer {
	const section = asRecord(value, where);
	const read = byType(readers, section.type);
	if (read !== undefined) return read(section, where, growth);
	throw new EngineError(
		'TOKENIZER_KIND',
		`${where}.type: expected ${Object.keys(readers).join(', ')}, got ${JSON.stringify(section.type)}`,
	);
}

type Read = (section: JsonRecord, where: string, growth: Growth) => PreTokenizer;

const readers: {[type: string]: Read} = {
	BertPreTokenizer: () => each(bertWords),
	ByteLevel: readByteLevel,
	CharDelimiterSplit: readDelimiter,
	Digits: readDigits,
	Metaspace: readMetaspace,
	Punctuation: readPunctuation,
	Sequence: readSequence,
	Split: readSplit,
	Whitespace: () => each(text => text.match(wordsAndSymbols) ?? []),
	WhitespaceSplit: () => each(text => text.match(/\P{White_Space}+/gu) ?? []),
};

const wordsAndSymbols =
	/[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu;

function each(split: (text: string) => readonly string[]): PreTokenizer {
	return pieces => pieces.flatMap(split);
}

function bertWords(text: string): string[] {
	const words: string[] = [];
	splitBert(text, word => words.push(word) > 0);
	return words;
}

const gptWords =
	/'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

function readByteLevel(section: JsonRecord, where: string): PreTokenizer {
	const addsSpace = asFlag(section.add_prefix_space, `${where}.add_prefix_space`, true);
	const usesRegex = asFlag(section.use_regex, `${where}.use_regex`, true);
	return each(text => {
		const spaced = addsSpace && !text.startsWith(' ') ? ` ${text}` : text;
		return (usesRegex ? (spaced.match(gptWords) ?? []) : [spaced]).map(bytesAsCharacters);
	});
}

/** Every byte as a visible character, in the order of GPT-2. */
const byteCharacters = Array.from({length: 256}, (_, byte) => {
	const isVisible = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
	if (isVisible) return String.fromCharCode(byte);
	if (byte <= 32) return String.fromCharCode(256 + byte);
	return String.fromCharCode(byte === 173 ? 323 : 162 + byte);
});

function bytesAsCharacters(text: string): string {
	let result = '';
	for (const byte of Buffer.from(text)) result += byteCharacters[byte];
	return result;
}

function readDelimiter(section: JsonRecord, where: string): PreTokenizer {
	const delimiter = asString(section.delimiter, `${where}.delimiter`);
	return each(text => text.split(delimiter).filter(word => word !== ''));
}

function readDigits(section: JsonRecord, where: string): PreTokenizer {
	const isSingle = asFlag(section.individual_digits, `${where}.individual_digits`, false);
	return each(text => text.match(isSingle ? /\p{N}|\P{N}+/gu : /\p{N}+|\P{N}+/gu) ?? []);
}

function readMetaspace(section: JsonRecord, where: string): PreTokenizer {
	const mark = asString(section.replacement ?? '▁', `${where}.replacement`);
	if (mark.length > 16) throw invalid(`${where}.replacement`, 'at most 16 characters', mark);
	const always = asFlag(section.add_prefix_space, `${where}.add_prefix_space`, true);
	const scheme = section.prepend_scheme ?? (always ? 'always' : 'never');
	if (scheme !== 'always' && scheme !== 'first' && scheme !== 'never') {
		throw invalid(`${where}.prepend_scheme`, 'always, first or never', scheme);
	}
	const splits = asFlag(section.split, `${where}.split`, true);
	const pattern = new RegExp(escapeRegExp(mark), 'gu');
	const rule = {pattern, behavior: 'MergedWithNext', isInverted: false} as const;
	return (pieces, isFirst) =>
		pieces.flatMap((text, index) => {
			const marked = text.replaceAll(' ', () => mark);
			const wantsMark = scheme === 'always' || (scheme === 'first' && isFirst && index === 0);
			const word = wantsMark && !marked.startsWith(mark) ? mark + marked : marked;
			return splits ? splitBy(word, rule) : [word];
		});
}

function readPunctuation(section: JsonRecord, where: string): PreTokenizer {
	const behavior = readBehavior(section.behavior ?? 'Isolated', `${where}.behavior`);
	return each(text => arrange(symbolParts(text), behavior));
}

/** One part a symbol, one a run of others. */
function symbolParts(text: string): Part[] {
	const parts: Part[] = [];
	const classes = charClasses();
	let run = '';
	for (const char of text) {
		if (!(classes[char.codePointAt(0)!]! & charClass.punctuation)) {
			run += char;
			continue;
		}
		if (run !== '') parts.push({text: run, isMatch: false});
		parts.push({text: char, isMatch: true});
		run = '';
	}
	if (run !== '') parts.push({text: run, isMatch: false});
	return parts;
}

function readSequence(section: JsonRecord, where: string, growth: Growth): PreTokenizer {
	const steps = asArray(section.pretokenizers, `${where}.pretokenizers`).map((inner, index) =>
		readStep(inner, `${where}.pretokenizers[${index}]`, growth),
	);
	return (pieces, isFirst) => {
		let before = pieces;
		let beginsText = isFirst;
		for (const step of steps) {
			const after = step(before, beginsText);
			growth.add(Math.max(0, lengthOf(after) - lengthOf(before)));
			// A step that drops what the text begins with leaves no piece at its beginning.
			beginsText &&= before[0]?.startsWith(after[0] ?? '') ?? false;
			before = after;
		}
		return before;
	};
}

function lengthOf(pieces: readonly string[]): number {
	return pieces.reduce((sum, {length}) => sum + length, 0);
}

function readSplit(section: JsonRecord, where: string): PreTokenizer {
	const pattern = readPattern(section.pattern, `${where}.pattern`);
	const behavior = readBehavior(section.behavior, `${where}.behavior`);
	const isInverted = asFlag(section.invert, `${where}.invert`, false);
	return each(text => splitBy(text, {pattern, behavior, isInverted}));
}
