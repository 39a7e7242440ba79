// Checksums of files, in pieces, off the main thread's time as far as reading goes.

import {createHash} from 'node:crypto';
import {readPieces} from './pieces.js';

const pieceSize = 2 ** 20;

/** The SHA-256 of a file, in hexadecimal. */
export async function sha256File(path: string, signal?: AbortSignal): Promise<string> {
	const hash = createHash('sha256');
	for await (const piece of readPieces(path, {signal, size: pieceSize})) hash.update(piece);
	return hash.digest('hex');
}
