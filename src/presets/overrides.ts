// Options as Hydra reads them: a.b.c=value, +a.b=value, ++a.b=value, ~a.b, and the YAML configuration that
// --config-path and --config-name say.

import {stat} from 'node:fs/promises';
import {join} from 'node:path';
import {parse} from 'yaml';
import {EngineError} from '../errors.js';
import {readConfigFile, valueOfYaml} from './config-file.js';
import {type OwnFlags, Reading} from './reading.js';
import type {Preset} from './table.js';
import type {Value} from './values.js';

const configFlags: Readonly<Record<string, 'path' | 'name'>> = {
	'--config-path': 'path',
	'-cp': 'path',
	'--config-dir': 'path',
	'-cd': 'path',
	'--config-name': 'name',
	'-cn': 'name',
};

const override = /^(\+\+|\+)?([A-Za-z_][\w.\-/@]*)=(.*)$/s;
const deletion = /^~([A-Za-z_][\w.]*)(?:=.*)?$/s;

export async function readOverrides(
	preset: Preset,
	words: readonly string[],
	ownFlags: OwnFlags,
): Promise<Reading> {
	const reading = new Reading(preset, ownFlags);
	const config: {path?: string; name?: string} = {};
	for (let at = 0; at < words.length; ) {
		at += takeConfig(config, words.slice(at)) || takeWord(reading, words.slice(at));
	}
	const file = await configPath(preset, config, reading.says);
	if (file !== undefined) await readConfigFile(reading, file);
	return reading;
}

function takeConfig(config: {path?: string; name?: string}, words: readonly string[]): number {
	const [word = '', next] = words;
	const [flag = '', ...inline] = word.split('=');
	const part = configFlags[flag];
	if (part === undefined) return 0;
	const value = inline.length > 0 ? inline.join('=') : next;
	if (value === undefined) {
		throw new EngineError('OPTION_MISSING', `${flag}: expected a value, got none`);
	}
	config[part] = value;
	return inline.length > 0 ? 1 : 2;
}

/** Takes what the words begin with; says how many of them that were. */
function takeWord(reading: Reading, words: readonly string[]): number {
	const [word = ''] = words;
	if (word.trim() === '') return 1; // what a backslash before a comment leaves
	const [, deleted] = deletion.exec(word) ?? [];
	if (deleted !== undefined) {
		const names = reading.namesBelow(deleted);
		if (names.length === 0) throw reading.unknown(deleted);
		for (const name of names) reading.give(name, {value: null, place: word});
		return 1;
	}
	const [, sign = '', spelled, text = ''] = override.exec(word) ?? [];
	if (spelled === undefined) {
		const taken = reading.takeOwn(words, isNext);
		if (taken === 0) throw reading.unknown(word);
		return taken;
	}
	giveOverride(reading, {sign, spelled, text});
	return 1;
}

type Override = {sign: string; spelled: string; text: string};

function giveOverride(reading: Reading, {sign, spelled, text}: Override): void {
	const name = reading.nameOf(spelled);
	if (name !== undefined) {
		reading.give(name, {value: valueWritten(text, spelled), place: spelled});
	} else if (sign !== '' || spelled.startsWith('hydra.')) {
		reading.says.push(`${spelled}: nothing reads it, there or here`);
	} else {
		throw reading.unknown(spelled);
	}
}

function isNext(word: string): boolean {
	return word.startsWith('-') || override.test(word) || deletion.test(word);
}

/** A value by Hydra's grammar: quoted, a list, null, true, a number, else a text as it stands. */
function valueWritten(written: string, place: string): Value {
	const text = written.replace(/^\\(?=[[{])/, ''); // a bracket kept from the shell
	if (!/^\s*[["'{]/.test(text)) return scalarOf(text.trim());
	try {
		return valueOfYaml(parse(text), place);
	} catch (cause) {
		if (cause instanceof EngineError) throw cause;
		const message = `${place}: expected a value as Hydra reads it, got ${JSON.stringify(text)}`;
		throw new EngineError('OPTION_TYPE', message, {cause});
	}
}

function scalarOf(text: string): Value {
	if (text === '' || /^null$/i.test(text)) return null;
	if (/^(true|false)$/i.test(text)) return text.toLowerCase() === 'true';
	return text !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
}

/** The file of the configuration, if it is there; that of the system has the defaults of the preset. */
async function configPath(
	{configName, name: preset}: Preset,
	{path, name}: {path?: string; name?: string},
	says: string[],
): Promise<string | undefined> {
	if (path === undefined && name === undefined) return undefined;
	const base = name ?? configName ?? '';
	const fileName = /\.ya?ml$/.test(base) ? base : `${base}.yaml`;
	const file = join(path ?? '.', fileName);
	if ((await stat(file).catch(() => undefined))?.isFile()) return file;
	if (fileName === `${configName}.yaml`) {
		says.push(`${file}: not there, so the documented defaults of ${configName} hold`);
		return undefined;
	}
	const expected = `expected a configuration file, or ${configName} for the defaults of ${preset}`;
	throw new EngineError('FILE_NOT_FOUND', `${file}: ${expected}, got none; see --config-path`);
}
