// A tokenizer.json made from a SentencePiece model, as transformers makes it: each class puts other
// special tokens around the pieces and numbers them in its own way.

import {EngineError} from '../errors.js';
import {asFlag, asId, asString, type JsonRecord} from './json.js';
import {type Piece, readSentencePieces} from './sentencepiece.js';
import {addedTokens, specialToken} from './special-tokens.js';

type Scored = readonly [piece: string, score: number];

interface Kind {
	/** The special tokens by their roles. */
	readonly names: Readonly<Record<string, string>>;
	/** The roles before and after every text. */
	readonly prefix: readonly string[];
	readonly suffix: readonly string[];
	/** What stands in the place of the first pieces. */
	readonly before: readonly Scored[];
	readonly replaced: number;
	/** Special tokens behind the pieces. */
	after(settings: JsonRecord, path: string): readonly string[];
	score(piece: Piece): number;
	/** Where it is not the one of the model. */
	readonly unknownId?: number;
	/** Before the normaliser of the model. */
	normalizers(settings: JsonRecord, path: string): readonly JsonRecord[];
}

const plain = {
	prefix: [],
	before: [],
	replaced: 0,
	after: () => [],
	score: ({score}: Piece) => score,
	normalizers: () => [],
};

/** Models whose numbers were those of fairseq before. */
const fairseq = {
	...plain,
	names: {
		...{bos: '<s>', eos: '</s>', sep: '</s>', cls: '<s>', unk: '<unk>', pad: '<pad>'},
		mask: '<mask>',
	},
	prefix: ['cls'],
	suffix: ['sep'],
	after: () => ['<mask>'],
	unknownId: 3,
};

const kinds: Readonly<Record<string, Kind>> = {
	XLMRobertaTokenizer: {
		...fairseq,
		before: zeros('<s>', '<pad>', '</s>', '<unk>'),
		replaced: 3,
	},
	CamembertTokenizer: {
		...fairseq,
		before: [...zeros('<s>NOTUSED', '<pad>', '</s>NOTUSED', '<unk>'), ['<unk>NOTUSED', -100]],
		replaced: 1,
	},
	T5Tokenizer: {
		...plain,
		names: {eos: '</s>', unk: '<unk>', pad: '<pad>'},
		suffix: ['eos'],
		after: sentinels,
	},
	AlbertTokenizer: {
		...plain,
		names: {
			...{bos: '[CLS]', eos: '[SEP]', unk: '<unk>', sep: '[SEP]', pad: '<pad>', cls: '[CLS]'},
			mask: '[MASK]',
		},
		prefix: ['cls'],
		suffix: ['sep'],
		// A number is never one piece with the comma behind it.
		score: ({text, score}) => (/\p{Nd},$/u.test(text) ? score - 100 : score),
		normalizers: albertNormalizers,
	},
};

function zeros(...pieces: readonly string[]): Scored[] {
	return pieces.map(piece => [piece, 0]);
}

/** The tokens of T5 that stand for what was left out, the last first. */
function sentinels(settings: JsonRecord, path: string): string[] {
	const length = Math.min(asId(settings.extra_ids ?? 100, `${path}: extra_ids`), 2 ** 16);
	return Array.from({length}, (_, n) => `<extra_id_${length - 1 - n}>`);
}

function albertNormalizers(settings: JsonRecord, path: string): JsonRecord[] {
	const keepsAccents = asFlag(settings.keep_accents, `${path}: keep_accents`, false);
	const lowersCase = asFlag(settings.do_lower_case, `${path}: do_lower_case`, true);
	return [
		{type: 'Replace', pattern: {String: '``'}, content: '"'},
		{type: 'Replace', pattern: {String: "''"}, content: '"'},
		...(keepsAccents ? [] : [{type: 'NFKD'}, {type: 'StripAccents'}]),
		...(lowersCase ? [{type: 'Lowercase'}] : []),
	];
}

/** The tokenizer.json of a model; `settings` are those of tokenizer_config.json and its companions. */
export function tokenizerOfPieces(
	bytes: Uint8Array,
	settings: JsonRecord,
	path: string,
): JsonRecord {
	const kind = kindOf(settings, path);
	const {pieces, unknownId, charsmap} = readSentencePieces(bytes, path);
	const after = kind.after(settings, path);
	const vocab: Scored[] = [
		...kind.before,
		...pieces.slice(kind.replaced).map((piece): Scored => [piece.text, kind.score(piece)]),
		...zeros(...after),
	];
	const charsmaps = charsmap === '' ? [] : [{type: 'Precompiled', precompiled_charsmap: charsmap}];
	return {
		version: '1.0',
		added_tokens: addedOf(kind, {pieces, after, vocab}, settings, path),
		normalizer: {
			type: 'Sequence',
			normalizers: [...kind.normalizers(settings, path), ...charsmaps],
		},
		pre_tokenizer: {
			type: 'Sequence',
			pretokenizers: [
				{type: 'WhitespaceSplit'},
				{type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true},
			],
		},
		post_processor: templateOf(kind, settings, path),
		model: {type: 'Unigram', unk_id: kind.unknownId ?? unknownId, vocab},
	};
}

function kindOf(settings: JsonRecord, path: string): Kind {
	const name = asString(settings.tokenizer_class ?? 'an unknown class', `${path}: tokenizer_class`);
	const base = name.replace(/Fast$/, '');
	if (Object.hasOwn(kinds, base)) return kinds[base]!;
	throw new EngineError(
		'TOKENIZER_KIND',
		`${path}: expected a model of ${Object.keys(kinds).join(', ')}, got one of ${base}; ` +
			'save the model with a tokenizer.json',
	);
}

type Contents = {
	pieces: readonly Piece[];
	after: readonly string[];
	vocab: readonly Scored[];
};

/** The special tokens, and the pieces that are met as they are: control and user-defined ones. */
function addedOf(
	kind: Kind,
	{pieces, after, vocab}: Contents,
	settings: JsonRecord,
	path: string,
): JsonRecord[] {
	const ids = new Map(vocab.map(([piece], id) => [piece, id]));
	const roles = Object.keys(kind.names).map(role =>
		specialToken(settings, role, kind.names[role]!, path),
	);
	const isControl = new Map(
		pieces.filter(({type}) => type === 3 || type === 4).map(({text, type}) => [text, type === 3]),
	);
	const added = addedTokens(roles, ids, settings, path);
	const known = new Set(added.map(({content}) => content));
	const others = [...isControl.keys(), ...after].filter(text => !known.has(text) && ids.has(text));
	const rows = others.map(content => ({
		...{id: ids.get(content), content, normalized: false},
		special: isControl.get(content) ?? true,
	}));
	return [...added, ...rows];
}

function templateOf(kind: Kind, settings: JsonRecord, path: string): JsonRecord {
	const token = (role: string) => {
		const {content} = specialToken(settings, role, kind.names[role]!, path);
		return {SpecialToken: {id: content, type_id: 0}};
	};
	const text = {Sequence: {id: 'A', type_id: 0}};
	return {
		type: 'TemplateProcessing',
		single: [...kind.prefix.map(token), text, ...kind.suffix.map(token)],
	};
}
