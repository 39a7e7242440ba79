// Where options come from: defaults, then a configuration file, then the environment, then the command
// line; each overrides the one before as a whole. Every value remembers where it came from.

import {readFile} from 'node:fs/promises';
import {EngineError, kindOf} from '../errors.js';
import {readFailure} from '../files/failures.js';
import {kebabCase, unknownOption} from '../option-names.js';
import {type FlagFacts, isList, parseValue} from './flags.js';

/** An option as it was given in one place; without a source, by its flag. */
export type Given = {key: string; value: unknown; source?: Pick<Setting, 'origin' | 'place'>};

export type Setting = {
	value: unknown;
	/** For people: `default`, `config train.yaml`, `environment INBATCH_K`, `command line`. */
	origin: string;
	/** How messages call it: `train.yaml: batch-size`, `INBATCH_K`, `--k`. */
	place: string;
};

export type Settings = Map<string, Setting>;

type Facts = Readonly<Record<string, FlagFacts>>;

/** Variables that are no options. */
const reserved = [
	...['INBATCH_DEBUG', 'INBATCH_NATIVE', 'INBATCH_SHARED', 'INBATCH_KERNELS'],
	'INBATCH_DATA_CACHE',
];

/**
All that was given, by option. `isVariable` says whether a variable that is no option of this command
is one of another; those are left alone.
*/
export async function gatherSettings(
	facts: Facts,
	given: readonly Given[],
	isVariable: (name: string) => Promise<boolean>,
): Promise<Settings> {
	const settings: Settings = new Map();
	const line = fromCommandLine(facts, given);
	const environment = await fromEnvironment(facts, isVariable);
	const config = (line.get('config') ?? environment.get('config'))?.value;
	if (typeof config === 'string') merge(settings, await fromFile(facts, config));
	merge(settings, environment);
	merge(settings, line);
	return settings;
}

/** The variable of an option. */
export function variableOf(key: string): string {
	return `INBATCH_${kebabCase(key).replaceAll('-', '_').toUpperCase()}`;
}

function merge(settings: Settings, more: Settings): void {
	for (const [key, setting] of more) settings.set(key, setting);
}

function fromCommandLine(facts: Facts, given: readonly Given[]): Settings {
	const settings: Settings = new Map();
	for (const {key, value, source} of given) {
		const before = settings.get(key)?.value;
		const isMore = Array.isArray(before) && isList(facts[key] ?? {});
		settings.set(key, {
			value: isMore ? [...before, ...[value].flat()] : value,
			...(source ?? {origin: 'command line', place: `--${kebabCase(key)}`}),
		});
	}
	return settings;
}

async function fromEnvironment(
	facts: Facts,
	isVariable: (name: string) => Promise<boolean>,
): Promise<Settings> {
	const settings: Settings = new Map();
	const keys = new Map(Object.keys(facts).map(key => [variableOf(key), key]));
	for (const [name, text] of Object.entries(process.env)) {
		if (!name.startsWith('INBATCH_') || text === undefined || text === '') continue;
		const key = keys.get(name);
		if (key !== undefined) {
			const value = parseValue(text, facts[key]!);
			settings.set(key, {value, origin: `environment ${name}`, place: name});
		} else if (!reserved.includes(name) && !(await isVariable(name))) {
			throw unknownOption('environment', name, [...keys.keys(), ...reserved]);
		}
	}
	return settings;
}

async function fromFile(facts: Facts, path: string): Promise<Settings> {
	const settings: Settings = new Map();
	const names = fileNames(facts);
	for (const [name, value] of Object.entries(await readConfig(path))) {
		const found = names.get(name);
		const place = `${path}: ${name}`;
		if (!found) throw unknownOption(path, name, [...names.keys()]);
		if (value === null) continue;
		settings.set(found.key, {
			value: fileValue(value, {facts: facts[found.key]!, isOff: found.isOff, place}),
			origin: `config ${path}`,
			place,
		});
	}
	return settings;
}

/** The keys of a file: the long names of the options, those that begin with `no-` too. */
function fileNames(facts: Facts): Map<string, {key: string; isOff: boolean}> {
	const names = new Map<string, {key: string; isOff: boolean}>();
	for (const [key, {type, off}] of Object.entries(facts)) {
		if (key === 'config' || key === 'printConfig') continue;
		names.set(kebabCase(key), {key, isOff: false});
		if (type === 'boolean') names.set(off ?? `no-${kebabCase(key)}`, {key, isOff: true});
	}
	return names;
}

type FileValue = {facts: FlagFacts; isOff: boolean; place: string};

function fileValue(value: unknown, {facts, isOff, place}: FileValue): unknown {
	if (isOff) {
		if (typeof value === 'boolean') return !value;
		const message = `${place}: expected true or false, got ${kindOf(value)}`;
		throw new EngineError('OPTION_TYPE', message);
	}
	// A value where a list is meant is a list of one.
	const isAlone = facts.type === 'array' && !Array.isArray(value) && typeof value !== 'object';
	return isAlone ? [value] : value;
}

async function readConfig(path: string): Promise<object> {
	const text = await readFile(path, 'utf8').catch((error: unknown) => {
		throw readFailure(path, error);
	});
	const {parse} = await import('yaml'); // JSON is YAML
	let value: unknown;
	try {
		value = parse(text);
	} catch (cause) {
		const reason = cause instanceof Error ? cause.message.split('\n')[0] : '';
		const message = `${path}: expected options in JSON or YAML, got other text (${reason})`;
		throw new EngineError('FILE_FORMAT', message, {cause});
	}
	if (value === null || value === undefined) return {};
	if (typeof value === 'object' && !Array.isArray(value)) return value;
	const message = `${path}: expected options by name, got ${kindOf(value)}`;
	throw new EngineError('FILE_FORMAT', message);
}
