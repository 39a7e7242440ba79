// Reads the small JSON files of a model folder and hands their values out checked.

import {readFile, stat} from 'node:fs/promises';
import {EngineError, kindOf} from '../errors.js';
import {readFailure, systemCode} from '../files/failures.js';
import {deepestNesting, isNestedTooDeeply, parseJsonText} from '../nesting.js';
import {expectNoPipe} from '../pipes.js';
import {decodeUtf8} from '../utf8.js';

export type JsonObject = {[key: string]: unknown};

/** The name of a value, or its names in order: the first that is given counts. */
export type ConfigKey = string | readonly string[];

/**
A configuration file as a family reads it: each value is checked where it is asked for, and one that
does not fit is refused by its name. A value of null is as good as none.
*/
export type FamilyConfig = {
	/** A whole number, unless told otherwise from 1. */
	size(key: ConfigKey, limits?: {otherwise?: number; least?: number; most?: number}): number;
	/** A number, unless told otherwise from 0. */
	number(key: ConfigKey, otherwise?: number, least?: number): number;
	flag(key: ConfigKey, otherwise: boolean): boolean;
	/** One of the words, mapped. */
	choice<T>(key: ConfigKey, choices: Readonly<Record<string, T>>, otherwise?: string): T;
	/** A list of some of the words, as long as the usual one. */
	list<T extends string>(key: ConfigKey, words: readonly T[], usual: readonly T[]): readonly T[];
	/** The values within a value. */
	group(key: ConfigKey): FamilyConfig | undefined;
	/** Whether the file gives this very value. */
	is(key: string, value: unknown): boolean;
	/** Refuses any value but these; a missing one is right. */
	only(key: string, ...allowed: readonly unknown[]): void;
	/** Refuses the value there is. */
	refuse(key: ConfigKey, expected: string): never;
};

