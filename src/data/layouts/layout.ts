// What a layout is: a way in which people write one record, told by what it holds, and how its
// fields are found. Reading the fields themselves is the same for all (record.ts).

import type {Fields, Names, Place} from '../fields.js';

export interface Layout {
	/** For messages: `records of …`. */
	name: string;
	recognises: (value: unknown, names?: Names) => boolean;
	/** Throws an {@link EngineError} that begins with where the record stands. */
	fields: (value: unknown, place: Place) => Fields;
}

export function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether a value is an object with a field of this very name. */
export function has(value: unknown, name: string): value is Record<string, unknown> {
	return isObject(value) && Object.hasOwn(value, name) && value[name] !== null;
}
