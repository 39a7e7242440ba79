// BertNormalizer and BertPreTokenizer with the results of the Rust library: cleaning, ideographs set
// apart, accents stripped, lower case, then words split at white space and around punctuation.
// Lone surrogates count as U+FFFD, which cleaning removes.

import {lowerCase, unicodeForm, withoutClasses} from './unicode-forms.js';
import {charClass, charClasses} from './unicode-tables.js';

export interface BertNormalizerOptions {
	readonly cleanText: boolean;
	readonly handleChineseChars: boolean;
	readonly stripAccents: boolean;
	readonly lowercase: boolean;
}

/** The text as BertNormalizer leaves it. */
export function normalizeBert(text: string, options: BertNormalizerOptions): string {
	if (plainAscii.test(text)) return normalizeAscii(text, options);
	let result = text.replace(loneSurrogates, '\uFFFD');
	if (options.cleanText || options.handleChineseChars) result = cleanAndSpace(result, options);
	if (options.stripAccents)
		result = withoutClasses(unicodeForm(result, 'NFD'), charClass.nonspacing);
	if (options.lowercase) result = lowerCase(result);
	return result;
}

const plainAscii = /^[\t\n\r -~]*$/;
const loneSurrogates = /\p{Cs}/gu;

function normalizeAscii(text: string, {cleanText, lowercase}: BertNormalizerOptions): string {
	const spaced = cleanText ? text.replace(/[\t\n\r]/g, ' ') : text;
	return lowercase ? spaced.toLowerCase() : spaced;
}

function cleanAndSpace(text: string, options: BertNormalizerOptions): string {
	const classes = charClasses();
	let result = '';
	for (const char of text) {
		const bits = classes[char.codePointAt(0)!]!;
		if (options.cleanText && bits & charClass.removed) continue;
		if (options.handleChineseChars && bits & charClass.ideograph) result += ` ${char} `;
		else if (options.cleanText && bits & charClass.whitespace) result += ' ';
		else result += char;
	}
	return result;
}

/** Calls `word` with each word of a normalised text, in order; stops when it returns false. */
export function splitBert(text: string, word: (word: string) => boolean): boolean {
	const classes = charClasses();
	let begin = 0;
	for (let index = 0; index < text.length; ) {
		const code = text.codePointAt(index)!;
		const end = index + (code > 0xffff ? 2 : 1);
		const bits = classes[code]! & (charClass.whitespace | charClass.punctuation);
		if (bits !== 0) {
			if (begin < index && !word(text.slice(begin, index))) return false;
			if (bits & charClass.punctuation && !word(text.slice(index, end))) return false;
			begin = end;
		}
		index = end;
	}
	return begin === text.length || word(text.slice(begin));
}