export function isObject(value: unknown): value is JsonObject {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object in a JSON file; undefined when the file does not exist. */
export async function readJsonObject(path: string): Promise<JsonObject | undefined> {
	const bytes = await readSmallFile(path);
	return bytes && parseJsonObject(bytes, path);
}

/** The value in a JSON file; undefined when the file does not exist. */
export async function readJson(path: string): Promise<unknown> {
	const bytes = await readSmallFile(path);
	return bytes && parseJson(bytes, path);
}

/** The object that the bytes of a file are the JSON of. */
export function parseJsonObject(bytes: Buffer, path: string): JsonObject {
	const value = parseJson(bytes, path);
	if (isObject(value)) return value;
	throw new EngineError('MODEL_CONFIG', `${path}: expected a JSON object, got ${kindOf(value)}`);
}

function parseJson(bytes: Buffer, path: string): unknown {
	const text = decodeUtf8(bytes, path, {code: 'MODEL_CONFIG'});
	let value: unknown;
	try {
		value = parseJsonText(text.replace(/^\uFEFF/, ''));
	} catch (cause) {
		const why = cause instanceof Error ? cause.message : String(cause);
		throw new EngineError('MODEL_CONFIG', `${path}: expected JSON, got other text (${why})`, {
			cause,
		});
	}
	if (!isNestedTooDeeply(value)) return value;
	const expected = `expected at most ${deepestNesting} levels of nesting`;
	throw new EngineError('MODEL_CONFIG', `${path}: ${expected}, got more`);
}

/** More than any configuration; what is larger is another file. */
const largestFile = 64 * 2 ** 20;

async function readSmallFile(path: string): Promise<Buffer | undefined> {
	await expectNoPipe(path);
	try {
		const {size} = await stat(path);
		if (size <= largestFile) return await readFile(path);
		const expected = `expected at most ${largestFile} bytes of JSON`;
		throw new EngineError('MODEL_CONFIG', `${path}: ${expected}, got ${size}`);
	} catch (error) {
		if (systemCode(error) === 'ENOENT') return undefined;
		throw readFailure(path, error);
	}
}

type Source = {values: JsonObject; where: string; within: string};

/** A configuration whose values are checked where they are asked for. */
export function familyConfig(values: JsonObject, where: string, within = ''): FamilyConfig {
	const source = {values, where, within};
	return {
		size: (key, limits) => sizeOf(source, key, limits),
		number: (key, otherwise, least) => numberOf(source, key, {otherwise, least}),
		flag: (key, otherwise) => flagOf(source, key, otherwise),
		choice: (key, choices, otherwise) => choiceOf(source, key, {choices, otherwise}),
		list: (key, words, usual) => listOf(source, key, {words, usual}),
		group: key => groupOf(source, key),
		is: (key, value) => Object.hasOwn(values, key) && values[key] === value,
		only(key, ...allowed) {
			const value = valueAt(source, key);
			if (value === undefined || allowed.includes(value)) return;
			const list = allowed.map(one => JSON.stringify(one)).join(' or ') || 'left out';
			refuse(source, key, `${list} (others are not supported)`);
		},
		refuse: (key, expected) => refuse(source, key, expected),
	};
}

/** The first of the names that is given, else the first. */
function nameOf({values}: Source, key: ConfigKey): string {
	const names = typeof key === 'string' ? [key] : key;
	const isGiven = (name: string) => Object.hasOwn(values, name) && values[name] !== null;
	return names.find(isGiven) ?? names[0]!;
}

function valueAt(source: Source, key: ConfigKey): unknown {
	const name = nameOf(source, key);
	return Object.hasOwn(source.values, name) ? (source.values[name] ?? undefined) : undefined;
}

function refuse(source: Source, key: ConfigKey, expected: string): never {
	const {values, where, within} = source;
	const name = nameOf(source, key);
	const got = Object.hasOwn(values, name) ? JSON.stringify(values[name]) : 'nothing';
	const message = `${where}: expected "${within}${name}" to be ${expected}, got ${got}`;
	throw new EngineError('MODEL_CONFIG', message);
}

type Limits = {otherwise?: number | undefined; least?: number | undefined; most?: number};

function sizeOf(source: Source, key: ConfigKey, limits: Limits = {}): number {
	const {otherwise, least = 1, most = 2 ** 31 - 1} = limits;
	const value = valueAt(source, key) ?? otherwise;
	const isSize = Number.isInteger(value) && Number(value) >= least && Number(value) <= most;
	return isSize ? Number(value) : refuse(source, key, `a whole number from ${least} to ${most}`);
}

function numberOf(source: Source, key: ConfigKey, {otherwise, least = 0}: Limits): number {
	const value = valueAt(source, key) ?? otherwise;
	const isNumber = typeof value === 'number' && value >= least && value < Infinity;
	return isNumber ? value : refuse(source, key, `a number from ${least}`);
}

function flagOf(source: Source, key: ConfigKey, otherwise: boolean): boolean {
	const value = valueAt(source, key) ?? otherwise;
	return typeof value === 'boolean' ? value : refuse(source, key, 'true or false');
}

function choiceOf<T>(
	source: Source,
	key: ConfigKey,
	{choices, otherwise}: {choices: Readonly<Record<string, T>>; otherwise: string | undefined},
): T {
	const value = valueAt(source, key) ?? otherwise;
	const isKnown = typeof value === 'string' && Object.hasOwn(choices, value);
	return isKnown
		? choices[value]!
		: refuse(source, key, `one of ${Object.keys(choices).join(', ')}`);
}

function listOf<T extends string>(
	source: Source,
	key: ConfigKey,
	{words, usual}: {words: readonly T[]; usual: readonly T[]},
): readonly T[] {
	const value = valueAt(source, key) ?? usual;
	const isWord = (one: unknown) => words.some(word => word === one);
	const isList = Array.isArray(value) && value.length === usual.length && value.every(isWord);
	return isList ? value : refuse(source, key, `a list of ${usual.length} of ${words.join(', ')}`);
}

function groupOf(source: Source, key: ConfigKey): FamilyConfig | undefined {
	const value = valueAt(source, key);
	if (value === undefined) return undefined;
	if (!isObject(value)) return refuse(source, key, 'an object');
	return familyConfig(value, source.where, `${source.within}${nameOf(source, key)}.`);
}
