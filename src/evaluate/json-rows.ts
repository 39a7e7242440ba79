// Objects of a JSON Lines file, each with the place where it stands for messages.

import {EngineError, kindOf} from '../errors.js';
import {readLines} from '../files/lines.js';
import {expectDistinctKeys} from '../files/strict-json.js';

export interface JsonRow {
	/** `path:line`. */
	where: string;
	fields: Record<string, unknown>;
}

/** The objects of a file in batches; blank lines are left out, anything but an object is refused. */
export async function* readJsonRows(
	path: string,
	options: {signal?: AbortSignal | undefined} = {},
): AsyncGenerator<JsonRow[], void, undefined> {
	for await (const lines of readLines(path, options)) {
		const rows: JsonRow[] = [];
		for (const {number, text} of lines) {
			if (text.trim() !== '') rows.push(parseRow(text, `${path}:${number}`));
		}

		if (rows.length > 0) yield rows;
	}
}

/** A field that must be a string. */
export function stringField({where, fields}: JsonRow, name: string): string {
	const value = fields[name];
	if (typeof value === 'string') return value;
	throw badField(where, name, 'a string', kindOf(value));
}

/** The error of a field that is not what it should be. */
export function badField(where: string, name: string, ...[expected, got]: string[]): EngineError {
	return new EngineError('DATA_ROW', `${where}: expected "${name}" to be ${expected}, got ${got}`);
}

function parseRow(text: string, where: string): JsonRow {
	let fields: unknown;
	try {
		fields = JSON.parse(text);
	} catch (error) {
		const message = `${where}: expected a JSON object, got text that is not JSON`;
		throw new EngineError('DATA_ROW', message, {cause: error});
	}

	expectDistinctKeys(text, fields, where);
	if (typeof fields === 'object' && fields !== null && !Array.isArray(fields)) {
		return {where, fields: fields as Record<string, unknown>};
	}

	throw new EngineError('DATA_ROW', `${where}: expected a JSON object, got ${kindOf(fields)}`);
}
