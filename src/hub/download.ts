// One file of a repository into the blobs of the cache. What has come so far lies in
// blobs/<etag>.incomplete, which at any moment is a begin of the blob: every writer puts right bytes at
// right places and none cuts the file, so that a broken download goes on and two at once do no harm.

import {constants, type FileHandle, open, rename, rm} from 'node:fs/promises';
import {setTimeout} from 'node:timers/promises';
import {EngineError} from '../errors.js';
import {systemCode, writeFailure} from '../files/failures.js';
import {sha256File} from '../files/hash.js';
import {folderFor, isFileName, type RepositoryCache, sizeOf} from './cache.js';
import type {Answer, HubConnection} from './connection.js';
import {placeOf} from './id.js';

/** A file as the hub lists it. */
export type RemoteFile = {
	path: string;
	size: number;
	/** The name of its blob: the git id, or the SHA-256 of a large file. */
	etag: string;
	/** Known of large files. */
	sha256: string | undefined;
};

export type Downloading = {
	connection: HubConnection;
	cache: RepositoryCache;
	commit: string;
	signal?: AbortSignal | undefined;
	/** Bytes of this file that are there; may fall when a download starts anew. */
	onBytes: (received: number) => void;
};

const mostRounds = 6;
const pause = 300;

/** The path of the blob, downloaded if it is not there. Goes on by itself where a connection breaks. */
export async function ensureBlob(file: RemoteFile, work: Downloading): Promise<string> {
	let wanted = file;
	for (let left = mostRounds; left > 0; left--) {
		const blob = work.cache.blob(wanted.etag);
		if ((await sizeOf(blob)) === wanted.size) {
			work.onBytes(wanted.size);
			return blob;
		}
		const got = (await sizeOf(partialOf(wanted, work))) ?? 0;
		if (got === wanted.size) return finish(wanted, work);
		wanted = await receiveMore(wanted, got, {...work, isLast: left === 1});
	}
	const message = `${nameOf(file, work)}: expected one content, got another at each try`;
	throw new EngineError('HUB_ANSWER', message);
}

/** What is wanted after this try: the same file, or another one with another etag. */
async function receiveMore(
	file: RemoteFile,
	got: number,
	work: Downloading & {isLast: boolean},
): Promise<RemoteFile> {
	let hasCome = false;
	const onBytes = (received: number) => {
		hasCome = true;
		work.onBytes(received);
	};
	try {
		return await receive(file, got, {...work, onBytes});
	} catch (error) {
		work.signal?.throwIfAborted();
		const isBroken = error instanceof EngineError && error.code === 'HUB_UNREACHABLE';
		// Only a connection that has brought something is worth another try.
		if (!isBroken || !hasCome || work.isLast) throw error;
	}
	await setTimeout(pause, undefined, {signal: work.signal}).catch(() => undefined);
	work.signal?.throwIfAborted();
	return file;
}

async function receive(file: RemoteFile, got: number, work: Downloading): Promise<RemoteFile> {
	const answer = await work.connection.request(addressOf(file.path, work), {
		headers: {
			// An encoding would change what a range and a size mean.
			'accept-encoding': 'identity',
			...(got > 0 ? {range: `bytes=${got}-`} : {}),
		},
		signal: work.signal,
	});
	try {
		const now = asAnswered(file, answer);
		if (now.etag !== file.etag && got > 0) return now;
		const begin = beginOf(answer, got);
		// A part that the server cannot go on from is none.
		if (begin === undefined || got > file.size) await removePartial(file, work);
		else await write(now, {answer, begin}, work);
		return now;
	} finally {
		await answer.close();
	}
}

/** The byte that the body begins at: where it was asked for, or 0 from a server that knows no ranges. */
function beginOf({status, headers}: Answer, asked: number): number | undefined {
	if (status === 416) return undefined;
	if (status !== 206) return 0;
	if (headers.has('content-encoding')) return undefined;
	const begin = /^bytes (\d+)-/.exec(headers.get('content-range') ?? '')?.[1];
	return Number(begin) === asked ? asked : undefined;
}

type Body = {answer: Answer; begin: number};

async function write(file: RemoteFile, {answer, begin}: Body, work: Downloading): Promise<void> {
	const partial = partialOf(file, work);
	expectSize(file, answer, work);
	const handle = await openPartial(partial);
	try {
		let position = begin;
		for await (const piece of answer.pieces) {
			work.signal?.throwIfAborted();
			if (position + piece.length > file.size) {
				await removePartial(file, work);
				throw wrongSize(file, 'more', work);
			}
			await put(handle, piece, position);
			position += piece.length;
			work.onBytes(position);
		}
		if (position < file.size) throw cutShort(file, position, work);
	} catch (error) {
		throw writeFailure(partial, error);
	} finally {
		await handle.close();
	}
}

