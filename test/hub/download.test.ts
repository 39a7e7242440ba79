// Downloads that break, lie, hang or are stopped.

import {existsSync, readdirSync, readFileSync, rmSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test, vi} from 'vitest';
import {RepositoryCache} from '../../dist/hub/cache.js';
import {HubConnection} from '../../dist/hub/connection.js';
import {ensureBlob} from '../../dist/hub/download.js';
import {readHubSettings} from '../../dist/hub/settings.js';
import {commits, type Fault, HubServer, sha256} from './hub-server.js';
import {hubPlaces, locate, put, served} from './places.js';

const places = hubPlaces();
const weights = 'model.safetensors';
const bytes = served(places).get(weights)!;
const sha = sha256(bytes);
const half = Math.floor(bytes.length / 2);

async function faulty(kind: Fault['kind'], times = 1): Promise<{server: HubServer; cache: string}> {
	const server = await HubServer.open(served(places));
	server.faults.set(weights, {kind, times});
	return {server, cache: places.cache()};
}

function partial(cache: string): string {
	return join(cache, 'models--org--tiny', 'blobs', `${sha}.incomplete`);
}

function weightsAt(path: string): string {
	return sha256(readFileSync(join(path, weights)));
}

describe('a connection that breaks', () => {
	test('goes on from where it was', async () => {
		const {server, cache} = await faulty('cut');
		const {path} = await locate(server, cache);
		expect(weightsAt(path)).toBe(sha);
		expect(server.large(weights).map(one => one.range)).toEqual([undefined, `bytes=${half}-`]);
	});

	test('for good leaves what has come, and the next call goes on', async () => {
		const {server, cache} = await faulty('cut', 100);
		await expect(locate(server, cache)).rejects.toMatchObject({code: 'HUB_UNREACHABLE'});
		const {size} = statSync(partial(cache));
		expect(size).toBeGreaterThanOrEqual(half);
		expect(existsSync(join(cache, 'models--org--tiny', 'refs'))).toBe(false);
		expect(existsSync(join(cache, 'models--org--tiny', 'snapshots'))).toBe(false);
		server.faults.clear();
		const {path} = await locate(server, cache);
		expect(server.large(weights).at(-1)!.range).toBe(`bytes=${size}-`);
		expect(weightsAt(path)).toBe(sha);
		expect(existsSync(partial(cache))).toBe(false);
	});

	test.each<Fault['kind']>(['no ranges', 'bad range'])(
		'starts anew where there are %s',
		async kind => {
			const {server, cache} = await faulty(kind);
			put(partial(cache), bytes.subarray(0, 1000).toString('latin1'));
			const {path} = await locate(server, cache);
			expect(server.large(weights)[0]!.range).toMatch(/^bytes=\d+-$/);
			expect(weightsAt(path)).toBe(sha);
		},
	);

	test('takes a part of another content for nothing', async () => {
		const {server, cache} = await faulty('cut', 100);
		await expect(locate(server, cache)).rejects.toMatchObject({code: 'HUB_UNREACHABLE'});
		server.faults.clear();
		const other = Buffer.from(bytes).fill(3, bytes.length - 100);
		server.refs.set('main', commits.dev);
		server.trees.set(commits.dev, new Map(served(places)).set(weights, other));
		const {path} = await locate(server, cache);
		expect(server.large(weights).at(-1)!.range).toBeUndefined();
		expect(weightsAt(path)).toBe(sha256(other));
	});

	test('by silence ends in time', async () => {
		vi.stubEnv('HF_HUB_DOWNLOAD_TIMEOUT', '0.3');
		const {server, cache} = await faulty('silence', 100);
		await expect(locate(server, cache)).rejects.toMatchObject({
			code: 'HUB_UNREACHABLE',
			message: expect.stringContaining('within 0.3 s, got none; HF_HUB_DOWNLOAD_TIMEOUT'),
		});
	});

	test('by silence in the middle goes on', async () => {
		vi.stubEnv('HF_HUB_DOWNLOAD_TIMEOUT', '0.3');
		const {server, cache} = await faulty('trickle');
		const {path} = await locate(server, cache);
		expect(server.large(weights).map(one => one.range)).toEqual([undefined, `bytes=${half}-`]);
		expect(weightsAt(path)).toBe(sha);
	});
});

