// Plain text as data: a text on each line, for losses of texts alone, and never what may be broken records.

import {mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {expect, onTestFinished, test} from 'vitest';
import {openDataset} from '../../dist/data/dataset.js';
import {temporaryFolder} from '../files/folder.js';

const {folder, put} = temporaryFolder();
const sentences = 'The first, and so on.\r\n\n  the second \nlast';
const text = put('sentences.txt', sentences);

test('A text stands on each line, where rows are texts', async () => {
	const dataset = await openDataset([text], {kind: 'text'});
	onTestFinished(() => dataset.close());
	const records = await dataset.records([0, 1, 2]);
	const texts = ['The first, and so on.', '  the second ', 'last'];
	expect(records.map(({query}) => query)).toEqual(texts);
	expect(await dataset.locate([1])).toEqual([`${text}:3`]);
});

test.each([
	['pairs', text, {}, 'expected JSON lines'],
	['broken JSON', put('broken.json', "{'text': 1}\n"), {kind: 'text'}, 'text that begins'],
	['nothing', put('blank.txt', ' \n'), {kind: 'text'}, 'expected rows, got an empty file'],
] as const)('Plain text is not taken for %s', async (_, path, options, message) => {
	await expect(openDataset([path], options)).rejects.toThrow(message);
});

test('Plain text beside data in a folder is left out', async () => {
	mkdirSync(join(folder, 'folder'));
	put('folder/texts.jsonl', '{"text": "a"}\n');
	put('folder/README', 'some words\n');
	const dataset = await openDataset([join(folder, 'folder')], {kind: 'text'});
	onTestFinished(() => dataset.close());
	expect([dataset.length, dataset.warnings.length]).toEqual([1, 1]);
});
