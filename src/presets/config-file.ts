// YAML or JSON files of another system's options: nested keys are joined by dots, ${a.b} is another value
// of the file. The command line comes after a file.

import {readFile} from 'node:fs/promises';
import {parse} from 'yaml';
import {EngineError, kindOf} from '../errors.js';
import {readFailure} from '../files/failures.js';
import {nearest} from '../option-names.js';
import type {Reading} from './reading.js';
import type {Scalar, Value} from './values.js';

type Entries = Map<string, Value>;

/** Takes the options of a file that the command line does not give; those that nothing reads are said. */
export async function readConfigFile(reading: Reading, path: string): Promise<void> {
	const text = await readFile(path, 'utf8').catch((error: unknown) => {
		throw readFailure(path, error);
	});
	const entries: Entries = new Map();
	flatten(parsed(text, path), '', {entries, path, reading});
	const unread: string[] = [];
	for (const [spelled, value] of entries) {
		const name = reading.nameOf(spelled);
		if (name === undefined) unread.push(spelled);
		else if (!isVain(reading, name, value)) {
			takeEntry(reading, name, {value: resolved(spelled, entries), path, spelled});
		}
	}
	if (unread.length > 0) reading.says.push(unreadText(reading, path, unread));
}

/** A reference to another value, for what has no effect. */
function isVain({preset}: Reading, name: string, value: Value): boolean {
	const isReference = typeof value === 'string' && value.includes('${');
	return isReference && preset.options[name]?.dead !== undefined;
}

type Entry = {value: Value; path: string; spelled: string};

/** A value that the file has and the command line has not; one that is the default is as not given. */
function takeEntry(reading: Reading, name: string, {value, path, spelled}: Entry): void {
	if (reading.given.has(name) || value === '???') return;
	const standard = reading.preset.options[name]!.default ?? null;
	if (JSON.stringify(value) === JSON.stringify(standard)) return;
	reading.give(name, {value, place: `${path}: ${spelled}`});
}

function unreadText(reading: Reading, path: string, names: readonly string[]): string {
	const known = Object.keys(reading.preset.options);
	const list = names.map(name => {
		const near = nearest(name, known);
		return near !== undefined && isNear(name, near) ? `${name} (did you mean ${near}?)` : name;
	});
	return `${path}: nothing reads ${list.join(', ')}`;
}

/** Whether two names of one branch may be one with a slip. */
function isNear(a: string, b: string): boolean {
	const [branch, other] = [a, b].map(name => name.slice(0, name.lastIndexOf('.') + 1));
	const [one = '', two = ''] = [a, b].map(name => name.slice(name.lastIndexOf('.') + 1));
	const isLike = one.slice(0, 3) === two.slice(0, 3) && Math.abs(one.length - two.length) <= 2;
	return branch === other && one.length > 3 && isLike;
}

function parsed(text: string, path: string): object {
	let value: unknown;
	try {
		value = parse(text, {maxAliasCount: 100});
	} catch (cause) {
		const reason = cause instanceof Error ? cause.message.split('\n')[0] : '';
		const message = `${path}: expected options in JSON or YAML, got other text (${reason})`;
		throw new EngineError('FILE_FORMAT', message, {cause});
	}
	if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
	throw new EngineError('FILE_FORMAT', `${path}: expected options by name, got ${kindOf(value)}`);
}

type Flattening = {entries: Entries; path: string; reading: Reading};

function flatten(value: object, prefix: string, into: Flattening): void {
	for (const [key, entry] of Object.entries(value) as [string, unknown][]) {
		const name = prefix === '' ? key : `${prefix}.${key}`;
		const isBranch = typeof entry === 'object' && entry !== null && !Array.isArray(entry);
		if (isBranch && into.reading.nameOf(name) === undefined) flatten(entry, name, into);
		else into.entries.set(name, valueOfYaml(entry, `${into.path}: ${name}`));
	}
}

/** A scalar or a list of scalars. */
export function valueOfYaml(value: unknown, place: string): Value {
	if (Array.isArray(value)) {
		if (value.every(isScalar)) return value;
	} else if (isScalar(value)) {
		return value;
	}
	const message = `${place}: expected one value or a list of values, got ${kindOf(value)}`;
	throw new EngineError('OPTION_TYPE', message);
}

function isScalar(value: unknown): value is Scalar {
	return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}

/** A value in which references to others of the file are replaced; those to nothing stay. */
function resolved(at: string, entries: Entries, trail: readonly string[] = []): Value {
	const value = entries.get(at) ?? null;
	if (typeof value !== 'string') return value;
	const valueAt = (reference: string): Value | undefined => {
		const name = absolute(reference, at);
		if (trail.includes(name) || !entries.has(name)) return undefined;
		return resolved(name, entries, [...trail, at]);
	};
	const whole = /^\$\{([\w.]+)\}$/.exec(value)?.[1];
	if (whole !== undefined) return valueAt(whole) ?? value;
	return value.replace(/\$\{([\w.]+)\}/g, (written, name: string) => {
		const found = valueAt(name);
		return found === undefined ? written : String(found);
	});
}

/** `.name` is of the same branch, `..name` of the one around it. */
function absolute(reference: string, at: string): string {
	const name = reference.replace(/^\.+/, '');
	const dots = reference.length - name.length;
	return dots === 0 ? name : [...at.split('.').slice(0, -dots), name].join('.');
}
