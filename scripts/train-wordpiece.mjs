// Trains a WordPiece vocabulary for lower-cased BERT tokenizers from JSONL and text files:
//   node scripts/train-wordpiece.mjs --vocab-size 8192 --output FOLDER FILE…
// Pairs are merged by their count, as in byte-pair encoding; ties go to the smaller ids, so the same
// files in any order give the same vocabulary. Needs the built package (dist/).

import {createReadStream} from 'node:fs';
import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {parseArgs} from 'node:util';
import {normalizeBert, splitBert} from '../dist/tokenizer/bert-normalizer.js';

const specials = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
const continuing = '##';
const normalizer = {
	cleanText: true,
	handleChineseChars: true,
	stripAccents: true,
	lowercase: true,
};

async function main() {
	const {values, positionals} = parseArgs({
		allowPositionals: true,
		options: {
			'vocab-size': {type: 'string', default: '8192'},
			alphabet: {type: 'string', default: '256'},
			'min-count': {type: 'string', default: '2'},
			'max-length': {type: 'string', default: '512'},
			output: {type: 'string'},
		},
	});
	if (!values.output || positionals.length === 0) {
		throw new Error('usage: train-wordpiece.mjs --vocab-size N --output FOLDER FILE…');
	}
	const settings = {
		size: positive('vocab-size', values),
		alphabet: positive('alphabet', values),
		minCount: positive('min-count', values),
		maxLength: positive('max-length', values),
	};
	const counts = new Map();
	for (const file of positionals) await countWords(file, counts);
	const vocabulary = trainVocabulary(counts, settings);
	await writeTokenizer(values.output, vocabulary, settings.maxLength);
	console.error(`${counts.size} words, ${vocabulary.length} pieces in ${values.output}`);
}

function positive(name, values) {
	const number = Number(values[name]);
	if (Number.isInteger(number) && number > 0) return number;
	throw new Error(`--${name}: expected a positive whole number, got ${values[name]}`);
}

async function countWords(file, counts) {
	const lines = createInterface({input: createReadStream(file), crlfDelay: Infinity});
	const add = word => {
		counts.set(word, (counts.get(word) ?? 0) + 1);
		return true;
	};
	for await (const line of lines) {
		for (const text of textsOf(line)) splitBert(normalizeBert(text, normalizer), add);
	}
}

/** The texts of a line: all strings of a JSON record but its ids, otherwise the line. */
function* textsOf(line) {
	if (/^\s*\{/.test(line)) yield* stringsIn(JSON.parse(line));
	else yield line;
}

function* stringsIn(value) {
	if (typeof value === 'string') yield value;
	if (value === null || typeof value !== 'object') return;
	for (const [key, inner] of Object.entries(value)) {
		if (!/(^|_)ids?$/.test(key)) yield* stringsIn(inner);
	}
}

/** The pieces in the order of their ids: special tokens, characters, then merges. */
function trainVocabulary(counts, {size, alphabet, minCount}) {
	const pieces = new Pieces(specials);
	const kept = frequentCharacters(counts, alphabet);
	for (const char of kept) pieces.id(char);
	for (const char of kept) if (/^[\p{L}\p{N}]$/u.test(char)) pieces.id(continuing + char);
	const words = [];
	for (const [text, count] of [...counts].sort(byText)) {
		const chars = [...text];
		if (chars.length > 1 && chars.every(char => kept.has(char))) {
			words.push({
				count,
				ids: chars.map((char, n) => pieces.id(n === 0 ? char : continuing + char)),
			});
		}
	}
	const pairs = new Pairs(words);
	while (pieces.texts.length < size) {
		const best = pairs.take(minCount);
		if (best === undefined) break;
		const [left, right] = best;
		const merged = pieces.texts[left] + pieces.texts[right].slice(continuing.length);
		pairs.merge(left, right, pieces.id(merged));
	}
	return pieces.texts;
}

/** The most frequent characters, and all of ASCII whatever the texts are, in a fixed order. */
function frequentCharacters(counts, limit) {
	const frequency = new Map();
	for (const [word, count] of counts) {
		for (const char of word) frequency.set(char, (frequency.get(char) ?? 0) + count);
	}
	const ranked = [...frequency].sort((a, b) => b[1] - a[1] || byText(a, b)).slice(0, limit);
	const printable = Array.from({length: 94}, (_, n) => String.fromCharCode(33 + n).toLowerCase());
	return new Set([...printable, ...ranked.map(([char]) => char)].sort());
}

function byText([a], [b]) {
	return a < b ? -1 : a > b ? 1 : 0;
}

class Pieces {
	texts = [];
	#ids = new Map();

	constructor(texts) {
		for (const text of texts) this.id(text);
	}

	id(text) {
		const known = this.#ids.get(text);
		if (known !== undefined) return known;
		this.#ids.set(text, this.texts.length);
		this.texts.push(text);
		return this.texts.length - 1;
	}
}

// Counts of neighbouring pieces over all words. The heap may hold outdated counts; they are dropped
// or renewed when they come up.
class Pairs {
	#words;
	#counts = new Map();
	#places = new Map();
	#heap = new PairHeap();
	#changed = new Set();

	constructor(words) {
		this.#words = words;
		words.forEach(({ids}, word) => {
			for (let n = 1; n < ids.length; n++) this.#add(ids[n - 1], ids[n], word);
		});
		this.#flush();
	}

	take(minCount) {
		for (let top = this.#heap.pop(); top !== undefined; top = this.#heap.pop()) {
			const count = this.#counts.get(top.key) ?? 0;
			if (count !== top.count) continue;
			return count < minCount ? undefined : [Math.floor(top.key / span), top.key % span];
		}
		return undefined;
	}

	merge(left, right, merged) {
		const key = left * span + right;
		for (const word of this.#places.get(key)) this.#mergeIn(word, left, right, merged);
		this.#counts.delete(key);
		this.#places.delete(key);
		this.#flush();
	}

	#mergeIn(word, left, right, merged) {
		const {ids} = this.#words[word];
		const after = [];
		for (let n = 0; n < ids.length; n++) {
			const found = ids[n] === left && ids[n + 1] === right;
			after.push(found ? merged : ids[n]);
			if (found) n++;
		}
		if (after.length === ids.length) return;
		for (let n = 1; n < ids.length; n++) this.#remove(ids[n - 1], ids[n], word);
		for (let n = 1; n < after.length; n++) this.#add(after[n - 1], after[n], word);
		this.#words[word].ids = after;
	}

	#add(left, right, word) {
		const key = left * span + right;
		this.#counts.set(key, (this.#counts.get(key) ?? 0) + this.#words[word].count);
		const places = this.#places.get(key);
		if (places === undefined) this.#places.set(key, new Set([word]));
		else places.add(word);
		this.#changed.add(key);
	}

	#remove(left, right, word) {
		const key = left * span + right;
		this.#counts.set(key, this.#counts.get(key) - this.#words[word].count);
		this.#changed.add(key);
	}

	#flush() {
		for (const key of this.#changed) {
			const count = this.#counts.get(key) ?? 0;
			if (count > 0) this.#heap.push({key, count});
		}
		this.#changed.clear();
	}
}

