// The normalisers of tokenizer.json, each a function of the text.

import {EngineError} from '../errors.js';
import {normalizeBert} from './bert-normalizer.js';
import {Charsmap} from './charsmap.js';
import {Growth} from './growth.js';
import {asArray, asFlag, asRecord, asString, byType, type JsonRecord} from './json.js';
import {readPattern} from './patterns.js';
import {lowerCase, unicodeForm, withoutClasses} from './unicode-forms.js';
import {charClass} from './unicode-tables.js';

export type Normalizer = (text: string) => string;

/**
Reads `normalizer`; nothing there leaves texts as they are. One that makes a text longer and longer throws
when it is used.
*/
export function readNormalizer(value: unknown, where: string): Normalizer {
	if (value === undefined || value === null) return text => text;
	const growth = new Growth(where);
	const normalize = readStep(value, where, growth);
	return text => {
		growth.begin(text.length);
		return normalize(text);
	};
}

function readStep(value: unknown, where: string, growth: Growth): Normalizer {
	const section = asRecord(value, where);
	const read = byType(readers, section.type);
	if (read !== undefined) return read(section, where, growth);
	throw new EngineError(
		'TOKENIZER_KIND',
		`${where}.type: expected ${Object.keys(readers).join(', ')}, got ${JSON.stringify(section.type)}`,
	);
}

const marks = charClass.nonspacing | charClass.otherMark;

type Read = (section: JsonRecord, where: string, growth: Growth) => Normalizer;

const readers: {[type: string]: Read} = {
	BertNormalizer: readBert,
	NFC: () => text => unicodeForm(text, 'NFC'),
	NFD: () => text => unicodeForm(text, 'NFD'),
	NFKC: () => text => unicodeForm(text, 'NFKC'),
	NFKD: () => text => unicodeForm(text, 'NFKD'),
	Lowercase: () => lowerCase,
	StripAccents: () => text => withoutClasses(text, marks),
	Strip: readStrip,
	Replace: readReplace,
	Prepend: readPrepend,
	Precompiled: readPrecompiled,
	Sequence: readSequence,
};

function readBert(section: JsonRecord, where: string): Normalizer {
	const options = readBertOptions(section, where);
	return text => normalizeBert(text, options);
}

/** The options of a BertNormalizer; accents go with the case unless it says otherwise. */
export function readBertOptions(section: JsonRecord, where: string) {
	const flag = (name: string, otherwise: boolean) =>
		asFlag(section[name], `${where}.${name}`, otherwise);
	const lowercase = flag('lowercase', true);
	return {
		cleanText: flag('clean_text', true),
		handleChineseChars: flag('handle_chinese_chars', true),
		stripAccents: flag('strip_accents', lowercase),
		lowercase,
	};
}

function readStrip(section: JsonRecord, where: string): Normalizer {
	const left = asFlag(section.strip_left, `${where}.strip_left`, true);
	const right = asFlag(section.strip_right, `${where}.strip_right`, true);
	return text => {
		const rest = left ? text.replace(/^\p{White_Space}+/u, '') : text;
		return right ? rest.replace(/(?<!\p{White_Space})\p{White_Space}+$/u, '') : rest;
	};
}

function readReplace(section: JsonRecord, where: string, growth: Growth): Normalizer {
	const pattern = readPattern(section.pattern, `${where}.pattern`);
	const content = asString(section.content ?? '', `${where}.content`);
	return text =>
		text.replace(pattern, () => {
			growth.add(content.length);
			return content;
		});
}

function readPrepend(section: JsonRecord, where: string, growth: Growth): Normalizer {
	const prefix = asString(section.prepend, `${where}.prepend`);
	return text => {
		if (text === '') return '';
		growth.add(prefix.length);
		return prefix + text;
	};
}

function readPrecompiled(section: JsonRecord, where: string, growth: Growth): Normalizer {
	const place = `${where}.precompiled_charsmap`;
	const charsmap = new Charsmap(asString(section.precompiled_charsmap, place), place);
	return text => charsmap.normalize(text, growth);
}

function readSequence(section: JsonRecord, where: string, growth: Growth): Normalizer {
	const steps = asArray(section.normalizers, `${where}.normalizers`).map((inner, index) =>
		readStep(inner, `${where}.normalizers[${index}]`, growth),
	);
	return text => {
		let result = text;
		for (const step of steps) result = step(result);
		return result;
	};
}
