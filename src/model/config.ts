// Reads the small JSON files of a model folder and hands their values out checked.

import {readFile, stat} from 'node:fs/promises';
import {EngineError, kindOf} from '../errors.js';
import {readFailure, systemCode} from '../files/failures.js';
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
	try {
		return JSON.parse(text.replace(/^\uFEFF/, ''));
	} catch (cause) {
		const why = cause instanceof Error ? cause.message : String(cause);
		throw new EngineError('MODEL_CONFIG', `${path}: expected JSON, got other text (${why})`, {
			cause,
		});
	}
}

/** More than any configuration; what is larger is another file. */
const largestFile = 64 * 2 ** 20;

async function readSmallFile(path: string): Promise<Buffer | undefined> {
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

/** A configuration whose values are checked where they are asked for. */
export function familyConfig(values: JsonObject, where: string, within = ''): FamilyConfig {
	const given = (key: ConfigKey): string => {
		const names = typeof key === 'string' ? [key] : key;
		const isGiven = (name: string) => Object.hasOwn(values, name) && values[name] !== null;
		return names.find(isGiven) ?? names[0]!;
	};
	const found = (key: ConfigKey): unknown => {
		const name = given(key);
		return Object.hasOwn(values, name) ? (values[name] ?? undefined) : undefined;
	};
	const refuse = (key: ConfigKey, expected: string): never => {
		const name = given(key);
		const got = Object.hasOwn(values, name) ? JSON.stringify(values[name]) : 'nothing';
		const message = `${where}: expected "${within}${name}" to be ${expected}, got ${got}`;
		throw new EngineError('MODEL_CONFIG', message);
	};

	return {
		refuse,
		size(key, {otherwise, least = 1, most = 2 ** 31 - 1} = {}) {
			const value = found(key) ?? otherwise;
			const isSize = Number.isInteger(value) && Number(value) >= least && Number(value) <= most;
			return isSize ? Number(value) : refuse(key, `a whole number from ${least} to ${most}`);
		},
		number(key, otherwise, least = 0) {
			const value = found(key) ?? otherwise;
			const isNumber = typeof value === 'number' && value >= least && value < Infinity;
			return isNumber ? value : refuse(key, `a number from ${least}`);
		},
		flag(key, otherwise) {
			const value = found(key) ?? otherwise;
			return typeof value === 'boolean' ? value : refuse(key, 'true or false');
		},
		choice(key, choices, otherwise) {
			const value = found(key) ?? otherwise;
			const isKnown = typeof value === 'string' && Object.hasOwn(choices, value);
			return isKnown ? choices[value]! : refuse(key, `one of ${Object.keys(choices).join(', ')}`);
		},
		list(key, words, usual) {
			const value = found(key) ?? usual;
			const isWord = (one: unknown) => words.some(word => word === one);
			const isList = Array.isArray(value) && value.length === usual.length && value.every(isWord);
			return isList ? value : refuse(key, `a list of ${usual.length} of ${words.join(', ')}`);
		},
		group(key) {
			const value = found(key);
			if (value === undefined) return undefined;
			return isObject(value)
				? familyConfig(value, where, `${within}${given(key)}.`)
				: refuse(key, 'an object');
		},
		is: (key, value) => Object.hasOwn(values, key) && values[key] === value,
		only(key, ...allowed) {
			const value = found(key);
			if (value === undefined || allowed.includes(value)) return;
			const list = allowed.map(one => JSON.stringify(one)).join(' or ') || 'left out';
			refuse(key, `${list} (others are not supported)`);
		},
	};
}
