// The model inside the package: what it weighs, what it makes of texts, and that its card names what it was
// made of.

import {existsSync, readdirSync, readFileSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {expect, test} from 'vitest';
import {evaluate} from '../../dist/evaluate/evaluate.js';
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

const card = readFileSync(join(folder, 'README.md'), 'utf8');

/** Of a row of the card's figures: this model's, its teacher's. */
function figures(name: string): number[] {
	const [, ...found] =
		new RegExp(`\\| ${name} \\| [\\w@]+ \\| (0\\.\\d+) \\| (0\\.\\d+) \\|`).exec(card) ?? [];
	return found.map(Number);
}

test('its card says its data with their licences', () => {
	for (const name of ['SQuAD', 'MedQuAD', 'SNLI']) {
		expect(card).toMatch(new RegExp(`\\| ${name}.*\\| CC BY(-SA)? 4\\.0 \\|`));
	}
});

test.each([
	['squad/eval', 0.85],
	['scifact', 0.75],
	['cranfield', 0.75],
	['sts/dev.jsonl', 0.9],
	['sts/sick/dev.jsonl', 0.9],
])('by its card it reaches its share of its teacher on %s', (name, share) => {
	const [own, teachers] = figures(name);
	expect(own! / teachers!).toBeGreaterThan(share);
});

const pairs = join(process.env['INBATCH_SHARED'] ?? '../shared', 'data/sts/dev.jsonl');

test.skipIf(!existsSync(pairs))(
	'it reaches what its card says on STS-B dev (shared data)',
	async () => {
		const {results} = await evaluate(await load('builtin'), {sts: pairs});
		expect(results[0]?.metrics['spearman_cosine']).toBeCloseTo(figures('sts/dev.jsonl')[0]!, 3);
	},
);
