// Options as argparse and transformers' HfArgumentParser read them: --name value, --name=value, a bare
// --name for what is true, --no_name for what is not, several words for a list.

import {EngineError} from '../errors.js';
import {readConfigFile} from './config-file.js';
import {type OwnFlags, Reading} from './reading.js';
import type {Preset} from './table.js';

export async function readFlags(
	preset: Preset,
	words: readonly string[],
	ownFlags: OwnFlags,
): Promise<Reading> {
	const reading = new Reading(preset, ownFlags);
	for (let at = 0; at < words.length; ) at += takeWord(reading, words.slice(at));
	const {configFlag} = preset;
	const path = configFlag === undefined ? undefined : reading.given.get(configFlag)?.value;
	if (typeof path === 'string') await readConfigFile(reading, path);
	return reading;
}

/** Takes what the words begin with; says how many of them that were. */
function takeWord(reading: Reading, words: readonly string[]): number {
	const [word = ''] = words;
	const [, spelled, inline] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
	const name = spelled === undefined ? undefined : spelled.replaceAll('-', '_');
	const known = name === undefined ? undefined : reading.nameOf(name);
	if (name === undefined || known === undefined) {
		const positive = name?.startsWith('no_') ? reading.nameOf(name.slice(3)) : undefined;
		if (positive !== undefined && reading.preset.options[positive]?.kind === 'boolean') {
			reading.give(positive, {value: false, place: `--${name}`});
			return 1;
		}
		const taken = reading.takeOwn(words, isFlag);
		if (taken === 0) throw reading.unknown(word, '--');
		return taken;
	}
	const place = `--${name}`;
	const values = inline === undefined ? valuesOf(reading, known, words.slice(1)) : [inline];
	const {kind} = reading.preset.options[known]!;
	if (values.length === 0 && kind !== 'boolean') {
		throw new EngineError('OPTION_MISSING', `${place}: expected a value, got none`);
	}
	const value = kind === 'list' ? values : (values[0] ?? true);
	reading.give(known, {value, place});
	return inline === undefined ? 1 + values.length : 1;
}

/** The words that are values of an option. */
function valuesOf(reading: Reading, name: string, words: readonly string[]): readonly string[] {
	const end = words.findIndex(isFlag);
	const run = end < 0 ? words : words.slice(0, end);
	return reading.preset.options[name]?.kind === 'list' ? run : run.slice(0, 1);
}

function isFlag(word: string): boolean {
	return /^--[a-zA-Z]/.test(word);
}
