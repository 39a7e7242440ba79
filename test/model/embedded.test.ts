// The model inside the package: what it weighs, what it makes of texts, and that its card names what it was
// made of.

import {readdirSync, readFileSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {expect, test} from 'vitest';
import {readSafetensorsHeader} from '../../dist/files/safetensors.js';
import {worstError} from '../support/tolerance.js';
import {embeddedLimit, encoded, goldenTexts} from './embedded.js';
import {load} from './folders.js';

const folder = fileURLToPath(new URL('../../models/builtin', import.meta.url));

test('it takes at most 8 MB, its weights in half precision', async () => {
	const files = readdirSync(folder, {recursive: true}).map(name => join(folder, String(name)));
	const sizes = files.map(name => statSync(name)).filter(found => found.isFile());
	expect(sizes.reduce((sum, found) => sum + found.size, 0)).toBeLessThan(8e6);
	const {tensors} = await readSafetensorsHeader(join(folder, 'model.safetensors'));
	expect(new Set([...tensors.values()].map(entry => entry.dtype))).toEqual(new Set(['F16']));
});

test('it gives the vectors of sentence-transformers', async () => {
	const {texts, vectors} = await goldenTexts();
	const found = await encoded(await load('builtin'), texts);
	expect(worstError(found, vectors).error).toBeLessThan(embeddedLimit);
});

test('its card says its data with their licences, and its figures beside its teacher', () => {
	const card = readFileSync(join(folder, 'README.md'), 'utf8');
	for (const name of ['SQuAD', 'MedQuAD', 'SNLI']) {
		expect(card).toMatch(new RegExp(`\\| ${name}.*\\| CC BY(-SA)? 4\\.0 \\|`));
	}

	for (const name of [
		'squad/eval',
		'scifact',
		'cranfield',
		'sts/dev.jsonl',
		'sts/sick/dev.jsonl',
	]) {
		expect(card).toMatch(new RegExp(`\\| ${name} \\| \\w+(@10)? \\| 0\\.\\d+ \\| 0\\.\\d+ \\|`));
	}
});
