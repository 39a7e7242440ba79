import {expect, test} from 'vitest';
import {sniff} from '../../dist/files/sniff.js';
import {temporaryFolder} from './folder.js';

const {put} = temporaryFolder();
const long = 'x'.repeat(100_000);

test.each([
	['json-lines', '{"a": 1}\n{"a": 2}\n'],
	['json-lines', '\uFEFF\n  {"a": 1}'],
	['json-lines', '{"text":\n'],
	['json-lines', '{}\n'],
	['json-lines', `{"a": "${long}"}\n`],
	['json-lines', '["q", "p"]\n["q", "p"]\n'],
	['json-lines', '["q", "p"]'],
	['json-lines', `["${long}", "p"]\n`],
	['json-lines', '[["q"], "p"]\n["q", "p"]\n'],
	['json-array', '[{"a": 1}, {"a": 2}]'],
	['json-array', '[\n  {\n    "a": 1\n  }\n]'],
	['json-array', '[["q", "p"],\n["q", "p"]]'],
	['json-array', `[{"a": "${long}"}]`],
	['json-array', '[]'],
	['delimited', 'sentence1\tsentence2\tscore\na\tb\t1\n'],
	['delimited', 'sentence1,sentence2,score\r\n"a, b",c,1\r\n'],
	['delimited', '"a","b"\n"two\nlines","x"\n'],
	['delimited', `a,b\n"${long}",x\n`],
	['text', 'one\ntwo\n'],
	['text', 'Hello, world\nGood, bye\n'],
	['text', 'yes, we can\n'],
	['text', '[CLS] a text\n'],
	['text', '[1] a footnote\n'],
	['text', '["quoted" text\n'],
	['text', '{not json}\n'],
	['text', '"A quotation, open\n'],
	['text', ''],
])('%s is recognised by its begin %#', async (kind, text) => {
	expect(await sniff(put('wrong-name.csv', text))).toBe(kind);
});
