// Options of a schema as flags of the command line, and texts of flags, variables and files as values.

import {Option} from 'commander';
import {kebabCase} from '../option-names.js';
import type {OptionFacts} from '../options.js';

/** Facts of an option with what only the command line needs; all of it is given by `meta`. */
export type FlagFacts = OptionFacts & {
	/** How --help calls the value. */
	placeholder?: string;
	/** The flag that switches an option off, where it is not `--no-` and the option's name. */
	off?: string;
	/** Takes several values in a row and never cuts one at commas. For paths. */
	variadic?: boolean;
	/** Is given once for each value and never cuts one at commas. */
	repeated?: boolean;
	/** The heading in --help. */
	group?: string;
};

/** A flag of the command line and what it means for its option. */
export type Flag = {key: string; option: Option; parseValue: (text: string | undefined) => unknown};

/** The flags of one option: one, or for a boolean `--x` and `--no-x`. */
export function flagsOf(key: string, facts: FlagFacts): Flag[] {
	const name = kebabCase(key);
	const make: Make = (form, description, parseValue) => {
		const option = new Option(form, description);
		if (facts.group) option.helpGroup(facts.group);
		return {key, option, parseValue};
	};
	const description = describe(facts);
	const isSwitch = facts.anyOf?.some(({type}) => type === 'boolean') ?? false;
	if (isSwitch) {
		// A value may follow; without one the option is on.
		const on = make(`--${name} [${placeholder(facts)}]`, description, text => text ?? true);
		const off = offOf(make, key, facts);
		off.option.hideHelp();
		return [on, off];
	}
	if (facts.type !== 'boolean') {
		const form = `--${name} <${placeholder(facts)}${facts.variadic ? '...' : ''}>`;
		return [make(form, description, text => parseValue(text ?? '', facts))];
	}
	const on = make(`--${name}`, description, () => true);
	const off = offOf(make, key, facts);
	off.option.hideHelp();
	// Of what is off anyway one flag is enough; else both are one line.
	if (facts.off !== undefined) on.option.flags = `--${name}, --${facts.off}`;
	else if (facts.default !== false) on.option.flags = `--[no-]${name}`;
	return [on, off];
}

type Make = (form: string, description: string, parseValue: Flag['parseValue']) => Flag;

/** The flag that switches an option off. */
function offOf(make: Make, key: string, facts: FlagFacts): Flag {
	const name = kebabCase(key);
	const flag = `--${facts.off ?? `no-${name}`}`;
	return make(flag, `the opposite of --${name}`, () => false);
}

/** A text as the kind of value that the option has; one that does not fit stays a text. */
export function parseValue(text: string, facts: FlagFacts): unknown {
	const alternatives = facts.anyOf ?? [facts];
	const list = alternatives.find(({type}) => type === 'array');
	if (list) {
		const parts =
			facts.variadic || facts.repeated ? [text] : text.split(',').map(part => part.trim());
		return parts.map(part => parseValue(part, list.items ?? {}));
	}
	const isOf = (...types: string[]) =>
		alternatives.some(({type}) => types.some(one => [type].flat().includes(one)));
	if (isOf('number', 'integer') && numeral.test(text)) return Number(text);
	if (isOf('boolean')) return truths.get(text.toLowerCase()) ?? text;
	return text;
}

/** Whether values of several places or flags are one list. */
export function isList({type, anyOf}: OptionFacts): boolean {
	return type === 'array' || (anyOf?.some(isList) ?? false);
}

const numeral = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

const truths = new Map([
	...['1', 'true', 'yes', 'on'].map(word => [word, true] as const),
	...['0', 'false', 'no', 'off'].map(word => [word, false] as const),
]);

function describe({description = '', default: standard}: FlagFacts): string {
	if (standard === undefined || standard === false) return description;
	if (Array.isArray(standard) && standard.length === 0) return description;
	if (standard === true) return `${description} (default: on)`;
	return `${description} (default: ${[standard].flat().join(',')})`;
}

function placeholder(facts: FlagFacts): string {
	if (facts.placeholder) return facts.placeholder;
	const alternatives = facts.anyOf ?? [facts];
	return alternatives.map(one => placeholderOf(one)).join('|');
}

function placeholderOf({const: constant, enum: words, type, items}: OptionFacts): string {
	if (constant !== undefined) return String(constant);
	if (words) return words.join('|');
	if (type === 'array') return `${placeholderOf(items ?? {})},…`;
	return type === 'integer' || type === 'number' ? 'N' : 'TEXT';
}
