// The first record of data, for who must know what they hold before they are opened for training.

import {mapOf, type Names, namesGiven} from './fields.js';
import {parseRecord, type TrainingRecord} from './record.js';
import {closeAll, openSources} from './sources.js';

/** The record; nothing where there is none to read, which opening the data will say. */
export async function firstRecord(
	source: string,
	map: Readonly<Record<string, string>> = {},
): Promise<TrainingRecord | undefined> {
	const names = namesGiven(mapOf(map));
	const opened = await openSources([source], {names}).catch(() => undefined);
	if (opened === undefined) return undefined;
	try {
		const [file] = opened.files;
		for await (const rows of file?.format.slices() ?? []) {
			const [row] = rows;
			if (!row) continue;
			const {where, text} = row;
			return readAs(file!.format.parse(text, where), where, names);
		}
	} catch {
		return undefined;
	} finally {
		await closeAll(opened.files);
	}
	return undefined;
}

/** A record whose positive is only known by its teacher's scores is read by these. */
function readAs(value: unknown, where: string, names: Names): TrainingRecord {
	try {
		return parseRecord(value, where, {names}).record;
	} catch {
		return parseRecord(value, where, {names, byTeacher: true}).record;
	}
}
