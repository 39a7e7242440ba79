// Files of a data set of the hub in the cache: taken from there, or downloaded, its card first. What a
// commit holds is kept beside its snapshot, so that without the network it is known whether all of it
// is there.

import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {EngineError} from '../errors.js';
import {writeFileAtomic} from '../files/output.js';
import {folderFor, isCommit, isReadOnly, RepositoryCache, sizeOf} from './cache.js';
import {HubConnection} from './connection.js';
import {configsOf, type DataConfig} from './data-configs.js';
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
	/** What they are in a data set of corpus, queries and judgements. */
	retrieval?: Record<'corpus' | 'queries' | 'qrels', string[]>;
}

const cardName = 'README.md';
const longestCard = 2 ** 22;

/**
The files of a data set, downloaded as far as they are not there. Judgements that it lacks are those of
the data set `<name>-qrels`.
*/
export async function openDataSet(
	dataSet: DataSetId,
	settings: HubSettings,
	options: SnapshotOptions = {},
): Promise<DataSnapshot> {
	const found = await openOne(dataSet, settings, options);
	const {retrieval} = found;
	if (retrieval === undefined || retrieval.qrels.length > 0) return found;
	const id = `${dataSet.id}-qrels`;
	const beside = {...dataSet, id, revision: 'main'};
	const judged = await openOne(beside, settings, options).catch((error: unknown) => {
		const isAbsent = error instanceof EngineError && error.code === 'FILE_NOT_FOUND';
		if (!isAbsent) throw error;
		const expected = `expected judgements in it, or in the data set ${id}`;
		const message = `${dataSet.id}: ${expected}, got none (${error.message})`;
		throw new EngineError('FILE_NOT_FOUND', message, {cause: error});
	});
	return {
		paths: [...found.paths, ...judged.paths],
		warnings: [...found.warnings, ...judged.warnings, `judgements of ${id} are used`],
		retrieval: {...retrieval, qrels: judged.paths},
	};
}

async function openOne(
	dataSet: DataSetId,
	settings: HubSettings,
	options: SnapshotOptions,
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
	const isThere = async (name: string) =>
		(await sizeOf(join(cache.snapshot(commit), name))) === files.get(name);
	if (hasCard(files.get(cardName)) && !(await isThere(cardName))) return;
	const {configs, left} = await readCard(cache, commit, files.get(cardName));
	const chosen = chooseDataFiles([...files.keys()], dataSet, configs);
	for (const name of chosen.files) if (!(await isThere(name))) return;
	return snapshotOf(cache, commit, {...chosen, left: [...left, ...chosen.left]});
}

/** Whether there is a card, of a size that can be one. */
function hasCard(size: number | undefined): boolean {
	return size !== undefined && size <= longestCard;
}

/** The configurations of the card of a snapshot; of one that cannot be read none, which is said. */
async function readCard(
	cache: RepositoryCache,
	commit: string,
	size: number | undefined,
): Promise<{configs: DataConfig[]; left: string[]}> {
	if (!hasCard(size)) return {configs: [], left: []};
	const card = await readFile(join(cache.snapshot(commit), cardName), 'utf8');
	try {
		return {configs: configsOf(card), left: []};
	} catch {
		return {configs: [], left: [`${cardName}: its configurations cannot be read`]};
	}
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
	const get = async (names: readonly string[]) => {
		const absent: RemoteFile[] = [];
		for (const name of names) {
			const file = files.get(name)!;
			if ((await sizeOf(join(cache.snapshot(commit), name))) !== file.size) absent.push(file);
		}

		if (absent.length === 0) return;
		const lock = await cache.lock(signal);
		const work = {connection, cache, commit, signal, onBytes: () => undefined};
		await download(absent, work, options).finally(() => lock.release());
	};
	const card = files.get(cardName)?.size;
	if (hasCard(card)) await get([cardName]);
	const {configs, left} = await readCard(cache, commit, card);
	const chosen = chooseDataFiles([...files.keys()], dataSet, configs);
	await get(chosen.files);

	await remember(cache, {commit, revision: dataSet.revision, listed}).catch(error => {
		if (!isReadOnly(error)) throw error;
	});
	return snapshotOf(cache, commit, {...chosen, left: [...left, ...chosen.left]});
}

function snapshotOf(
	cache: RepositoryCache,
	commit: string,
	{files, left, retrieval}: DataFiles,
): DataSnapshot {
	const pathsOf = (names: readonly string[]) =>
		names.map(name => join(cache.snapshot(commit), name));
	const paths = pathsOf(files);
	if (retrieval === undefined) return {paths, warnings: left};
	const {corpus, queries, qrels} = retrieval;
	const placed = {corpus: pathsOf(corpus), queries: pathsOf(queries), qrels: pathsOf(qrels)};
	return {paths, warnings: left, retrieval: placed};
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
