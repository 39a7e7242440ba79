// Reads the small JSON files of a model folder and hands their values out checked.

import {readFile} from 'node:fs/promises';
import {EngineError, kindOf} from '../errors.js';
import {readFailure} from '../files/failures.js';
import type {FamilyConfig} from './spec.js';

export type JsonObject = {[key: string]: unknown};

export function isObject(value: unknown): value is JsonObject {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object in a JSON file; undefined when the file does not exist. */
export async function readJsonObject(path: string): Promise<JsonObject | undefined> {
	const value = await readJson(path);
	if (value === undefined || isObject(value)) return value;
	throw new EngineError('MODEL_CONFIG', `${path}: expected a JSON object, got ${kindOf(value)}`);
}

/** The value in a JSON file; undefined when the file does not exist. */
export async function readJson(path: string): Promise<unknown> {
	let text: string;
	try {
		text = await readFile(path, 'utf8');
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
		throw readFailure(path, error);
	}
	try {
		return JSON.parse(text.replace(/^\uFEFF/, ''));
	} catch (cause) {
		const why = cause instanceof Error ? cause.message : String(cause);
		throw new EngineError('MODEL_CONFIG', `${path}: expected JSON, got ${why}`, {cause});
	}
}

/** A configuration whose values are checked where they are asked for. */
export function familyConfig(values: JsonObject, where: string): FamilyConfig {
	const refuse = (key: string, expected: string): never => {
		const got = key in values ? JSON.stringify(values[key]) : 'nothing';
		throw new EngineError(
			'MODEL_CONFIG',
			`${where}: expected "${key}" to be ${expected}, got ${got}`,
		);
	};

	return {
		size(key, most = 2 ** 31 - 1) {
			const value = values[key];
			const isSize =
				typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= most;
			return isSize ? value : refuse(key, `a whole number from 1 to ${most}`);
		},
		number(key, otherwise) {
			const value = values[key] ?? otherwise;
			return typeof value === 'number' && value >= 0 ? value : refuse(key, 'a number from 0');
		},
		choice(key, choices, otherwise) {
			const value = values[key] ?? otherwise;
			const isKnown = typeof value === 'string' && Object.hasOwn(choices, value);
			return isKnown ? choices[value]! : refuse(key, `one of ${Object.keys(choices).join(', ')}`);
		},
		only(key, value) {
			const given = values[key];
			if (given === undefined || given === null || given === value) return;
			refuse(key, `${JSON.stringify(value)} (others are not supported)`);
		},
	};
}
