// Reading values of untrusted JSON, each refused with its place, what was expected and what was there.

import {EngineError, kindOf} from '../errors.js';
import {deepestNesting, isNestedTooDeeply} from '../nesting.js';

export type JsonRecord = {readonly [key: string]: unknown};

export function isRecord(value: unknown): value is JsonRecord {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function invalid(where: string, expected: string, value: unknown): EngineError {
	const got =
		typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
			? JSON.stringify(value)
			: kindOf(value);
	return new EngineError('TOKENIZER_INVALID', `${where}: expected ${expected}, got ${got}`);
}

/** Refuses a value that cannot be read by recursion. */
export function expectShallow(value: unknown, where: string): void {
	if (!isNestedTooDeeply(value)) return;
	throw invalid(where, `at most ${deepestNesting} levels of nesting`, value);
}

/** What a table has under a type; nothing for what is no string, or belongs to every object. */
export function byType<Value>(
	table: {readonly [type: string]: Value},
	type: unknown,
): Value | undefined {
	return typeof type === 'string' && Object.hasOwn(table, type) ? table[type] : undefined;
}

export function asRecord(value: unknown, where: string): JsonRecord {
	if (isRecord(value)) return value;
	throw invalid(where, 'an object', value);
}

export function asArray(value: unknown, where: string): readonly unknown[] {
	if (Array.isArray(value)) return value;
	throw invalid(where, 'an array', value);
}

export function asString(value: unknown, where: string): string {
	if (typeof value === 'string') return value;
	throw invalid(where, 'a string', value);
}

/** A flag; absent and null read as `otherwise`. */
export function asFlag(value: unknown, where: string, otherwise: boolean): boolean {
	if (value === undefined || value === null) return otherwise;
	if (typeof value === 'boolean') return value;
	throw invalid(where, 'true or false', value);
}

/** A token id: a whole number from 0 that fits 31 bits. */
export function asId(value: unknown, where: string): number {
	if (isId(value)) return value;
	throw invalid(where, 'an id (a whole number from 0)', value);
}

export function isId(value: unknown): value is number {
	return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31;
}
