// What turns text into ids, by parts.

import type {IdBuffer} from './id-buffer.js';

/** Turns text without added tokens into ids; each call answers false when the buffer is full. */
export interface TextModel {
	normalize(text: string): string;
	/** `isFirst`: the piece begins the text. */
	encode(text: string, isFirst: boolean, out: IdBuffer): boolean;
	encodeNormalized(text: string, isFirst: boolean, out: IdBuffer): boolean;
}

/** Turns one word into ids. */
export interface WordModel {
	pieces(word: string): readonly number[];
}
