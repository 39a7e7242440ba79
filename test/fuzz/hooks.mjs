// Module hooks that put counters into what is fuzzed: the built package and the tokenizer library.

import {withCounters} from './counters.mjs';

const fuzzed = [
	/\/dist\/(files|tokenizer|model|data|utf8|nesting)\b/,
	/\/@huggingface\/tokenizers\//,
	/\/test\/fuzz\/planted\//,
];
let first = 0;

export async function load(url, context, nextLoad) {
	const loaded = await nextLoad(url, context);
	if (loaded.format !== 'module' || !fuzzed.some(pattern => pattern.test(url))) return loaded;
	const {code, count, words} = withCounters(String(Buffer.from(loaded.source)), first);
	first += count;
	const words64 = JSON.stringify(words);
	return {...loaded, source: `${code};globalThis.fuzzLoaded(${count}, ${words64});`};
}
