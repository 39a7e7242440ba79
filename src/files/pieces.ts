// The bytes of a file or a stream in pieces, for every reader of this folder. Memory stays flat,
// the event loop is free between two pieces, and an abort ends the reading with the signal's own
// reason.

import type {FileHandle} from 'node:fs/promises';
import {setImmediate} from 'node:timers/promises';
import {EngineError} from '../errors.js';
import {readFailure} from './failures.js';
import {openToRead} from './open.js';

/** A path, an open file (read from its start, left open) or any stream of bytes. */
export type ByteSource = string | FileHandle | AsyncIterable<Uint8Array | string>;

export interface PieceOptions {
	signal?: AbortSignal | undefined;
	/** How messages call the source; by default its path. */
	name?: string | undefined;
	/** The byte to begin at; files only. */
	offset?: number | undefined;
	/** Bytes of one piece. */
	size?: number | undefined;
	/** Sees every piece on its way, for a checksum. */
	onPiece?: ((piece: Uint8Array) => void) | undefined;
}

/** No line and no element may be longer: it would have to be held as one string. */
export const longestText = 64 * 2 ** 20;

const defaultSize = 128 * 1024;

/** How messages call a source. */
export function nameOf(source: ByteSource, name?: string): string {
	return name ?? (typeof source === 'string' ? source : 'input');
}

export async function* readPieces(
	source: ByteSource,
	options: PieceOptions = {},
): AsyncGenerator<Buffer, void, undefined> {
	const {signal, onPiece} = options;
	const pieces =
		typeof source !== 'string' && Symbol.asyncIterator in source
			? piecesOfStream(source, options)
			: piecesOfFile(source, options);
	for await (const piece of pieces) {
		signal?.throwIfAborted();
		onPiece?.(piece);
		yield piece;
	}

	signal?.throwIfAborted();
}

async function* piecesOfFile(
	source: string | FileHandle,
	{offset = 0, size = defaultSize, name}: PieceOptions,
): AsyncGenerator<Buffer, void, undefined> {
	const label = nameOf(source, name);
	const handle = typeof source === 'string' ? await openToRead(source) : source;
	// A path may be a pipe, which has no positions; an open file is shared, so its position is not ours.
	const isPositioned = typeof source !== 'string' || offset > 0;
	try {
		for (let at = offset; ; ) {
			const buffer = Buffer.allocUnsafeSlow(size);
			const position = isPositioned ? at : null;
			const {bytesRead} = await handle.read(buffer, 0, size, position);
			if (bytesRead === 0) return;
			at += bytesRead;
			yield buffer.subarray(0, bytesRead);
		}
	} catch (error) {
		throw readFailure(label, error);
	} finally {
		if (typeof source === 'string') await handle.close();
	}
}

async function* piecesOfStream(
	source: AsyncIterable<Uint8Array | string>,
	{size = defaultSize, name}: PieceOptions,
): AsyncGenerator<Buffer, void, undefined> {
	try {
		for await (const chunk of source) {
			const bytes =
				typeof chunk === 'string'
					? Buffer.from(chunk)
					: Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
			for (let at = 0; at < bytes.length; at += size) {
				if (at > 0) await setImmediate();
				yield bytes.subarray(at, at + size);
			}
		}
	} catch (error) {
		throw readFailure(name ?? 'input', error);
	}
}

/** The first bytes of a file, at most `size` of them. */
export async function readHead(source: string | FileHandle, size: number): Promise<Buffer> {
	const parts: Buffer[] = [];
	let total = 0;
	for await (const piece of piecesOfFile(source, {size})) {
		parts.push(piece);
		total += piece.length;
		if (total >= size) break;
	}

	return Buffer.concat(parts).subarray(0, size);
}

/** Bytes of one text that began in earlier pieces. */
export class Carry {
	size = 0;
	#parts: Buffer[] = [];

	/** Keeps the begin of a text that goes on in the next piece. */
	push(part: Buffer, where: string): void {
		this.size += part.length;
		this.#parts.push(part);
		if (this.size <= longestText) return;
		const expected = `expected at most ${longestText} bytes in one line or element`;
		throw new EngineError('FILE_FORMAT', `${where}: ${expected}, got more`);
	}

	/** The whole text, whose end is `last`. */
	take(last: Buffer): Buffer {
		if (this.size === 0) return last;
		const whole = Buffer.concat([...this.#parts, last]);
		this.size = 0;
		this.#parts = [];
		return whole;
	}
}
