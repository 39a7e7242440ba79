// The three parts of @huggingface/tokenizers that are used, with the types that its declaration files
// mean to give; their imports lack extensions, so the compiler cannot follow them.

import * as library from '@huggingface/tokenizers';
import type {JsonRecord} from './json.js';

/** Words to pieces, and the id of pieces that the vocabulary lacks. */
export interface LibraryModel {
	(words: string[]): string[];
	readonly unk_token_id?: number | undefined;
}

interface LibraryParts {
	readonly BPE: new (config: JsonRecord) => LibraryModel;
	readonly Unigram: new (config: JsonRecord, endOfText: string) => LibraryModel;
	readonly SplitPreTokenizer: new (config: JsonRecord) => {readonly pattern: RegExp | null};
}

export const {BPE, Unigram, SplitPreTokenizer} = library as unknown as LibraryParts;