describe('bytes that are wrong', () => {
	test.each<[Fault['kind'], RegExp]>([
		['other bytes', /^org\/tiny: model\.safetensors: expected bytes with SHA-256 \w+, got \w+;/],
		['too long', /^org\/tiny: model\.safetensors: expected \d+ bytes, got more/],
	])('(%s) are refused and not kept', async (kind, message) => {
		const {server, cache} = await faulty(kind);
		await expect(locate(server, cache)).rejects.toMatchObject({
			code: 'HUB_ANSWER',
			message: expect.stringMatching(message),
		});
		expect(existsSync(partial(cache))).toBe(false);
		expect(existsSync(join(cache, 'models--org--tiny', 'snapshots'))).toBe(false);
		const {path} = await locate(server, cache);
		expect(weightsAt(path)).toBe(sha);
	});

	test('from an earlier download are found by the checksum', async () => {
		const server = await HubServer.open(served(places));
		const cache = places.cache();
		put(partial(cache), 'x'.repeat(bytes.length));
		await expect(locate(server, cache)).rejects.toMatchObject({code: 'HUB_ANSWER'});
		expect(existsSync(partial(cache))).toBe(false);
	});
});

describe('an abort', () => {
	test('in the middle leaves what has come, and the next call goes on', async () => {
		const {server, cache} = await faulty('trickle');
		const controller = new AbortController();
		const reason = new Error('enough');
		const loading = locate(server, cache, {signal: controller.signal});
		const isHalf = () => expect(statSync(partial(cache)).size).toBe(half);
		const stopping = vi.waitFor(isHalf, 5000).then(() => controller.abort(reason));
		await expect(loading).rejects.toBe(reason);
		await stopping;
		expect(statSync(partial(cache)).size).toBe(half);
		const {path} = await locate(server, cache);
		expect(server.large(weights).at(-1)!.range).toBe(`bytes=${half}-`);
		expect(weightsAt(path)).toBe(sha);
	});

	test('before asks for nothing', async () => {
		const server = await HubServer.open(served(places));
		const reason = new Error('no');
		const signal = AbortSignal.abort(reason);
		await expect(locate(server, places.cache(), {signal})).rejects.toBe(reason);
		expect(server.seen).toEqual([]);
	});
});

describe('two at once', () => {
	test('download each file once', async () => {
		const server = await HubServer.open(served(places));
		const cache = places.cache();
		const found = await Promise.all([locate(server, cache), locate(server, cache)]);
		expect(weightsAt(found[1].path)).toBe(sha);
		expect(server.large(weights)).toHaveLength(1);
	});

	test('without a lock do no harm', async () => {
		const {server, cache: folder} = await faulty('cut', 3);
		const settings = await readHubSettings({endpoint: server.endpoint, cache: folder});
		const file = {path: weights, size: bytes.length, etag: sha, sha256: sha};
		const cache = new RepositoryCache(folder, {id: server.id});
		const blobs = await Promise.all(
			[0, 1, 2, 3].map(async () => {
				const connection = new HubConnection(settings, {id: server.id, revision: 'main'});
				const work = {connection, cache, commit: commits.main, onBytes: () => undefined};
				return ensureBlob(file, work).finally(() => connection.dispose());
			}),
		);
		expect(new Set(blobs)).toEqual(new Set([cache.blob(sha)]));
		expect(sha256(readFileSync(blobs[0]!))).toBe(sha);
		expect(readdirSync(join(folder, 'models--org--tiny', 'blobs'))).toEqual([sha]);
	});
});

test('a cache that cannot be written to is an error that names it', async () => {
	const server = await HubServer.open(served(places));
	const cache = places.cache();
	put(cache, 'a file');
	await expect(locate(server, cache)).rejects.toMatchObject({
		code: 'FILE_WRITE',
		message: expect.stringContaining(cache),
	});
	rmSync(cache);
});

test('a blob that was taken away is downloaded again', async () => {
	const server = await HubServer.open(served(places));
	const cache = places.cache();
	await locate(server, cache);
	rmSync(join(cache, 'models--org--tiny', 'blobs', sha));
	const {path} = await locate(server, cache);
	expect(weightsAt(path)).toBe(sha);
});