const span = 2 ** 22;

class PairHeap {
	#items = [];

	push(item) {
		const items = this.#items;
		let place = items.length;
		while (place > 0) {
			const parent = (place - 1) >> 1;
			if (!before(item, items[parent])) break;
			items[place] = items[parent];
			place = parent;
		}
		items[place] = item;
	}

	pop() {
		const items = this.#items;
		const top = items[0];
		const last = items.pop();
		if (items.length === 0) return top;
		let place = 0;
		for (let child = 1; child < items.length; child = 2 * place + 1) {
			if (child + 1 < items.length && before(items[child + 1], items[child])) child++;
			if (!before(items[child], last)) break;
			items[place] = items[child];
			place = child;
		}
		items[place] = last;
		return top;
	}
}

function before(a, b) {
	return a.count > b.count || (a.count === b.count && a.key < b.key);
}

async function writeTokenizer(folder, vocabulary, maxLength) {
	await mkdir(folder, {recursive: true});
	const write = (name, value) =>
		writeFile(join(folder, name), `${JSON.stringify(value, null, '\t')}\n`);
	const names = {
		unk_token: '[UNK]',
		sep_token: '[SEP]',
		pad_token: '[PAD]',
		cls_token: '[CLS]',
		mask_token: '[MASK]',
	};
	await writeFile(join(folder, 'vocab.txt'), `${vocabulary.join('\n')}\n`);
	await write('tokenizer.json', tokenizerJson(vocabulary));
	await write('special_tokens_map.json', names);
	await write('tokenizer_config.json', {
		...names,
		tokenizer_class: 'BertTokenizer',
		model_max_length: maxLength,
		clean_up_tokenization_spaces: false,
		do_lower_case: true,
		tokenize_chinese_chars: true,
		strip_accents: null,
	});
}

function tokenizerJson(vocabulary) {
	const special = (id, type) => ({SpecialToken: {id, type_id: type}});
	const sequence = (id, type) => ({Sequence: {id, type_id: type}});
	const template = token => ({id: token, ids: [specials.indexOf(token)], tokens: [token]});
	const flags = {single_word: false, lstrip: false, rstrip: false, normalized: false};
	const single = [special('[CLS]', 0), sequence('A', 0), special('[SEP]', 0)];
	return {
		version: '1.0',
		truncation: null,
		padding: null,
		added_tokens: specials.map((content, id) => ({id, content, ...flags, special: true})),
		normalizer: {
			type: 'BertNormalizer',
			clean_text: true,
			handle_chinese_chars: true,
			strip_accents: null,
			lowercase: true,
		},
		pre_tokenizer: {type: 'BertPreTokenizer'},
		post_processor: {
			type: 'TemplateProcessing',
			single,
			pair: [...single, sequence('B', 1), special('[SEP]', 1)],
			special_tokens: {'[CLS]': template('[CLS]'), '[SEP]': template('[SEP]')},
		},
		decoder: {type: 'WordPiece', prefix: continuing, cleanup: true},
		model: {
			type: 'WordPiece',
			unk_token: '[UNK]',
			continuing_subword_prefix: continuing,
			max_input_chars_per_word: 100,
			vocab: Object.fromEntries(vocabulary.map((piece, id) => [piece, id])),
		},
	};
}

await main();
