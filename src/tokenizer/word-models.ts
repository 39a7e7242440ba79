// BPE and Unigram through the JavaScript library of Hugging Face. What it does not do is refused:
// better no ids than wrong ones.

import {EngineError} from '../errors.js';
import type {TokenizerDefinition} from './definition.js';
import {asArray, asFlag, asId, asString, invalid, type JsonRecord} from './json.js';
import {BPE, type LibraryModel, Unigram} from './library.js';
import type {WordModel} from './text-model.js';

export function openBpe(definition: TokenizerDefinition): WordModel {
	const {model, vocabulary, path} = definition;
	const where = `${path}: model`;
	refuse(model, where, 'dropout', [undefined, null, 0]);
	refuse(model, where, 'continuing_subword_prefix', [undefined, null, '']);
	const unknown = model.unk_token ?? null;
	if (unknown !== null && !vocabulary.has(asString(unknown, `${where}.unk_token`))) {
		throw invalid(`${where}.vocab`, `${unknown} in it`, undefined);
	}
	const merges = asArray(model.merges, `${where}.merges`).map((row, index) =>
		readMerge(row, vocabulary, `${where}.merges[${index}]`),
	);
	const config = {...model, merges, ...(unknown === null && {ignore_merges: false})};
	const plain = wordModel(() => new BPE(config), definition);
	return unknown === null ? withoutUnknown(plain, definition) : plain;
}

/**
Without a token for what is unknown the Rust library drops such characters before it merges what is left, the
JavaScript one after. The last one closes nothing up, and may carry an ending. `ignore_merges` asks for whole words.
*/
function withoutUnknown(words: WordModel, definition: TokenizerDefinition): WordModel {
	const {model, vocabulary, path} = definition;
	const [usesBytes, takesWhole] = ['byte_fallback', 'ignore_merges'].map(name =>
		asFlag(model[name], `${path}: model.${name}`, false),
	);
	const isKnown = (char: string) =>
		vocabulary.has(char) || (usesBytes && byteIds(char, vocabulary) !== undefined);
	const known = (word: string) => {
		const chars = [...word];
		return chars.filter((char, at) => at === chars.length - 1 || isKnown(char)).join('');
	};
	return {
		pieces(word) {
			const whole = takesWhole ? vocabulary.get(word) : undefined;
			return whole === undefined ? words.pieces(known(word)) : [whole];
		},
	};
}

function readMerge(
	row: unknown,
	vocabulary: ReadonlyMap<string, number>,
	where: string,
): [string, string] {
	const parts = typeof row === 'string' ? row.split(' ') : asArray(row, where);
	const [left, right] = parts.map(part => asString(part, where));
	if (left === undefined || right === undefined || parts.length !== 2) {
		throw invalid(where, 'two pieces', row);
	}
	for (const piece of [left, right, left + right]) {
		if (!vocabulary.has(piece)) throw invalid(where, 'pieces of the vocabulary', piece);
	}
	return [left, right];
}

export function openUnigram(definition: TokenizerDefinition): WordModel {
	const {model, path} = definition;
	const vocab = asArray(model.vocab, `${path}: model.vocab`);
	const unknown = asId(model.unk_id ?? 0, `${path}: model.unk_id`);
	if (unknown >= vocab.length) throw invalid(`${path}: model.unk_id`, 'an id that exists', unknown);
	return wordModel(() => new Unigram({...model, unk_id: unknown}, ''), definition);
}

function refuse(model: JsonRecord, where: string, name: string, allowed: readonly unknown[]): void {
	if (allowed.includes(model[name])) return;
	const message = `${where}.${name}: expected none, got ${JSON.stringify(model[name])}`;
	throw new EngineError('TOKENIZER_KIND', message);
}

/** The library's model is made for the first word: where native code does the work there is none. */
function wordModel(
	open: () => LibraryModel,
	{kind, model, vocabulary, path}: TokenizerDefinition,
): WordModel {
	const usesBytes =
		kind === 'Unigram' && asFlag(model.byte_fallback, `${path}: model.byte_fallback`, false);
	let library: LibraryModel | undefined;
	const ids = (piece: string, unknown: number | undefined): readonly number[] => {
		const known = vocabulary.get(piece);
		if (known !== undefined) return [known];
		const bytes = usesBytes ? byteIds(piece, vocabulary) : undefined;
		if (bytes !== undefined) return bytes;
		if (unknown !== undefined) return [unknown];
		throw new EngineError('TOKENIZER_INVALID', `${path}: expected an id of ${piece}, got none`);
	};
	return {
		pieces(word) {
			if (word === '') return [];
			library ??= open();
			const {unk_token_id: unknown} = library;
			return library([word]).flatMap(piece => ids(piece, unknown));
		},
	};
}

/** The ids of the bytes of a piece, if the vocabulary has all of them. */
function byteIds(piece: string, vocabulary: ReadonlyMap<string, number>): number[] | undefined {
	const ids: number[] = [];
	for (const byte of Buffer.from(piece)) {
		const id = vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
		if (id === undefined) return undefined;
		ids.push(id);
	}
	return ids;
}
