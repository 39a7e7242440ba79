// A tokenizer.json made from vocab.txt and its settings: WordPiece as the BERT models have it.

import {EngineError} from '../errors.js';
import {asFlag, asString, invalid, isRecord, type JsonRecord} from './json.js';
import {addedTokens, specialToken} from './special-tokens.js';

/** Classes whose vocab.txt means plain WordPiece; others split words in their own way first. */
const classes = [
	'BertTokenizer',
	'DistilBertTokenizer',
	'ElectraTokenizer',
	'MobileBertTokenizer',
	'MPNetTokenizer',
	'RetriBertTokenizer',
	'DPRQuestionEncoderTokenizer',
	'DPRContextEncoderTokenizer',
];

const bertNames = {unk: '[UNK]', cls: '[CLS]', sep: '[SEP]', pad: '[PAD]', mask: '[MASK]'};
const mpnetNames = {unk: '[UNK]', cls: '<s>', sep: '</s>', pad: '<pad>', mask: '<mask>'};

/** The tokenizer.json of a vocab.txt; `settings` are those of tokenizer_config.json and its companions. */
export function tokenizerOfVocabulary(
	text: string,
	settings: JsonRecord,
	path: string,
): JsonRecord {
	const vocab = readLines(text, path);
	const name = checkClass(settings, path);
	const names = name === 'MPNetTokenizer' ? mpnetNames : bertNames;
	const special = (role: keyof typeof names) => specialToken(settings, role, names[role], path);
	const id = (token: string) => {
		const known = vocab.get(token);
		if (known === undefined) throw invalid(path, `the token ${token}`, undefined);
		return known;
	};
	const unk = special('unk').content;
	const [cls, sep] = [special('cls').content, special('sep').content];
	id(unk);
	const roles = (Object.keys(names) as (keyof typeof names)[]).map(special);
	return {
		version: '1.0',
		added_tokens: addedTokens(roles, vocab, settings, path),
		normalizer: {
			type: 'BertNormalizer',
			clean_text: true,
			handle_chinese_chars: flag(settings, 'tokenize_chinese_chars', path) ?? true,
			strip_accents: flag(settings, 'strip_accents', path),
			lowercase: flag(settings, 'do_lower_case', path) ?? true,
		},
		pre_tokenizer: {type: 'BertPreTokenizer'},
		post_processor: {type: 'BertProcessing', cls: [cls, id(cls)], sep: [sep, id(sep)]},
		model: {
			type: 'WordPiece',
			unk_token: unk,
			continuing_subword_prefix: '##',
			max_input_chars_per_word: 100,
			vocab: Object.fromEntries(vocab),
		},
	};
}

/** One piece a line; of equal lines the last one counts, as in transformers. */
function readLines(text: string, path: string): Map<string, number> {
	const lines = text.replace(/^\uFEFF/, '').split('\n');
	if (lines.at(-1) === '') lines.pop();
	if (lines.length === 0) throw invalid(path, 'one piece a line', undefined);
	return new Map(lines.map((line, id) => [line.replace(/\r$/, ''), id]));
}

/**
The normaliser of a tokenizer.json with what tokenizer_config.json says of it: transformers builds the
tokenizers of these classes anew from the settings, so where the two files differ the settings hold.
*/
export function normalizerWithSettings(
	normalizer: unknown,
	settings: JsonRecord,
	path: string,
): unknown {
	const name = String(settings.tokenizer_class ?? 'BertTokenizer').replace(/Fast$/, '');
	if (!classes.includes(name) || !isRecord(normalizer)) return normalizer;
	if (normalizer.type !== 'BertNormalizer') return normalizer;
	const changed: {[key: string]: unknown} = {...normalizer};
	for (const [setting, key] of Object.entries(normalizerSettings)) {
		if (settings[setting] !== undefined) changed[key] = flag(settings, setting, path);
	}
	return changed;
}

const normalizerSettings = {
	do_lower_case: 'lowercase',
	strip_accents: 'strip_accents',
	tokenize_chinese_chars: 'handle_chinese_chars',
};

function checkClass(settings: JsonRecord, path: string): string {
	const name = settings.tokenizer_class ?? 'BertTokenizer';
	const plain = asString(name, `${path}: tokenizer_class`).replace(/Fast$/, '');
	if (classes.includes(plain)) return plain;
	throw new EngineError(
		'TOKENIZER_KIND',
		`${path}: expected a vocab.txt of ${classes.join(', ')}, got one of ${plain}; save the model with a tokenizer.json`,
	);
}

function flag(settings: JsonRecord, name: string, path: string): boolean | null {
	const value = settings[name];
	return value === undefined || value === null ? null : asFlag(value, `${path}: ${name}`, false);
}
