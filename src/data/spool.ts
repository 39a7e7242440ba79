// Records that come from memory or from a stream, written as JSON lines to a file without a name,
// so that they can be read like any other data file and take no memory. The file is gone when it is
// closed, however the process ends.

import type {FileHandle} from 'node:fs/promises';
import {EngineError} from '../errors.js';
import {appendTo, openNameless} from '../files/scratch.js';

export {appendTo, openNameless} from '../files/scratch.js';

/** A record as users write it: any field names of `record.ts`, or a tuple. */
export type RecordLike = object | readonly unknown[];

const batchLength = 2 ** 16;

/** Writes all records; messages call record n `name:n`. */
export async function spool(
	records: Iterable<RecordLike> | AsyncIterable<RecordLike>,
	name: string,
	signal?: AbortSignal,
): Promise<FileHandle> {
	const file = await openNameless();
	try {
		let batch = '';
		let number = 0;
		for await (const record of records) {
			batch += `${lineOf(record, `${name}:${++number}`)}\n`;
			if (batch.length < batchLength) continue;
			await appendTo(file, batch);
			signal?.throwIfAborted();
			batch = '';
		}

		await appendTo(file, batch);
		return file;
	} catch (error) {
		await file.close();
		throw error;
	}
}

function lineOf(record: unknown, where: string): string {
	try {
		return JSON.stringify(record, keepNumbers) ?? 'null';
	} catch (cause) {
		const reason = cause instanceof Error ? cause.message.split('\n')[0] : '';
		const message = `${where}: expected a record of plain values, got another (${reason})`;
		throw new EngineError('DATA_ROW', message, {cause});
	}
}

/** JSON would turn NaN and infinity into null, that is into a field that is not there. */
function keepNumbers(_key: string, value: unknown): unknown {
	return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}
