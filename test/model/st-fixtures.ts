// The folders of test/fixtures/st-folders, whole: each with the files that all of them share beside it.

import {copyFileSync, cpSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {bert} from './folders.js';

/** `place`: where the first module lies; `isStatic`: its table lies in the fixture. */
export type Case = {place: string; prompt: string | null; isStatic: boolean};

export const fixtures = fileURLToPath(new URL('../fixtures/st-folders', import.meta.url));

export const {texts, cases} = JSON.parse(readFileSync(join(fixtures, 'cases.json'), 'utf8')) as {
	texts: string[];
	cases: Readonly<Record<string, Case>>;
};

const shared = ['tokenizer.json', 'vocab.txt', 'special_tokens_map.json', 'model.safetensors'];

/** Makes the folder of a case at `path`. */
export function stFolder(name: string, path: string): string {
	cpSync(join(fixtures, name), path, {recursive: true});
	const {place, isStatic} = cases[name]!;
	for (const file of isStatic ? shared.slice(0, 1) : shared) {
		copyFileSync(join(bert, file), join(path, place, file));
	}
	return path;
}

/** The prompt that its embeddings were made with. */
export function promptOf(name: string): {promptText?: string} {
	const {prompt} = cases[name]!;
	return prompt === null ? {} : {promptText: prompt};
}
