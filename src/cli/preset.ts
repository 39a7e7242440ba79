// `train --preset NAME`: the documented command of another system becomes one of ours, which is shown and
// then read as if it had been typed.

import {EngineError} from '../errors.js';
import {kebabCase} from '../option-names.js';
import type {OwnFlag} from '../presets/reading.js';
import type {OurName} from '../presets/table.js';
import type {Translated, Translation} from '../presets/translation.js';
import {type FlagFacts, flagsOf} from './flags.js';
import type {Setting, Settings} from './settings.js';
import {openTerminal} from './terminal.js';

type Facts = Readonly<Record<string, FlagFacts>>;

/** What is shown of a preset before the run. */
export type Announcement = {
	name: string;
	/** The translated command, as a shell reads it. */
	command: string;
	says: readonly string[];
	options: ReadonlyMap<OurName, Translated>;
	/** How messages call an option that is given nowhere. */
	placeOf: (key: string) => string | undefined;
};

/** Words that stand for a command of another system, with where each option comes from. */
type Asked = Announcement & {
	words: readonly string[];
	sourceOf: (key: string) => {source?: Pick<Setting, 'origin' | 'place'>};
};

/** The place of --preset in the words of `train` or `plan`; -1 without. */
export function presetAt([command, ...words]: readonly string[]): number {
	const at = words.findIndex(word => /^--preset(=|$)/.test(word));
	return (command === 'train' || command === 'plan') && at >= 0 ? at + 1 : -1;
}

/**
Translates what follows --preset NAME; our own options may stand before and among it. A text is what
--help shows.
*/
export async function translated(argv: readonly string[], facts: Facts): Promise<Asked | string> {
	const at = presetAt(argv);
	const [flag = '', ...inline] = argv[at]!.split('=');
	const name = inline.length > 0 ? inline.join('=') : argv[at + 1];
	if (name === undefined)
		throw new EngineError('OPTION_MISSING', `${flag}: expected a name, got none`);
	const rest = argv.slice(at + (inline.length > 0 ? 1 : 2));
	const {loadPreset} = await import('../presets/index.js');
	const preset = await loadPreset(name);
	if (rest.some(word => word === '--help' || word === '-h')) {
		const {helpOf} = await import('../presets/help.js');
		return helpOf(preset);
	}
	const {translate, withOwn} = await import('../presets/translate.js');
	const flags = ownFlags(facts);
	const {options, own, says}: Translation = await translate(preset, rest, flags, argv.slice(1, at));
	const ownWords = [...argv.slice(1, at), ...own];
	withOwn(options, keysIn(ownWords, flags));
	const words = [argv[0]!, ...wordsOf(options, facts), ...ownWords];
	const command = ['inbatch', ...words].map(quoted).join(' ');
	const sourceOf = (key: string) => {
		const found = options.get(key as OurName);
		return found ? {source: sourceIn(name, key, found)} : {};
	};
	const names: Readonly<Record<string, string>> = preset.names;
	const placeOf = (key: string) =>
		Object.hasOwn(names, key) ? `${names[key]} (--${kebabCase(key)})` : undefined;
	return {name, command, says, options, placeOf, words, sourceOf};
}

/** Shows the translated command and what should be known about it. */
export function announce(
	{name, command, says, options}: Announcement,
	{quiet, below}: {quiet: boolean; below: Settings},
): void {
	const terminal = openTerminal({quiet});
	for (const [key, {value}] of options) {
		const under = below.get(key);
		if (!under || JSON.stringify(under.value) === JSON.stringify(value)) continue;
		const at = `${under.place}: not used`;
		terminal.warn(
			`${at}, the preset ${name} comes after it; give --${kebabCase(key)} on the command line`,
		);
	}
	for (const text of says) terminal.warn(text);
	terminal.note(command);
}

/** Our flags by their long names. */
function ownFlags(facts: Facts): Map<string, OwnFlag & {key: string}> {
	const flags = Object.entries(facts).flatMap(([key, fact]) =>
		flagsOf(key, fact).map(({option}) => {
			const {required, optional: isOptional, variadic: isVariadic, long = ''} = option;
			return [long, {key, takesValue: required || isOptional, isVariadic, isOptional}] as const;
		}),
	);
	return new Map(flags);
}

/** The options that words give. */
function keysIn(words: readonly string[], flags: ReadonlyMap<string, {key: string}>): string[] {
	return words.flatMap(word => flags.get(word.split('=')[0]!)?.key ?? []);
}

/** Options as words of the command line. */
function wordsOf(options: ReadonlyMap<OurName, Translated>, facts: Facts): string[] {
	return [...options].flatMap(([key, {value}]) => {
		const fact = facts[key];
		if (!fact)
			throw new EngineError('INTERNAL', `presets: expected an option of train, got ${key}`);
		const name = `--${kebabCase(key)}`;
		if (typeof value === 'boolean')
			return [value ? name : `--${fact.off ?? `no-${kebabCase(key)}`}`];
		if (!Array.isArray(value)) return flagWith(name, String(value));
		if (fact.repeated) return value.flatMap(each => flagWith(name, String(each)));
		return fact.variadic ? [name, ...value.map(String)] : flagWith(name, value.join(','));
	});
}

/** A flag and its value; joined where the value could be read as something else. */
function flagWith(name: string, value: string): string[] {
	return value === '' || value.startsWith('-') ? [`${name}=${value}`] : [name, value];
}

function sourceIn(
	name: string,
	key: string,
	{places}: Translated,
): Pick<Setting, 'origin' | 'place'> {
	const origin = [`preset ${name}`, ...(places.length > 0 ? [places.join(', ')] : [])].join(': ');
	const own = `--${kebabCase(key)}`;
	return {origin, place: places.length > 0 ? `${places.join(', ')} (${own})` : own};
}

/** A word as a shell reads it. */
function quoted(word: string): string {
	return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
