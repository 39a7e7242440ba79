// What a model and its tokenizer, or the lines of a file, say against each other.

import {mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {bert, inbatch} from '../cli/command-line.js';
import {load, modelFolder} from '../model/folders.js';

const folder = mkdtempSync(join(tmpdir(), 'inbatch-identities-'));
const at = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, {recursive: true, force: true}));

const tokenizer = JSON.parse(readFileSync(join(bert, 'tokenizer.json'), 'utf8'));
const rows = JSON.parse(readFileSync(join(bert, 'config.json'), 'utf8')).vocab_size as number;

describe('A tokenizer with an id beyond the embedding is refused with its model', () => {
	const vocabulary = tokenizer.model.vocab as Record<string, number>;
	test.each([
		['of the vocabulary', {model: {...tokenizer.model, vocab: {...vocabulary, zebra: rows}}}],
		[
			'of an added token',
			{added_tokens: [...tokenizer.added_tokens, {id: rows, content: 'zebra', special: false}]},
		],
	])('%s', async (name, changes) => {
		const path = modelFolder(at(name), {'tokenizer.json': {...tokenizer, ...changes}});
		await expect(load(path, {pooling: 'mean'})).rejects.toMatchObject({
			code: 'TOKENIZER_INVALID',
			message:
				`${join(path, 'tokenizer.json')}: expected ids below ${rows}, the rows of the embedding, ` +
				`got the token "zebra" with the id ${rows}; the tokenizer is of another model`,
		});
	});

	test('of a special token around each text', async () => {
		const processor = {type: 'BertProcessing', cls: ['[CLS]', 101_000], sep: ['[SEP]', 3]};
		const changes = {...tokenizer, post_processor: processor};
		const path = modelFolder(at('special'), {'tokenizer.json': changes});
		await expect(load(path, {pooling: 'mean'})).rejects.toMatchObject({
			code: 'TOKENIZER_INVALID',
			message: expect.stringContaining('got the token "post_processor" with the id 101000'),
		});
	});
});

describe('encode refuses an id that two rows have, naming both and leaving nothing,', () => {
	test.each([
		['in lines', '{"id":"a","text":"x"}\n\n{"id":"a","text":"y"}\n', ':3: ', 'line 1'],
		[
			'in an array',
			'[{"_id":7,"text":"x"},\n{"_id":8,"text":"y"},\n{"_id":"7","text":"z"}]',
			':3: element 3: ',
			'element 1',
		],
		['that a line without one has', '{"text":"x"}\n{"id":0,"text":"y"}\n', ':2: ', 'line 1'],
	])('%s', async (name, content, place, other) => {
		const input = at(`${name}.jsonl`);
		writeFileSync(input, content);
		const output = at(`${name}.npy`);
		const args = ['--model', bert, '--pooling', 'mean', '--input', input, '--output', output];
		const {code, stdout, stderr} = await inbatch(['encode', ...args]);
		expect([code, stdout]).toEqual([1, '']);
		expect(stderr).toContain(`error DATA_ROW: ${input}${place}expected an id of its own, got "`);
		expect(stderr.trimEnd()).toMatch(new RegExp(`, which ${other} has too$`));
		expect(readdirSync(folder).filter(file => /npy|ids|lock|tmp/.test(file))).toEqual([]);
	});
});
