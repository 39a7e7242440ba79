// A model of the hub as a folder of the cache: taken from there, or downloaded whole. All files land
// before the revision's name does, and a snapshot counts only when everything that a model needs is in it.

import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {EngineError} from '../errors.js';
import {isCommit, isReadOnly, RepositoryCache, sizeOf} from './cache.js';
import {chooseFiles} from './choose.js';
import {HubConnection} from './connection.js';
import {type Downloading, ensureBlob, type RemoteFile} from './download.js';
import type {RepositoryId} from './id.js';
import {listRepository, type Revision, resolveRevision} from './listing.js';
import type {HubSettings} from './settings.js';

export type DownloadProgress = {
	/** Of the repository. */
	file: string;
	/** Bytes of all files of the model that are there, and of how many. */
	received: number;
	total: number;
};

export type Snapshot = {path: string; warnings: string[]};

export type SnapshotOptions = {
	signal?: AbortSignal | undefined;
	onProgress?: ((progress: DownloadProgress) => void) | undefined;
};

const atOnce = 4;

/** The folder of a model, downloaded as far as it is not there. */
export async function openSnapshot(
	model: RepositoryId,
	settings: HubSettings,
	options: SnapshotOptions = {},
): Promise<Snapshot> {
	const cache = new RepositoryCache(settings.cache, model);
	if (settings.isOffline) return offlineSnapshot(cache, model, settings);
	const commit = isCommit(model.revision) ? model.revision : undefined;
	// A commit never changes; with modules.json it is known what else belongs to the model.
	if (commit && (await isWhole(cache, commit))) return {path: cache.snapshot(commit), warnings: []};
	const connection = new HubConnection(settings, model);
	try {
		return await onlineSnapshot(cache, connection, options);
	} catch (error) {
		options.signal?.throwIfAborted();
		const cached = isExcused(error) ? await cachedCommit(cache, model) : {};
		if (!(error instanceof EngineError) || cached.commit === undefined) throw error;
		const used = `commit ${cached.commit.slice(0, 12)} of the cache is used`;
		return {path: cache.snapshot(cached.commit), warnings: [`${error.message}; ${used}`]};
	} finally {
		await connection.dispose();
	}
}

/** Whether what the cache has may stand in, aloud: no network, or a cache that is only for reading. */
export function isExcused(error: unknown): boolean {
	return (error instanceof EngineError && error.code === 'HUB_UNREACHABLE') || isReadOnly(error);
}

async function offlineSnapshot(
	cache: RepositoryCache,
	{id, revision}: RepositoryId,
	settings: HubSettings,
): Promise<Snapshot> {
	const {commit, missing} = await cachedCommit(cache, {id, revision});
	if (commit !== undefined) return {path: cache.snapshot(commit), warnings: []};
	const got = missing ? `a part without ${missing}` : 'none';
	throw new EngineError(
		'MODEL_NOT_FOUND',
		`${id}: expected a folder here, or a snapshot of ${revision} in ${settings.cache}, got ${got}; ` +
			'offline nothing is downloaded',
	);
}

/** What the cache has for a revision: a usable commit, or what it lacks. */
async function cachedCommit(
	cache: RepositoryCache,
	{revision}: RepositoryId,
): Promise<{commit?: string; missing?: string}> {
	const commit = await cache.commitOf(revision);
	if (commit === undefined) return {};
	const names = await cache.names(commit);
	if (names.length === 0) return {};
	const {missing} = await chooseLocal(cache, commit, names);
	return missing[0] === undefined ? {commit} : {missing: missing[0]};
}

async function isWhole(cache: RepositoryCache, commit: string): Promise<boolean> {
	const names = await cache.names(commit);
	if (!names.includes('modules.json')) return false;
	return (await chooseLocal(cache, commit, names)).missing.length === 0;
}

function chooseLocal(cache: RepositoryCache, commit: string, names: readonly string[]) {
	return chooseFiles(names, name => readJson(join(cache.snapshot(commit), name)));
}

