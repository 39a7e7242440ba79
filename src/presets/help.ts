// What `train --preset NAME --help` shows: the options of the other system and what becomes of each.

import {kebabCase} from '../option-names.js';
import type {Option, OurName, Preset} from './table.js';
import {type Kind, type Value, Values} from './values.js';

/** A line for each option, those without effect last. */
export function helpOf(preset: Preset): string {
	const {name, title, dialect, options} = preset;
	const values = new Values(options, new Map(), {processes: 1});
	const entries = Object.entries(options);
	const live = entries.filter(([, {dead}]) => dead === undefined);
	const dead = entries.filter(([, option]) => option.dead !== undefined);
	const lineOf = ([key, option]: [string, Option]) =>
		`  ${written(key, option, dialect)}${meaning(key, option, values)}\n`;
	return [
		`Usage: inbatch train --preset ${name} [options of ours] COMMAND…\n\n`,
		`The training command of ${title}, with or without what starts it. Its options, with their\n`,
		`defaults and ours for them (without any, another option reads it):\n\n`,
		...live.map(lineOf),
		`\nWithout effect:\n\n`,
		...dead.map(lineOf),
		`\ndocs/from/${name}.md says more; inbatch train --help shows our own options.\n`,
	].join('');
}

function written(key: string, {default: standard}: Option, dialect: Preset['dialect']): string {
	const value = standard === undefined || standard === null ? '' : ` ${textOf(standard)}`;
	return dialect === 'flags' ? `--${key}${value}` : `${key}${value && `=${value.trim()}`}`;
}

function textOf(value: Value): string {
	return Array.isArray(value) ? `[${value.join(',')}]` : String(value);
}

/** Why it has no effect, or the options that it is at its default, else those when it is given. */
function meaning(key: string, {dead, to, kind, default: standard, isIdle}: Option, values: Values) {
	if (dead !== undefined) return `: ${dead}`;
	if (isIdle) return ': refused at other values';
	if (!to) return '';
	const asked = {value: kind === 'boolean' ? standard !== true : samples[kind], place: key};
	const given = values.with(new Map([[key, asked]]));
	const names = [values, given].map(each => namesOf(to, each.of(key)));
	const shown = names.find(found => found.length > 0) ?? [];
	return shown.length > 0 ? `: ${shown.map(name => `--${kebabCase(name)}`).join(' ')}` : '';
}

/** A value of each kind that is no usual one. */
const samples: Record<Kind, Value> = {
	text: 'x',
	number: 7,
	boolean: true,
	list: ['x'],
	any: 'x',
};

function namesOf(to: NonNullable<Option['to']>, values: Values): OurName[] {
	try {
		return Object.keys(to(values, () => undefined)) as OurName[];
	} catch {
		return []; // defaults that do not fit each other
	}
}
