// What a repository holds at a revision: its commit and its files, by the hub's own client. Nothing
// that leaves the folder passes here.

import {datasetInfo, listFiles, modelInfo} from '@huggingface/hub';
import {EngineError} from '../errors.js';
import {isFileName} from './cache.js';
import type {HubConnection} from './connection.js';
import {addressOf, cleanEtag, type RemoteFile, sha256Of} from './download.js';
import {isInside} from './id.js';

export type Revision = {
	commit: string;
	/** The names of the files, for servers that have no listing. */
	names: readonly string[];
};

const mostFiles = 100_000;

/** What a branch, a tag or a short commit is right now. */
export async function resolveRevision(
	connection: HubConnection,
	signal?: AbortSignal,
): Promise<Revision> {
	const {settings, repository} = connection;
	const {id: name, revision, kind} = repository;
	const info = await page(connection, signal, async fetch => {
		const asked = {name, revision, hubUrl: settings.endpoint, fetch};
		if (kind === undefined) return modelInfo({...asked, additionalFields: ['sha', 'filePaths']});
		return {...(await datasetInfo({...asked, additionalFields: ['sha']})), filePaths: []};
	});
	const {sha, filePaths} = info;
	if (typeof sha !== 'string' || !isFileName(sha)) {
		const got = 'an answer without one';
		const message = `${repository.id}: expected the commit of ${repository.revision}, got ${got}`;
		throw new EngineError('HUB_ANSWER', message);
	}
	return {commit: sha, names: filePaths.filter(name => typeof name === 'string')};
}

/** All files of a commit. A mirror without the listing is asked for each file that it named. */
export async function listRepository(
	connection: HubConnection,
	{commit, names}: Revision,
	signal?: AbortSignal,
): Promise<RemoteFile[]> {
	try {
		return await listTree(connection, commit, signal);
	} catch (error) {
		const isAbsent = error instanceof EngineError && /^(MODEL|FILE)_NOT_FOUND$/.test(error.code);
		if (!isAbsent || names.length === 0) throw error;
	}
	const files: RemoteFile[] = [];
	for (const path of names) {
		expectInside(path, connection);
		files.push(await describe(path, {connection, commit, signal}));
	}
	return files;
}

async function listTree(
	connection: HubConnection,
	commit: string,
	signal?: AbortSignal,
): Promise<RemoteFile[]> {
	const {settings, repository} = connection;
	return page(connection, signal, async fetch => {
		const repo = {type: repository.kind ?? 'model', name: repository.id} as const;
		const options = {repo, revision: commit, recursive: true, hubUrl: settings.endpoint, fetch};
		const files: RemoteFile[] = [];
		for await (const {type, path, size, oid, lfs} of listFiles(options)) {
			expectInside(path, connection);
			if (type !== 'file') continue;
			files.push(remoteFile({path, size: lfs?.size ?? size, etag: lfs?.oid ?? oid}, connection));
			if (files.length > mostFiles) {
				const message = `${repository.id}: expected at most ${mostFiles} files, got more`;
				throw new EngineError('HUB_ANSWER', message);
			}
		}
		return files;
	});
}

type Place = {connection: HubConnection; commit: string; signal?: AbortSignal | undefined};

async function describe(path: string, {connection, commit, signal}: Place): Promise<RemoteFile> {
	const request = {method: 'HEAD', headers: {'accept-encoding': 'identity'}, signal} as const;
	const answer = await connection.request(addressOf(path, {connection, commit}), request);
	await answer.close();
	const {first, headers} = answer;
	const size = first.get('x-linked-size') ?? headers.get('content-length');
	const etag = cleanEtag(first.get('x-linked-etag') ?? first.get('etag'));
	return remoteFile({path, size: size === null ? undefined : Number(size), etag}, connection);
}

type Said = {path: string; size: number | undefined; etag: string | undefined};

function remoteFile({path, size, etag}: Said, {repository}: HubConnection): RemoteFile {
	const isSize = typeof size === 'number' && Number.isSafeInteger(size) && size >= 0;
	if (isSize && typeof etag === 'string' && isFileName(etag)) {
		return {path, size, etag, sha256: sha256Of(etag)};
	}
	const message = `${repository.id}: expected size and etag of ${path}, got an answer without them`;
	throw new EngineError('HUB_ANSWER', message);
}

function expectInside(path: unknown, {repository}: HubConnection): void {
	if (typeof path === 'string' && isInside(path)) return;
	throw new EngineError(
		'HUB_ANSWER',
		`${repository.id}: expected paths inside the repository, got ${JSON.stringify(path)}`,
	);
}

/** Pages by the hub's client; what is no answer of a hub at all is said to be so. */
async function page<T>(
	connection: HubConnection,
	signal: AbortSignal | undefined,
	read: (fetch: typeof globalThis.fetch) => Promise<T>,
): Promise<T> {
	try {
		return await read(connection.fetching(signal));
	} catch (error) {
		signal?.throwIfAborted();
		if (error instanceof EngineError) throw error;
		const {settings, repository} = connection;
		const reason = error instanceof Error ? error.message : String(error);
		throw new EngineError(
			'HUB_ANSWER',
			`${repository.id}: expected an answer of a hub from ${settings.endpoint}, got another: ${reason}`,
			{cause: error},
		);
	}
}
