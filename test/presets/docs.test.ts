// The pages about other systems, and the one about all of them, name every option that is taken.

import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {presetNames} from '../../dist/presets/index.js';
import {optionsOf} from './translated.js';

const docs = join(import.meta.dirname, '..', '..', 'docs');
const pages = readdirSync(join(docs, 'from')).map(name => name.replace(/\.md$/, ''));
const textOf = (...names: string[]) => readFileSync(join(docs, ...names), 'utf8');

describe.each(pages)('docs/from/%s.md', name => {
	test('is about a preset', () => {
		expect(presetNames).toContain(name);
	});

	test('names each option that has an effect', async () => {
		const text = textOf('from', `${name}.md`) + textOf('presets.md');
		const {live} = await optionsOf(name);
		const lastOf = (key: string) => key.split('.').at(-1)!;
		expect(live.filter(key => !text.includes(key) && !text.includes(lastOf(key)))).toEqual([]);
	});
});

test('docs/presets.md names every preset', () => {
	expect(presetNames.filter(name => !textOf('presets.md').includes(`\`${name}\``))).toEqual([]);
});