async function onlineSnapshot(
	cache: RepositoryCache,
	connection: HubConnection,
	options: SnapshotOptions,
): Promise<Snapshot> {
	const {signal} = options;
	const {revision} = connection.repository;
	const found = await resolveRevision(connection, signal);
	const {commit} = found;
	if (!(await isWhole(cache, commit))) await complete(cache, connection, {found, options});
	await cache.putRef(revision, commit).catch(error => {
		// The model is there; that the cache cannot remember the name takes nothing away.
		if (!isReadOnly(error)) throw error;
	});
	return {path: cache.snapshot(commit), warnings: []};
}

type Wanted = {found: Revision; options: SnapshotOptions};

/** Downloads what the snapshot lacks. Nothing is written when it lacks nothing. */
async function complete(
	cache: RepositoryCache,
	connection: HubConnection,
	{found, options}: Wanted,
): Promise<void> {
	const {signal} = options;
	const {commit} = found;
	const files = new Map(
		(await listRepository(connection, found, signal)).map(file => [file.path, file]),
	);
	const work = {connection, cache, commit, signal, onBytes: () => undefined};
	const choice = await chooseFiles([...files.keys()], async name => {
		const place = join(cache.snapshot(commit), name);
		const file = files.get(name)!;
		const isThere = (await sizeOf(place)) === file.size;
		return readJson(isThere ? place : await ensureBlob(file, work));
	});
	expectModel(choice.missing, connection.repository);
	const chosen = choice.files.map(name => files.get(name)!);
	const sizes = await Promise.all(
		chosen.map(({path}) => sizeOf(join(cache.snapshot(commit), path))),
	);
	const absent = chosen.filter((file, index) => sizes[index] !== file.size);
	if (absent.length === 0) return;
	const lock = await cache.lock(signal);
	try {
		await download(absent, work, options);
	} finally {
		lock.release();
	}
}

function expectModel(missing: readonly string[], {id, revision}: RepositoryId): void {
	if (missing.length === 0) return;
	throw new EngineError(
		'MODEL_NOT_FOUND',
		`${id}: expected config.json and weights as safetensors or pytorch_model.bin at ${revision}, ` +
			`got a repository without ${missing.slice(0, 3).join(', ')}`,
	);
}

/** All blobs first, then the links; config.json last, since without it a snapshot is none. */
export async function download(
	files: readonly RemoteFile[],
	work: Downloading,
	{signal, onProgress}: SnapshotOptions,
): Promise<void> {
	const {cache, commit, connection} = work;
	const received = new Map<string, number>();
	const total = files.reduce((sum, {size}) => sum + size, 0);
	const stop = new AbortController();
	const both = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
	const blobs = await eachOf(files, stop, file =>
		ensureBlob(file, {
			...work,
			signal: both,
			onBytes(bytes) {
				received.set(file.path, bytes);
				const sum = [...received.values()].reduce((a, b) => a + b, 0);
				onProgress?.({file: file.path, received: sum, total});
			},
		}),
	);
	const places = files.map(({path}, index) => ({path, blob: blobs[index]!}));
	const isLast = ({path}: {path: string}) => Number(path.endsWith('config.json'));
	for (const {path, blob} of places.sort((a, b) => isLast(a) - isLast(b))) {
		await cache.link(commit, path, {blob, hasLinks: connection.settings.hasLinks});
	}
}

/** A few at once, in order; after a failure the others are stopped before it is thrown. */
async function eachOf<T, R>(
	items: readonly T[],
	stop: AbortController,
	work: (item: T) => Promise<R>,
): Promise<R[]> {
	const results: R[] = [];
	let next = 0;
	const run = async () => {
		while (next < items.length) {
			const index = next++;
			results[index] = await work(items[index]!);
		}
	};
	const runs = Array.from({length: Math.min(atOnce, items.length)}, () =>
		run().catch(error => {
			stop.abort(error);
			throw error;
		}),
	);
	await Promise.allSettled(runs);
	// The first failure is the reason that the others were stopped for.
	stop.signal.throwIfAborted();
	return results;
}

/** Undefined for what is no JSON: its reader says so better. */
async function readJson(path: string): Promise<unknown> {
	try {
		return JSON.parse(await readFile(path, 'utf8'));
	} catch {
		return undefined;
	}
}