async function put(handle: FileHandle, piece: Uint8Array, position: number): Promise<void> {
	for (let at = 0; at < piece.length; ) {
		const {bytesWritten} = await handle.write(piece, at, piece.length - at, position + at);
		at += bytesWritten;
	}
}

/** Checks what has come and makes it the blob. */
async function finish(file: RemoteFile, work: Downloading): Promise<string> {
	const blob = work.cache.blob(file.etag);
	const partial = partialOf(file, work);
	const handle = await openPartial(partial);
	try {
		await handle.sync();
	} catch (error) {
		throw writeFailure(partial, error);
	} finally {
		await handle.close();
	}
	await expectContent(file, work);
	try {
		await rename(partial, blob);
	} catch (error) {
		// Another process that downloads the same has finished first.
		const isThere = systemCode(error) === 'ENOENT' && (await sizeOf(blob)) === file.size;
		if (!isThere) throw writeFailure(blob, error);
	}
	work.onBytes(file.size);
	return blob;
}

async function expectContent(file: RemoteFile, work: Downloading): Promise<void> {
	if (file.sha256 === undefined) return;
	const found = await sha256File(partialOf(file, work), work.signal);
	if (found === file.sha256) return;
	await removePartial(file, work);
	throw new EngineError(
		'HUB_ANSWER',
		`${nameOf(file, work)}: expected bytes with SHA-256 ${file.sha256}, got ${found}; ` +
			'nothing of it is kept; try again',
	);
}

/** The file as the answer has it, where that is another than the list had. */
function asAnswered(file: RemoteFile, answer: Answer): RemoteFile {
	const {first, status} = answer;
	const etag = cleanEtag(first.get('x-linked-etag') ?? first.get('etag'));
	if (etag === undefined || etag === file.etag || status >= 400) return file;
	const size = wholeSize(answer) ?? file.size;
	return {...file, etag, size, sha256: file.sha256 ?? sha256Of(etag)};
}

/** Bytes of the whole file by the headers of an answer; undefined where they do not say. */
function wholeSize({status, headers}: Answer): number | undefined {
	const isRange = status === 206;
	const text = isRange
		? /\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1]
		: headers.get('content-length');
	return text && !headers.has('content-encoding') ? Number(text) : undefined;
}

function expectSize(file: RemoteFile, answer: Answer, work: Downloading): void {
	const size = wholeSize(answer);
	if (size !== undefined && size !== file.size) throw wrongSize(file, String(size), work);
}

/** An etag as the name of a blob: without quotes and the mark of a weak one. */
export function cleanEtag(etag: string | null): string | undefined {
	const name = etag?.replace(/^W\//, '').replace(/^"(.*)"$/, '$1');
	return name !== undefined && isFileName(name) ? name : undefined;
}

/** Large files have their SHA-256 for an etag. */
export function sha256Of(etag: string): string | undefined {
	return /^[\da-f]{64}$/.test(etag) ? etag : undefined;
}

export function addressOf(
	path: string,
	{connection, commit}: Pick<Downloading, 'connection' | 'commit'>,
): string {
	const {settings, repository} = connection;
	const name = path.split('/').map(encodeURIComponent).join('/');
	return `${settings.endpoint}/${placeOf(repository)}/resolve/${encodeURIComponent(commit)}/${name}`;
}

function partialOf({etag}: RemoteFile, {cache}: Downloading): string {
	return `${cache.blob(etag)}.incomplete`;
}

/** Opened to write at any place; made if need be, never cut. */
async function openPartial(path: string): Promise<FileHandle> {
	await folderFor(path);
	try {
		return await open(path, constants.O_RDWR | constants.O_CREAT, 0o666);
	} catch (error) {
		throw writeFailure(path, error);
	}
}

async function removePartial(file: RemoteFile, work: Downloading): Promise<void> {
	const path = partialOf(file, work);
	await rm(path, {force: true}).catch(error => {
		throw writeFailure(path, error);
	});
}

function nameOf({path}: RemoteFile, {connection}: Downloading): string {
	return `${connection.repository.id}: ${path}`;
}

function wrongSize(file: RemoteFile, got: string, work: Downloading): EngineError {
	const message = `${nameOf(file, work)}: expected ${file.size} bytes, got ${got}; try again`;
	return new EngineError('HUB_ANSWER', message);
}

function cutShort(file: RemoteFile, got: number, work: Downloading): EngineError {
	return new EngineError(
		'HUB_UNREACHABLE',
		`${nameOf(file, work)}: expected ${file.size} bytes, got ${got} before the connection ended; ` +
			'the next try goes on from there',
	);
}
