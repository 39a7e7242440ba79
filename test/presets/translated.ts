// Translates the words of a documented command as `train --preset` does, for the tests of presets.

import {loadPreset} from '../../dist/presets/index.js';
import type {OurName, OurValue} from '../../dist/presets/table.js';
import {translate} from '../../dist/presets/translate.js';
import type {Translation} from '../../dist/presets/translation.js';

const own = new Map([
	['--threads', {takesValue: true, isVariadic: false}],
	['--eval', {takesValue: true, isVariadic: true}],
	['--json', {takesValue: false, isVariadic: false}],
]);

export type Translated = {
	ours: Partial<Record<OurName, OurValue>>;
	own: readonly string[];
	says: string;
};

export function translation(name: string, words: readonly string[]): Promise<Translation> {
	return loadPreset(name).then(preset => translate(preset, words, own));
}

/** The options of ours by name, and all that is said. */
export async function translated(name: string, words: readonly string[]): Promise<Translated> {
	const {options, own: mine, says} = await translation(name, words);
	const ours = Object.fromEntries([...options].map(([key, {value}]) => [key, value]));
	return {ours, own: mine, says: says.join('\n')};
}
