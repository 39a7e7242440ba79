// Normal forms and lower case as the Rust library has them, whatever Unicode version Node has.

import {charClass, charClasses} from './unicode-tables.js';

export type UnicodeForm = 'NFC' | 'NFD' | 'NFKC' | 'NFKD';

/** A normal form by the older tables: what is later than they are stays as it is and parts the text. */
export function unicodeForm(text: string, form: UnicodeForm): string {
	const classes = charClasses();
	let result = '';
	let piece = '';
	for (const char of text) {
		if (classes[char.codePointAt(0)!]! & charClass.later) {
			result += piece.normalize(form) + char;
			piece = '';
		} else {
			piece += char;
		}
	}
	return result + piece.normalize(form);
}

/** Rust lowers characters one by one; a sigma at the end of a word is no exception there. */
export function lowerCase(text: string): string {
	return text.replaceAll('Σ', 'σ').toLowerCase();
}

/** Drops the characters that are of any of the classes. */
export function withoutClasses(text: string, bits: number): string {
	const classes = charClasses();
	let result = '';
	for (const char of text) if (!(classes[char.codePointAt(0)!]! & bits)) result += char;
	return result;
}
