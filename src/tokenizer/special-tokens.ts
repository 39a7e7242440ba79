// The special tokens that tokenizer_config.json and its companions name, for tokenizers that are made
// from another file than tokenizer.json.

import {asId, asRecord, asString, isRecord, type JsonRecord} from './json.js';

interface Added {
	readonly id: number;
	readonly content: string;
	readonly flags: JsonRecord;
}

/** A special token by its role: its text, and how it is met in texts. */
export function specialToken(settings: JsonRecord, role: string, name: string, path: string) {
	const value = settings[`${role}_token`] ?? name;
	const where = `${path}: ${role}_token`;
	if (!isRecord(value)) return {content: asString(value, where), flags: {}};
	return {content: asString(value.content, where), flags: value};
}

/** The special tokens in these roles and all that the settings add, for a tokenizer.json. */
export function addedTokens(
	roles: readonly {content: string; flags: JsonRecord}[],
	vocab: ReadonlyMap<string, number>,
	settings: JsonRecord,
	path: string,
): JsonRecord[] {
	const found = new Map<string, Added>();
	for (const {content, flags} of roles) {
		const id = vocab.get(content);
		// A mask or pad that the vocabulary lacks is never met in a text that the model can read.
		if (id === undefined) continue;
		found.set(content, {id, content, flags: {normalized: false, ...flags, special: true}});
	}
	for (const [content, id] of Object.entries(asRecord(settings.added_tokens ?? {}, path))) {
		if (found.has(content)) continue;
		found.set(content, {id: asId(id, `${path}: added_tokens.json`), content, flags: {}});
	}
	const decoder = asRecord(settings.added_tokens_decoder ?? {}, `${path}: added_tokens_decoder`);
	for (const [id, value] of Object.entries(decoder)) {
		const flags = asRecord(value, `${path}: added_tokens_decoder[${id}]`);
		const content = asString(flags.content, `${path}: added_tokens_decoder[${id}]`);
		found.set(content, {id: asId(Number(id), `${path}: added_tokens_decoder`), content, flags});
	}
	return [...found.values()].map(({id, content, flags}) => ({...flags, id, content}));
}
