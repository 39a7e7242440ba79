// A config.json that lies about sizes, or is nested without end, is refused by its file before anything is
// made of it.

import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {bert, load, modelFolder} from '../model/folders.js';

const folder = mkdtempSync(join(tmpdir(), 'inbatch-configs-'));
afterAll(() => rmSync(folder, {recursive: true, force: true}));

const config = JSON.parse(readFileSync(join(bert, 'config.json'), 'utf8'));
const most = 2 ** 31 - 1;

const lies = [
	['half the width', {hidden_size: 32}, 'MODEL_TENSOR', /of shape \[.*32\], got \[.*64\]/],
	['twice the width', {hidden_size: 128}, 'MODEL_TENSOR', /of shape \[.*128\], got \[.*64\]/],
	['another MLP', {intermediate_size: 63}, 'MODEL_TENSOR', /of shape \[63/],
	['more rows than the embedding', {vocab_size: 10_000}, 'MODEL_TENSOR', /of shape \[10000/],
	['a vocabulary of one', {vocab_size: 1}, 'MODEL_TENSOR', /of shape \[1,/],
	['a block too many', {num_hidden_layers: 9}, 'MODEL_TENSOR', /expected tensor ".*layer/],
	['the largest width', {hidden_size: most - 1, num_attention_heads: 2}, '', /./],
	['the largest MLP', {intermediate_size: most}, '', /./],
	['the largest vocabulary', {vocab_size: most}, '', /./],
	['the most positions', {max_position_embeddings: most}, '', /./],
	[
		'the largest of everything',
		{
			...{hidden_size: most - 1, num_attention_heads: 2, vocab_size: most},
			...{intermediate_size: most, max_position_embeddings: most, num_hidden_layers: 4096},
		},
		'',
		/./,
	],
	['a size beyond 2^31', {vocab_size: 2 ** 40}, 'MODEL_CONFIG', /"vocab_size".*got 1099511627776/],
	['a size of 1e300', {hidden_size: 1e300}, 'MODEL_CONFIG', /"hidden_size".*got 1e\+300/],
] as const;

describe('A config.json that names', () => {
	test.each(lies)('%s is refused', async (name, changes, code, message) => {
		const path = modelFolder(join(folder, name), {'config.json': {...config, ...changes}});
		const codes = code === '' ? /^(MODEL_TENSOR|MODEL_CONFIG|OUT_OF_MEMORY)$/ : code;
		await expect(load(path, {pooling: 'mean'})).rejects.toMatchObject({
			name: 'EngineError',
			code: expect.stringMatching(codes),
			message: expect.stringMatching(message),
		});
	});
});

describe('A config.json', () => {
	test.each([
		['that is not UTF-8', Buffer.from('{"a":"\xe9"}', 'latin1'), /byte 0xe9 at position 6 /],
		['nested without end', `{"hidden_size":${'['.repeat(1e6)}${']'.repeat(1e6)}}`, /100 levels/],
		['cut in the middle', JSON.stringify(config).slice(0, 99), /expected JSON, got other text/],
	])('%s is refused', async (name, content, message) => {
		const path = modelFolder(join(folder, name), {'config.json': content});
		await expect(load(path, {pooling: 'mean'})).rejects.toMatchObject({
			code: 'MODEL_CONFIG',
			message: expect.stringMatching(message),
		});
	});
});
