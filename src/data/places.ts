// Where records stand in their files, for messages: the file is read up to there.

import {readPieces} from '../files/pieces.js';
import type {SourceFile} from './source-file.js';

/** Where the records stand that begin at these bytes of a file, which rise. */
export async function placesAt(source: SourceFile, offsets: readonly number[]): Promise<string[]> {
	const {format, path} = source;
	if (format.kind !== 'json-array') {
		return (await linesAt(source, offsets)).map(line => `${path}:${line}`);
	}

	const places: string[] = [];
	for await (const slices of offsets.length === 0 ? [] : format.slices()) {
		for (const {offset, where} of slices) {
			while (offset === offsets[places.length]) places.push(where);
		}

		if (places.length === offsets.length) break;
	}

	return places;
}

/** The numbers of the lines that hold these bytes of a file, which rise. */
async function linesAt({handle, path}: SourceFile, offsets: readonly number[]): Promise<number[]> {
	const lines: number[] = [];
	let line = 1;
	let at = 0;
	if (offsets.length === 0) return lines;
	for await (const piece of readPieces(handle, {name: path})) {
		let from = 0;
		for (const offset of offsets.slice(lines.length)) {
			if (offset >= at + piece.length) break;
			line += newlinesIn(piece.subarray(from, offset - at));
			from = offset - at;
			lines.push(line);
		}

		if (lines.length === offsets.length) return lines;
		line += newlinesIn(piece.subarray(from));
		at += piece.length;
	}

	return lines;
}

function newlinesIn(bytes: Buffer): number {
	let count = 0;
	for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) count++;
	return count;
}
