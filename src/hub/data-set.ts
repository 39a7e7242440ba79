// Files of a data set of the hub in the cache: taken from there, or downloaded. What a commit holds is
// kept beside its snapshot, so that without the network it is known whether all of it is there.

import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {EngineError} from '../errors.js';
import {writeFileAtomic} from '../files/output.js';
import {folderFor, isCommit, isReadOnly, RepositoryCache, sizeOf} from './cache.js';
import {HubConnection} from './connection.js';
import {chooseDataFiles, type DataFiles} from './data-files.js';
import type {RemoteFile} from './download.js';
import type {DataSetId} from './id.js';
import {listRepository, resolveRevision} from './listing.js';
import type {HubSettings} from './settings.js';
import {download, isExcused, type SnapshotOptions} from './snapshot.js';

/** The files chosen, where they lie, and what to say of them. */
export interface DataSnapshot {
	paths: string[];
	warnings: string[];
}

/** The files of a data set, downloaded as far as they are not there. */
export async function openDataSet(
	dataSet: DataSetId,
	settings: HubSettings,
	options: SnapshotOptions = {},
): Promise<DataSnapshot> {
	const cache = new RepositoryCache(settings.cache, dataSet);
	const cached = settings.isOffline || isCommit(dataSet.revision);
	const known = cached ? await inCache(cache, dataSet) : undefined;
	if (known !== undefined) return known;
	if (settings.isOffline) refuseOffline(dataSet, settings);
	const connection = new HubConnection(settings, dataSet);
	try {
		return await fromHub(cache, connection, {dataSet, options});
	} catch (error) {
		options.signal?.throwIfAborted();
		const found = isExcused(error) ? await inCache(cache, dataSet) : undefined;
		if (!(error instanceof EngineError) || found === undefined) throw error;
		const said = `${error.message}; what the cache has is used`;
		return {...found, warnings: [said, ...found.warnings]};
	} finally {
		await connection.dispose();
	}
}

function refuseOffline({id, revision}: DataSetId, {cache}: HubSettings): never {
	const expected = `expected its files at ${revision} in ${cache}, got not all of them`;
	throw new EngineError('FILE_NOT_FOUND', `${id}: ${expected}; offline nothing is downloaded`);
}

/** What the cache has of a data set, if it is all that is asked for. */
async function inCache(
	cache: RepositoryCache,
	dataSet: DataSetId,
): Promise<DataSnapshot | undefined> {
	const commit = await cache.commitOf(dataSet.revision);
	const files = commit === undefined ? undefined : await readListing(cache, commit);
	if (commit === undefined || files === undefined) return;
	const chosen = chooseDataFiles([...files.keys()], dataSet);
	for (const name of chosen.files) {
		if ((await sizeOf(join(cache.snapshot(commit), name))) !== files.get(name)) return;
	}

	return snapshotOf(cache, commit, chosen);
}

async function fromHub(
	cache: RepositoryCache,
	connection: HubConnection,
	{dataSet, options}: {dataSet: DataSetId; options: SnapshotOptions},
): Promise<DataSnapshot> {
	const {signal} = options;
	const found = await resolveRevision(connection, signal);
	const {commit} = found;
	const listed = await listRepository(connection, found, signal);
	const files = new Map(listed.map(file => [file.path, file]));
	const chosen = chooseDataFiles([...files.keys()], dataSet);
	const absent: RemoteFile[] = [];
	for (const name of chosen.files) {
		const file = files.get(name)!;
		if ((await sizeOf(join(cache.snapshot(commit), name))) !== file.size) absent.push(file);
	}

	if (absent.length > 0) {
		const lock = await cache.lock(signal);
		const work = {connection, cache, commit, signal, onBytes: () => undefined};
		await download(absent, work, options).finally(() => lock.release());
	}

	await remember(cache, {commit, revision: dataSet.revision, listed}).catch(error => {
		if (!isReadOnly(error)) throw error;
	});
	return snapshotOf(cache, commit, chosen);
}

function snapshotOf(
	cache: RepositoryCache,
	commit: string,
	{files, left}: DataFiles,
): DataSnapshot {
	return {paths: files.map(name => join(cache.snapshot(commit), name)), warnings: left};
}

/** Keeps the sizes of all files of a commit, and then which commit the revision is. */
async function remember(
	cache: RepositoryCache,
	{commit, revision, listed}: {commit: string; revision: string; listed: readonly RemoteFile[]},
): Promise<void> {
	const place = listingOf(cache, commit);
	const sizes = Object.fromEntries(listed.map(({path, size}) => [path, size]));
	await folderFor(place);
	await writeFileAtomic(place, JSON.stringify(sizes));
	await cache.putRef(revision, commit);
}

async function readListing(
	cache: RepositoryCache,
	commit: string,
): Promise<Map<string, number> | undefined> {
	try {
		const sizes: unknown = JSON.parse(await readFile(listingOf(cache, commit), 'utf8'));
		return new Map(Object.entries(sizes as Record<string, number>));
	} catch {
		return;
	}
}

function listingOf(cache: RepositoryCache, commit: string): string {
	return join(cache.folder, '.inbatch', `${commit}.json`);
}
