// A pipe where a model folder should have a file: opening one would wait for ever.

import {execFileSync} from 'node:child_process';
import {cpSync, existsSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {EmbeddingModel} from '../../dist/index.js';

const bert = new URL('../fixtures/families/bert', import.meta.url).pathname;

let folder = '';
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), 'inbatch-pipes-'));
	cpSync(bert, folder, {recursive: true});
});
afterEach(() => rmSync(folder, {recursive: true}));

test
	.skipIf(!existsSync('/usr/bin/mkfifo'))
	.each([
		'config.json',
		'modules.json',
		'config_sentence_transformers.json',
		'sentence_bert_config.json',
		'tokenizer.json',
		'tokenizer_config.json',
		'model.safetensors',
	])('a pipe named %s is refused at once (skipped without mkfifo)', async name => {
	rmSync(join(folder, name), {force: true});
	execFileSync('mkfifo', [join(folder, name)]);
	await expect(EmbeddingModel.load(folder, {pooling: 'mean'})).rejects.toMatchObject({
		code: 'FILE_UNREADABLE',
		message: `${join(folder, name)}: expected a file, got a pipe or device`,
	});
});
