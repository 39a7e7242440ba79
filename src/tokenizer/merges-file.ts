// A tokenizer.json made from vocab.json, merges.txt and their settings: bytes joined by BPE, as
// RoBERTa and GPT-2 have it.

import {EngineError} from '../errors.js';
import {asFlag, asId, asRecord, asString, invalid, type JsonRecord} from './json.js';
import {addedTokens, specialToken} from './special-tokens.js';

const robertaNames = {
	...{bos: '<s>', eos: '</s>', sep: '</s>', cls: '<s>', unk: '<unk>', pad: '<pad>'},
	mask: '<mask>',
};
const gptNames = {bos: '<|endoftext|>', eos: '<|endoftext|>', unk: '<|endoftext|>'};

/** The names of special tokens by class, where transformers splits words the same way. */
const classes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
	RobertaTokenizer: robertaNames,
	LongformerTokenizer: robertaNames,
	BartTokenizer: robertaNames,
	GPT2Tokenizer: gptNames,
};

/** The texts of both files, and the path of the first for messages. */
export interface MergesFiles {
	readonly vocabulary: string;
	readonly merges: string;
	readonly path: string;
}

/** The tokenizer.json of the two files; `settings` are those of tokenizer_config.json and its companions. */
export function tokenizerOfMerges(
	{vocabulary, merges, path}: MergesFiles,
	settings: JsonRecord,
): JsonRecord {
	const names = namesOf(settings, path);
	const vocab = readVocabulary(vocabulary, path);
	const special = (role: string) => specialToken(settings, role, names[role]!, path);
	const end = (role: string) => {
		const {content} = special(role);
		const id = vocab.get(content);
		if (id === undefined) throw invalid(path, `the token ${content}`, undefined);
		return [content, id];
	};
	const addsSpace = asFlag(settings.add_prefix_space, `${path}: add_prefix_space`, false);
	return {
		version: '1.0',
		added_tokens: addedTokens(Object.keys(names).map(special), vocab, settings, path),
		normalizer: null,
		pre_tokenizer: {type: 'ByteLevel', add_prefix_space: addsSpace, use_regex: true},
		post_processor:
			names === robertaNames
				? {type: 'RobertaProcessing', sep: end('sep'), cls: end('cls')}
				: {type: 'ByteLevel'},
		model: {type: 'BPE', vocab: Object.fromEntries(vocab), merges: readMerges(merges)},
	};
}

function namesOf(settings: JsonRecord, path: string): Readonly<Record<string, string>> {
	const name = asString(settings.tokenizer_class ?? 'an unknown class', `${path}: tokenizer_class`);
	const plain = name.replace(/Fast$/, '');
	if (Object.hasOwn(classes, plain)) return classes[plain]!;
	throw new EngineError(
		'TOKENIZER_KIND',
		`${path}: expected a vocab.json of ${Object.keys(classes).join(', ')}, got one of ${plain}; ` +
			'save the model with a tokenizer.json',
	);
}

function readVocabulary(text: string, path: string): Map<string, number> {
	let json: unknown;
	try {
		json = JSON.parse(text);
	} catch (cause) {
		const reason = cause instanceof Error ? cause.message : String(cause);
		const message = `${path}: expected JSON, got other text (${reason})`;
		throw new EngineError('TOKENIZER_INVALID', message, {cause});
	}
	const entries = Object.entries(asRecord(json, path));
	return new Map(entries.map(([piece, id]) => [piece, asId(id, `${path}: ${piece}`)]));
}

/** One merge a line; lines that say the version count for nothing. */
function readMerges(text: string): string[] {
	const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
	return lines.filter(line => line !== '' && !line.startsWith('#version'));
}
