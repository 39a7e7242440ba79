// config.json keeps its floats: transformers 5 opens no ModernBERT whose "initializer_cutoff_factor" is 2 for 2.0.

import {copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {spelledAs} from '../../dist/model/spelled-json.js';
import {temporaryFolder} from '../files/folder.js';
import {fixtures} from './families.js';
import {load} from './folders.js';

const {folder} = temporaryFolder();

test('numbers keep their spelling where they are the same', () => {
	const text =
		'{"a": 2.0, "b": [1e-05, -3, {"c": 0.0}], "d": "1.0 \\" 2.0", "e": 4.0, "f": "x", "2.0": 1E2}';
	const value = {...(JSON.parse(text) as object), e: 5, f: 0, g: 1};
	const spelled = spelledAs(text, value);
	expect(JSON.parse(spelled)).toEqual(value);
	expect(spelled.replace(/\s+/g, ' ')).toBe(
		'{ "a": 2.0, "b": [ 1e-05, -3, { "c": 0.0 } ], "d": "1.0 \\" 2.0", "e": 5, "f": 0, ' +
			'"2.0": 1E2, "g": 1 }',
	);
});

test('a saved ModernBERT has the floats of its configuration', async () => {
	const [from, to] = [join(fixtures, 'modernbert'), join(folder, 'saved')];
	const source = join(folder, 'source');
	mkdirSync(source);
	for (const name of readdirSync(from).filter(name => name !== 'golden')) {
		copyFileSync(join(from, name), join(source, name));
	}
	const config = readFileSync(join(from, 'config.json'), 'utf8');
	const text = config.replace('{', '{\n  "initializer_cutoff_factor": 2.0,');
	writeFileSync(join(source, 'config.json'), `\uFEFF${text}`);
	const model = await load(source, {pooling: 'mean'});
	await model.save(to);
	const numbers = (json: string) => json.match(/-?\d[\d.e+-]*/g);
	expect(numbers(readFileSync(join(to, 'config.json'), 'utf8'))).toEqual(numbers(text));
});
