// gzip files, unpacked to the disk in pieces: they have no random access, and what is read again
// and again must not be unpacked each time.

import {createHash} from 'node:crypto';
import type {FileHandle} from 'node:fs/promises';
import {Readable} from 'node:stream';
import {createGunzip} from 'node:zlib';
import {EngineError} from '../errors.js';
import {readHead, readPieces} from './pieces.js';
import {appendTo, openNameless} from './scratch.js';

export interface Unpacked {
	/** A file without a name. */
	file: FileHandle;
	/** The checksum of the packed file. */
	sha256: string;
}

/** Whether a file begins as gzip files do. */
export async function isGzip(source: string | FileHandle): Promise<boolean> {
	const head = await readHead(source, 3);
	return head[0] === 0x1f && head[1] === 0x8b && head[2] === 8;
}

/** Unpacks a file of one or more members. `name` is how messages call it. */
export async function unpackGzip(
	source: FileHandle,
	name: string,
	signal?: AbortSignal,
): Promise<Unpacked> {
	const hash = createHash('sha256');
	const file = await openNameless();
	const pieces = readPieces(source, {name, signal, onPiece: piece => hash.update(piece)});
	const packed = Readable.from(pieces);
	const plain = createGunzip();
	packed.once('error', error => plain.destroy(error));
	try {
		for await (const piece of packed.pipe(plain)) await appendTo(file, piece as Buffer);
		return {file, sha256: hash.digest('hex')};
	} catch (error) {
		packed.destroy();
		await file.close();
		throw damage(error, name);
	}
}

function damage(error: unknown, name: string): unknown {
	const isOfZlib = error instanceof Error && 'code' in error && /^Z_/.test(String(error.code));
	if (!isOfZlib) return error;
	const message = `${name}: expected a whole gzip file, got a cut or damaged one (${error.message})`;
	return new EngineError('FILE_FORMAT', message, {cause: error});
}
