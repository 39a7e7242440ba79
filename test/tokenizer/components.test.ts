// Normalisers and pre-tokenizers do what those of the Rust library do.

import {join} from 'node:path';
import {expect, test} from 'vitest';
import {readNormalizer} from '../../dist/tokenizer/normalizers.js';
import {readPreTokenizer} from '../../dist/tokenizer/pre-tokenizers.js';
import {fixtures, readJsonLines} from './sources.js';

interface Row {
	readonly normalizer?: object;
	readonly pre_tokenizer?: object;
	readonly text: string;
	readonly result: string | readonly string[];
}

const rows = readJsonLines<Row>(join(fixtures, 'components.jsonl'));
const sections = (key: 'normalizer' | 'pre_tokenizer') => [
	...new Set(rows.filter(row => row[key]).map(row => JSON.stringify(row[key]))),
];

for (const section of sections('normalizer')) {
	test(`the normaliser ${section} changes texts as the Rust library does`, () => {
		const normalize = readNormalizer(JSON.parse(section), 'normalizer');
		const mine = rows.filter(row => JSON.stringify(row.normalizer) === section);
		expect(mine.map(row => normalize(row.text))).toEqual(mine.map(row => row.result));
	});
}

for (const section of sections('pre_tokenizer')) {
	test(`the pre-tokenizer ${section} splits texts as the Rust library does`, () => {
		const split = readPreTokenizer(JSON.parse(section), 'pre_tokenizer');
		const mine = rows.filter(row => JSON.stringify(row.pre_tokenizer) === section);
		expect(mine.map(row => split([row.text], true))).toEqual(mine.map(row => row.result));
	});
}

test('a section of an unknown kind is refused with the known kinds', () => {
	expect(() => readNormalizer({type: 'Nmt'}, 'normalizer')).toThrow(/expected BertNormalizer, NFC/);
	expect(() => readPreTokenizer({type: 'UnicodeScripts'}, 'p')).toThrow(
		expect.objectContaining({code: 'TOKENIZER_KIND'}),
	);
});
