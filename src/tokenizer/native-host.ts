// What the native tokenizer asks about Unicode, 256 characters at a time: their classes, and what each
// step of the normaliser makes of them. Everything is found by the functions that normalise without it.

import type {Normalizer} from './normalizers.js';
import {charClass, charClasses} from './unicode-tables.js';

/** A step that makes of each character others. */
export interface FormStep {
	readonly normalize: Normalizer;
	/** Whether what becomes of the character may depend on its neighbours, or of them on it. */
	readonly joins: (char: string) => boolean;
}

/** The functions that native code calls. */
export interface NativeHost {
	classes(block: number): Uint16Array;
	forms(step: number, block: number): BlockForms;
	normalize(step: number, text: string): string;
}

/** What becomes of each character: itself, a part of the text, or what its neighbours decide. */
export interface BlockForms {
	readonly kinds: Uint8Array;
	readonly ends: Uint32Array;
	readonly text: string;
}

const blockSize = 256;
const kind = {same: 0, replaced: 1, joins: 2} as const;

const classPatterns = [
	[16, /^\p{L}/u],
	[32, /^\p{N}/u],
	[64, /^\p{White_Space}/u],
	[128, /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u],
] as const;
const bertClasses =
	charClass.removed | charClass.whitespace | charClass.ideograph | charClass.punctuation;

/** `steps` are those of the normaliser; a step of another kind has none. */
export function nativeHost(steps: readonly (FormStep | undefined)[]): NativeHost {
	return {
		classes: classesOf,
		forms: (step, block) => formsOf(steps[step]!, block),
		normalize: (step, text) => steps[step]!.normalize(text),
	};
}

function classesOf(block: number): Uint16Array {
	const classes = charClasses();
	return Uint16Array.from({length: blockSize}, (_, n) => {
		const code = block * blockSize + n;
		const char = String.fromCodePoint(code);
		const bits = classPatterns.map(([bit, pattern]) => (pattern.test(char) ? bit : 0));
		return bits.reduce((sum: number, bit) => sum | bit, classes[code]! & bertClasses);
	});
}

function formsOf({normalize, joins}: FormStep, block: number): BlockForms {
	const kinds = new Uint8Array(blockSize);
	const ends = new Uint32Array(blockSize);
	let text = '';
	for (let n = 0; n < blockSize; n++) {
		const char = String.fromCodePoint(block * blockSize + n);
		if (joins(char)) {
			kinds[n] = kind.joins;
		} else {
			const normalized = normalize(char);
			kinds[n] = normalized === char ? kind.same : kind.replaced;
			text += normalized;
		}
		ends[n] = text.length;
	}
	return {kinds, ends, text};
}

/** Marks, and the letters of which Hangul is put together, compose with what stands before them. */
const composing = /[\p{M}\u1100-\u11FF\uA960-\uA97F\uD7B0-\uD7FF]/u;
const beginsComposing = new RegExp(`^${composing.source}`, 'u');

/** Of a normal form: what composes, or becomes what does. */
export function joinsForm(char: string, normalize: Normalizer): boolean {
	if (charClasses()[char.codePointAt(0)!]! & charClass.later) return false;
	return composing.test(char) || beginsComposing.test(normalize(char));
}

const clusters = new Intl.Segmenter('en', {granularity: 'grapheme'});

/** Of clusters: what is not always one of its own. */
export function joinsCluster(char: string): boolean {
	if (char === '\r') return true;
	return [...clusters.segment(`a${char}${char}a`)].length !== 4;
}
