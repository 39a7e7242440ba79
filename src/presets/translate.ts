// From the words of a documented command to options of `inbatch train`, with what must be said about them.

import {firstRecord} from '../data/first-record.js';
import {EngineError} from '../errors.js';
import {kebabCase} from '../option-names.js';
import {alternatives} from '../train/options.js';
import {readFlags} from './flags.js';
import {idlePlaces} from './idle.js';
import {type Launched, readLauncher} from './launcher.js';
import {fitLengths} from './lengths.js';
import {readOverrides} from './overrides.js';
import type {OwnFlags, Reading} from './reading.js';
import {changesCourse, rowsIn} from './row-count.js';
import type {OurName, OurValue, Preset} from './table.js';
import type {Translated, Translation} from './translation.js';
import {Values} from './values.js';

/**
Reads what stands behind `--preset NAME`, its configuration files and the first record of its data.
`ownWords` are options of ours that stand before.
*/
export async function translate(
	preset: Preset,
	words: readonly string[],
	ownFlags: OwnFlags,
	ownWords: readonly string[] = [],
): Promise<Translation> {
	const launched = readLauncher(words);
	const says = [...launched.says];
	expectProgram(preset, launched);
	const read = preset.dialect === 'flags' ? readFlags : readOverrides;
	const reading = await read(preset, launched.rest, ownFlags);
	says.push(...reading.says);
	const isCounted = !changesCourse([...ownWords, ...reading.own]);
	const values = await valuesOf(preset, reading, {...launched, isCounted});
	const say = (text: string) => {
		if (!says.includes(text)) says.push(text);
	};
	sayDead(reading, say);
	const options = becoming(preset, values, say);
	for (const place of idlePlaces(reading, given => textOf(preset, values.with(given)))) {
		say(`${place}: without effect beside the other options`);
	}

	await fitLengths(options, say);
	return {options, own: reading.own, says};
}

/** The options that values become; refuses those that cannot be had. */
function becoming(
	preset: Preset,
	values: Values,
	say: (text: string) => void,
): Map<OurName, Translated> {
	preset.check?.(values, say);
	refuse(preset, values);
	return optionsOf(preset, values, say);
}

/** All that values become and what is said of them, or why they are refused. */
function textOf(preset: Preset, values: Values): string {
	const says: string[] = [];
	try {
		const options = becoming(preset, values, text => says.push(text));
		return JSON.stringify([[...options].map(([key, {value}]) => [key, value]), says]);
	} catch (error) {
		return String(error);
	}
}

/** The values, with what the data say. */
async function valuesOf(
	preset: Preset,
	{given}: Reading,
	{processes, clip, isCounted}: Launched & {isCounted: boolean},
): Promise<Values> {
	const values = new Values(preset.options, given, {processes, clip});
	const asked = preset.negativesIn?.(values);
	if (asked?.data === undefined) return values;
	const all = [asked.data].flat();
	const firsts = await Promise.all(all.map(data => firstRecord(data, asked.map)));
	const [first] = firsts;
	const hasNegatives = first && first.negatives.length > 0;
	const known = {processes, clip, hasNegatives, first, firsts};
	const counted = preset.countedIn?.(new Values(preset.options, given, known));
	const rows = counted && isCounted ? await rowsIn(counted) : undefined;
	return new Values(preset.options, given, {...known, rows});
}

function expectProgram({name, programs}: Preset, {program}: Launched): void {
	if (program === undefined) return;
	const found = programs.find(each => each.name.test(program));
	if (found && found.instead === undefined) return;
	const hint = found?.instead ?? `--preset ${name} stands for its training program`;
	const message = `--preset: expected the training program of ${name}, got ${program}; ${hint}`;
	throw new EngineError('OPTION_CONFLICT', message);
}

function refuse({name: preset, options}: Preset, values: Values): void {
	for (const [name, {refused}] of Object.entries(options)) {
		const why = refused?.(values.of(name));
		if (why === undefined) continue;
		const place = values.place(name);
		const message = `${place}: expected what can be had here, got ${shown(values.of(name).own())}`;
		throw new EngineError('OPTION_CONFLICT', `${message}; ${why} (docs/from/${preset}.md)`);
	}
}

function sayDead({preset, given}: Reading, say: (text: string) => void): void {
	for (const [name, {place}] of given) {
		const why = preset.options[name]?.dead;
		if (why !== undefined) say(`${place}: without effect, ${why}`);
	}
}

function optionsOf(
	{options, fixed}: Preset,
	values: Values,
	say: (text: string) => void,
): Map<OurName, Translated> {
	const ours = new Map<OurName, Translated>();
	for (const [key, value] of Object.entries(fixed?.(values) ?? {}) as [OurName, OurValue][]) {
		if (value !== undefined) ours.set(key, {value, places: []});
	}
	for (const [name, {to}] of Object.entries(options)) {
		if (!to) continue;
		const own = values.of(name);
		for (const [key, value] of Object.entries(to(own, say)) as [OurName, OurValue | undefined][]) {
			if (value === undefined) continue;
			const places = own.givenPlaces();
			const before = ours.get(key);
			ours.set(key, before ? joined(key, before, {value, places}) : {value, places});
		}
	}
	return ours;
}

/** Two options of theirs may each give a part of a list. */
function joined(key: OurName, before: Translated, more: Translated): Translated {
	if (!Array.isArray(before.value) || !Array.isArray(more.value)) {
		throw new EngineError('INTERNAL', `presets: expected ${key} once, got it twice`);
	}
	return {
		value: [...before.value, ...more.value] as (string | number)[],
		places: [...before.places, ...more.places],
	};
}

const rivals: readonly (readonly OurName[])[] = [...alternatives, ['overwrite', 'resume']];

/**
Takes out what our own options say themselves. One that says what an option of theirs was given for is
refused.
*/
export function withOwn(options: Map<OurName, Translated>, own: readonly string[]): void {
	for (const key of own as readonly OurName[]) {
		const same = rivals.filter(names => names.includes(key)).flat();
		for (const rival of new Set([key, ...same])) {
			const translated = options.get(rival);
			if (!translated) continue;
			if (translated.places.length > 0) throw given(key, translated);
			options.delete(rival);
		}
	}
}

function given(key: string, {places}: Translated): EngineError {
	const message = `--${kebabCase(key)}: expected this or ${places.join(', ')}, got both`;
	return new EngineError('OPTION_CONFLICT', message);
}

function shown(value: unknown): string {
	return JSON.stringify(value) ?? 'none';
}
