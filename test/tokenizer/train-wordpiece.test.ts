// The vocabulary trainer in scripts/.

import {execFile} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import {expect, test} from 'vitest';
import {Encoder} from '../../dist/tokenizer/encoder.js';
import {readTokenizerFiles} from '../../dist/tokenizer/files.js';
import {temporaryFolder} from '../files/folder.js';
import {idsOf} from './sources.js';

const {folder, put} = temporaryFolder();
const script = fileURLToPath(new URL('../../scripts/train-wordpiece.mjs', import.meta.url));
const run = (...args: string[]) => promisify(execFile)(process.execPath, [script, ...args]);

const text = put('a.txt', 'Lower lowest low.\nNewer newest new: lower!\n');
const rows = put('b.jsonl', `${JSON.stringify({_id: 'zzz', query: 'Slow', pos: ['low low']})}\n`);

test('the same files give the same vocabulary in any order', async () => {
	await run('--vocab-size', '150', '--output', join(folder, 'one'), text, rows);
	await run('--vocab-size', '150', '--output', join(folder, 'two'), rows, text);
	for (const name of ['tokenizer.json', 'vocab.txt', 'tokenizer_config.json']) {
		expect(readFileSync(join(folder, 'two', name))).toEqual(
			readFileSync(join(folder, 'one', name)),
		);
	}
});

test('the tokenizer opens, knows frequent words and leaves out ids', async () => {
	const output = join(folder, 'three');
	await run('--vocab-size', '150', '--output', output, text, rows);
	const encoder = new Encoder((await readTokenizerFiles(output)).source);
	const vocab = readFileSync(join(output, 'vocab.txt'), 'utf8').split('\n').slice(0, -1);
	const ids = idsOf(encoder, [{text: 'LOW [MASK]', ids: []}])[0];
	expect(vocab.slice(0, 5)).toEqual(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']);
	expect(ids?.map(id => vocab[id])).toEqual(['[CLS]', 'low', '[MASK]', '[SEP]']);
	expect(vocab).not.toContain('##zz');
	expect(vocab.length).toBeLessThanOrEqual(150);
});
