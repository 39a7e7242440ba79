// The steps of `normalizer` as the native tokenizer takes them, with what it asks the host of each;
// nothing when one of them is not for it.

import type {NativeNormalizerStep} from '../native.js';
import {normalizeBert} from './bert-normalizer.js';
import {isRecord, type JsonRecord} from './json.js';
import {type FormStep, joinsCluster, joinsForm} from './native-host.js';
import {type Normalizer, readBertOptions, readNormalizer} from './normalizers.js';
import {charClass, charClasses} from './unicode-tables.js';

export interface NativeStep {
	readonly step: NativeNormalizerStep;
	readonly forms?: FormStep;
}

/** `value` is a normaliser that {@link readNormalizer} has accepted. */
export function nativeNormalizer(value: unknown, where: string): NativeStep[] | undefined {
	if (value === undefined || value === null) return [];
	if (!isRecord(value)) return undefined;
	if (value.type !== 'Sequence') {
		const step = readers[String(value.type)]?.(value, where);
		return step && [step];
	}
	const steps: NativeStep[] = [];
	for (const inner of value.normalizers as unknown[]) {
		const some = nativeNormalizer(inner, where);
		if (some === undefined) return undefined;
		steps.push(...some);
	}
	return steps;
}

type Read = (section: JsonRecord, where: string) => NativeStep | undefined;

const readers: {readonly [type: string]: Read} = {
	BertNormalizer: readBert,
	NFC: readForm,
	NFD: readForm,
	NFKC: readForm,
	NFKD: readForm,
	Lowercase: readAlone,
	StripAccents: readAlone,
	Precompiled: readPrecompiled,
	Strip: ({strip_left: left, strip_right: right}) => ({
		step: {kind: 'strip', left: left !== false, right: right !== false},
	}),
	Replace: readReplace,
	Prepend: ({prepend}) => plain({kind: 'prepend', content: String(prepend)}),
};

function readBert(section: JsonRecord, where: string): NativeStep {
	const options = readBertOptions(section, where);
	const form: Normalizer = text => text.normalize('NFD');
	const joins = (char: string): boolean => {
		if (!options.stripAccents) return false;
		// What stands beside a character that cleaning removes comes to stand side by side.
		const isRemoved = charClasses()[char.codePointAt(0)!]! & charClass.removed;
		return (options.cleanText && isRemoved !== 0) || joinsForm(char, form);
	};
	return {step: {kind: 'forms'}, forms: {normalize: text => normalizeBert(text, options), joins}};
}

function readForm(section: JsonRecord, where: string): NativeStep {
	const normalize = readNormalizer(section, where);
	return {
		step: {kind: 'forms'},
		forms: {normalize, joins: char => joinsForm(char, normalize)},
	};
}

/** What works on each character alone. */
function readAlone(section: JsonRecord, where: string): NativeStep {
	const normalize = readNormalizer(section, where);
	return {step: {kind: 'forms'}, forms: {normalize, joins: () => false}};
}

function readPrecompiled(section: JsonRecord, where: string): NativeStep {
	const normalize = readNormalizer(section, where);
	return {step: {kind: 'forms', counted: true}, forms: {normalize, joins: joinsCluster}};
}

function readReplace({pattern, content}: JsonRecord): NativeStep | undefined {
	const {String: literal, Regex: regex} = pattern as JsonRecord;
	const replaced = String(content ?? '');
	if (literal === undefined) {
		return regex === ' {2,}' ? plain({kind: 'replaceSpaces', content: replaced}) : undefined;
	}
	if (literal === '') return undefined;
	return plain({kind: 'replace', pattern: String(literal), content: replaced});
}

/** A step of texts; half a pair of UTF-16 is not for native code. */
function plain(step: NativeNormalizerStep): NativeStep | undefined {
	const {pattern = '', content = ''} = step;
	return isWhole(pattern) && isWhole(content) ? {step} : undefined;
}

/** Whether no half of a pair of UTF-16 stands alone. */
export function isWhole(text: string): boolean {
	return !/\p{Cs}/u.test(text);
}
