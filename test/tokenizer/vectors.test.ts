// Ids equal those of the libraries that made the vectors.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import type {TextEncoder} from '../../dist/tokenizer/encoder.js';
import {readTokenizerFiles} from '../../dist/tokenizer/files.js';
import {temporaryFolder} from '../files/folder.js';
import {
	bertFamily,
	bertJson,
	encoderOf,
	encoderOn,
	fixtures,
	idsOf,
	isAbsent,
	paths,
	readJsonLines,
	shared,
	type Vector,
} from './sources.js';

const uncased = join(fixtures, 'bert-base-uncased');
const data = join(shared, 'data/tokenizers');
const {folder, put} = temporaryFolder();

const wanted = (vectors: readonly Vector[]) => vectors.map(({ids}) => ids);
describe.each(paths)('in %s', path => {
	async function open(folder: string): Promise<TextEncoder> {
		return encoderOn(path, (await readTokenizerFiles(folder)).source);
	}

	test('the bert-base-uncased vocabulary gives the 64 vectors of other libraries', async () => {
		const vectors = readJsonLines<Vector>(join(uncased, 'vectors.jsonl'));
		expect(vectors).toHaveLength(64);
		expect(idsOf(await open(uncased), vectors)).toEqual(wanted(vectors));
	});

	test('the bert family gives the ids of transformers, with and without special tokens', async () => {
		const vectors = readJsonLines<Vector>(join(bertFamily, 'golden/texts.jsonl'));
		expect(idsOf(await open(bertFamily), vectors)).toEqual(wanted(vectors));
	});

	test('random Unicode strings give the ids of the Rust library in four settings', () => {
		const rows = readJsonLines<Vector & {normalizer: object}>(join(fixtures, 'random.jsonl'));
		const pieces = readFileSync(join(uncased, 'vocab.txt'), 'utf8').split('\n').slice(0, -1);
		const sep = {id: 102, content: '[SEP]', special: true};
		const encoders = new Map<string, TextEncoder>();
		const results = rows.map(({normalizer, text}) => {
			const key = JSON.stringify(normalizer);
			const encoder =
				encoders.get(key) ?? encoderOf(bertJson(pieces, {normalizer, added_tokens: [sep]}), path);
			encoders.set(key, encoder);
			return idsOf(encoder, [{text, ids: []}])[0];
		});
		expect(encoders.size).toBe(4);
		expect(results).toEqual(wanted(rows));
	});

	const miniLm = join(shared, 'models/all-MiniLM-L6-v2');
	const miniLmTexts = join(shared, 'fixtures/minilm/texts.jsonl');

	test.skipIf(isAbsent(miniLm, miniLmTexts))(
		'all-MiniLM-L6-v2 gives the ids and cuts of transformers at 256 (skipped without shared data)',
		async () => {
			const vectors = readJsonLines<Vector>(miniLmTexts);
			const encoder = await open(miniLm);
			const settings = {maxLength: 256, truncationSide: 'right', addSpecialTokens: true} as const;
			const {ids, offsets, truncated} = encoder.encode(
				vectors.map(({text}) => text),
				settings,
			);
			const rows = vectors.map((_, n) => [...ids.subarray(offsets[n], offsets[n + 1])]);
			expect(rows).toEqual(wanted(vectors));
			expect([...truncated].map(Boolean)).toEqual(vectors.map(row => row.truncated));
			expect(vectors).toHaveLength(195);
		},
	);

	const sharedCases = [
		['bert-base-uncased', 'vectors_squad_questions.jsonl', {}],
		['bert-base-cased', 'vectors.jsonl', {do_lower_case: false}],
		['bert-base-chinese', 'vectors_lowercase_true.jsonl', {}],
		['bert-base-chinese', 'vectors_lowercase_false.jsonl', {do_lower_case: false}],
	] as const;

	for (const [name, file, config] of sharedCases) {
		test.skipIf(isAbsent(data))(
			`the vocab.txt of ${name} gives ${file} (skipped without shared data)`,
			async () => {
				put('vocab.txt', readFileSync(join(data, name, 'vocab.txt')));
				put('tokenizer_config.json', JSON.stringify(config));
				const vectors = readJsonLines<Vector>(join(data, name, file));
				expect(idsOf(await open(folder), vectors)).toEqual(wanted(vectors));
			},
		);
	}

	for (const name of ['bert-base-uncased', 't5-small', 'llama2']) {
		test.skipIf(isAbsent(data))(
			`the tokenizer.json of ${name} gives its vectors (skipped without shared data)`,
			async () => {
				const vectors = readJsonLines<Vector>(join(data, name, 'vectors.jsonl'));
				expect(idsOf(await open(join(data, name)), vectors)).toEqual(wanted(vectors));
			},
		);
	}

	const byteLevelCases = [
		['gpt2', {}],
		[
			'roberta-base',
			{post_processor: {type: 'RobertaProcessing', cls: ['<s>', 0], sep: ['</s>', 2]}},
		],
	] as const;

	for (const [name, sections] of byteLevelCases) {
		test.skipIf(isAbsent(data))(
			`byte-level BPE of ${name} gives its vectors (skipped without shared data)`,
			() => {
				const merges = readFileSync(join(data, name, 'merges.txt'), 'utf8').split('\n');
				const vocab = JSON.parse(readFileSync(join(data, name, 'vocab.json'), 'utf8'));
				const encoder = encoderOf(
					{
						pre_tokenizer: {type: 'ByteLevel', add_prefix_space: false},
						model: {type: 'BPE', vocab, merges: merges.filter(line => /^(?!#version)./.test(line))},
						...sections,
					},
					path,
				);
				const vectors = readJsonLines<Vector>(join(data, name, 'vectors.jsonl'));
				expect(idsOf(encoder, vectors)).toEqual(wanted(vectors));
			},
		);
	}

	const families = join(shared, 'fixtures/families');
	const familyNames =
		'roberta xlm_roberta distilbert mpnet modernbert nomic_bert gte gte_multilingual jina_v2 t5 t5_v1_1 ' +
		'albert llama mistral qwen2 qwen3 gemma3';

	for (const name of familyNames.split(' ')) {
		test.skipIf(isAbsent(families))(
			`the ${name} family gives the ids of transformers (skipped without shared data)`,
			async () => {
				const vectors = readJsonLines<Vector>(join(families, name, 'golden/texts.jsonl'));
				expect(idsOf(await open(join(families, name)), vectors)).toEqual(wanted(vectors));
			},
		);
	}
});
