// A vocab.txt with its settings: the first line of an input is the JSON of tokenizer_config.json.

import {isRecord} from '../../../dist/tokenizer/json.js';
import {run as runTokenizer} from './tokenizer.mjs';

export function run(input) {
	const end = input.indexOf(10);
	runTokenizer(input.subarray(end + 1), {
		kind: 'vocab',
		settings: settingsOf(input.toString('utf8', 0, Math.max(end, 0))),
	});
}

function settingsOf(text) {
	try {
		const settings = JSON.parse(text);
		return isRecord(settings) ? settings : {};
	} catch {
		return {};
	}
}

export const json = {
	text: bytes => bytes.toString('utf8', 0, Math.max(bytes.indexOf(10), 0)),
	bytes: (text, bytes) =>
		Buffer.concat([Buffer.from(text), bytes.subarray(Math.max(bytes.indexOf(10), 0))]),
};

export const words = [
	'\n',
	'\r\n',
	'[UNK]\n',
	'[CLS]\n',
	'[SEP]\n',
	'##',
	'MPNetTokenizer',
	'added_tokens_decoder',
];

export const seeds = [
	'{}\n[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\nhi\n',
	'{"do_lower_case":false,"unk_token":{"content":"<u>"},"cls_token":"<s>","sep_token":"</s>"}\n<u>\n<s>\n</s>\na\n',
	'{"tokenizer_class":"BertTokenizerFast","added_tokens":{"x":9},"added_tokens_decoder":{"7":{"content":"y","lstrip":true}}}\r\n[UNK]\r\n[CLS]\r\n[SEP]',
];
