// Tokens, refusals, proxies, and what is done without a network or with a cache only for reading.

import {existsSync, readFileSync} from 'node:fs';
import {createServer, request as send} from 'node:http';
import {join} from 'node:path';
import {describe, expect, onTestFinished, test, vi} from 'vitest';
import {locateModel} from '../../dist/model/locate.js';
import {addressOf, close, commits, gitId, HubServer, listen} from './hub-server.js';
import {asReader, hubPlaces, locate, put, served, stateOf} from './places.js';

const places = hubPlaces();
const login = join(places.model, '../login');
const token = 'hf_secretsecret';

describe('a token', () => {
	test.each<[string, {token?: string}, Record<string, string>]>([
		['the option', {token}, {HF_TOKEN: 'hf_other'}],
		['HF_TOKEN', {}, {HF_TOKEN: ` ${token}\n`}],
		['the file of HF_TOKEN_PATH', {}, {HF_TOKEN_PATH: join(login, 'mine')}],
		['the file of the login', {}, {HF_HOME: login}],
	])('of %s is sent to the endpoint and to no other host', async (_, options, environment) => {
		put(join(login, 'token'), `${token}\n`);
		put(join(login, 'mine'), token);
		for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
		const server = await HubServer.open(served(places));
		server.token = token;
		await locate(server, places.cache(), options);
		const [hub, cdn] = ['hub', 'cdn'].map(one => server.seen.filter(seen => seen.server === one));
		expect(new Set(hub!.map(one => one.authorization))).toEqual(new Set([`Bearer ${token}`]));
		expect(new Set(cdn!.map(one => one.authorization))).toEqual(new Set([undefined]));
	});

	test('is not sent by itself where that is switched off', async () => {
		vi.stubEnv('HF_TOKEN', token);
		vi.stubEnv('HF_HUB_DISABLE_IMPLICIT_TOKEN', '1');
		const server = await HubServer.open(served(places));
		await locate(server, places.cache());
		expect(server.seen.filter(one => one.authorization !== undefined)).toEqual([]);
	});

	test('that is none is refused without being shown', async () => {
		vi.stubEnv('HF_TOKEN', 'hf_se cret');
		const loading = locateModel('org/tiny', {cache: places.cache()});
		await expect(loading).rejects.toMatchObject({
			code: 'OPTION_RANGE',
			message: expect.stringMatching(/^HF_TOKEN: (?!.*hf_se)/),
		});
	});
});

describe('a refusal', () => {
	test.each<[string, number, string | undefined, string, RegExp]>([
		['of an unknown id', 404, 'RepoNotFound', 'MODEL_NOT_FOUND', /folder here, or a model of this/],
		[
			'that hides the model',
			401,
			'RepoNotFound',
			'MODEL_NOT_FOUND',
			/private model needs HF_TOKEN/,
		],
		['without a token', 401, undefined, 'HUB_DENIED', /set HF_TOKEN/],
		['for gating', 403, 'GatedRepo', 'HUB_DENIED', /accept its conditions at http\S+\/org\/tiny/],
		['of a revision', 404, 'RevisionNotFound', 'MODEL_NOT_FOUND', /revision main at .* no such/],
		['for too much', 429, undefined, 'HUB_UNREACHABLE', /try again in 30 s/],
		['by a broken server', 503, undefined, 'HUB_UNREACHABLE', /status 503; try again later/],
		['of no known kind', 418, undefined, 'HUB_ANSWER', /status 418/],
	])('%s says what to do', async (_, status, reason, code, message) => {
		const server = await HubServer.open(served(places));
		const headers = {'retry-after': '30', ...(reason && {'x-error-code': reason})};
		server.refusal = {status, headers};
		const cache = places.cache();
		await expect(locate(server, cache)).rejects.toMatchObject({
			code,
			message: expect.stringMatching(message),
		});
		expect(existsSync(cache)).toBe(false);
	});

	test('of a token that does not fit does not show it', async () => {
		const server = await HubServer.open(served(places));
		server.refusal = {status: 403};
		await expect(locate(server, places.cache(), {token})).rejects.toMatchObject({
			code: 'HUB_DENIED',
			message: expect.stringMatching(/^(?!.*hf_secret).*the token that was sent does not open it/),
		});
	});

	test('of an id in the wild is one of this id', async () => {
		const server = await HubServer.open(served(places));
		const options = {endpoint: server.endpoint, cache: places.cache()};
		await expect(locateModel('org/none', options)).rejects.toMatchObject({
			code: 'MODEL_NOT_FOUND',
			message: expect.stringMatching(/^org\/none: /),
		});
	});
});

describe('an answer', () => {
	test.each(['../../evil', '/etc/evil', 'a/../../evil', 'a\\..\\evil', 'a//b', ''])(
		'with the path %j is refused and nothing is written',
		async path => {
			const server = await HubServer.open(served(places));
			server.listed.push({type: 'file', path, size: 1, oid: '1'.repeat(40)});
			const cache = places.cache();
			await expect(locate(server, cache)).rejects.toMatchObject({
				code: 'HUB_ANSWER',
				message: expect.stringContaining('expected paths inside the repository'),
			});
			expect(existsSync(cache)).toBe(false);
		},
	);

	test('with an etag that leaves the folder is refused', async () => {
		const server = await HubServer.open(served(places));
		server.listed.push({type: 'file', path: 'merges.txt', size: 1, oid: '../../evil'});
		await expect(locate(server, places.cache())).rejects.toMatchObject({code: 'HUB_ANSWER'});
	});

	test('with a commit that leaves the folder is refused', async () => {
		const server = await HubServer.open(served(places));
		server.refs.set('main', '../../evil');
		await expect(locate(server, places.cache())).rejects.toMatchObject({code: 'HUB_ANSWER'});
	});

	test('that is a page for people is no answer of a hub', async () => {
		const portal = createServer((_, response) => response.end('<html>log in</html>'));
		await listen(portal);
		onTestFinished(() => close(portal));
		const options = {endpoint: addressOf(portal), cache: places.cache()};
		await expect(locateModel('org/tiny', options)).rejects.toMatchObject({
			code: 'HUB_ANSWER',
			message: expect.stringContaining('expected an answer of a hub'),
		});
	});

	test('without weights is no model', async () => {
		const tree = new Map(served(places));
		for (const name of ['model.safetensors', 'pytorch_model.bin']) tree.delete(name);
		const server = await HubServer.open(tree);
		await expect(locate(server, places.cache())).rejects.toMatchObject({
			code: 'MODEL_NOT_FOUND',
			message: expect.stringContaining('a repository without model.safetensors'),
		});
	});
});

describe('without a network', () => {
	test('the cache is used, and that is said', async () => {
		const server = await HubServer.open(served(places));
		const cache = places.cache();
		const {path} = await locate(server, cache);
		const {endpoint} = server;
		await server.close();
		expect(await locateModel(server.id, {endpoint, cache})).toEqual({
			path,
			warnings: [
				expect.stringMatching(/ECONNREFUSED.*; commit aaaaaaaaaaaa of the cache is used$/),
			],
		});
	});

	test('and without a cache there is one sentence', async () => {
		const server = await HubServer.open(served(places));
		const {endpoint} = server;
		await server.close();
		const cache = places.cache();
		await expect(locateModel(server.id, {endpoint, cache})).rejects.toMatchObject({
			code: 'HUB_UNREACHABLE',
			message: expect.stringMatching(/^127\.0\.0\.1:\d+: expected an answer, got .*ECONNREFUSED/),
		});
	});

	test.each(['ftp://x', 'no address', 'http://name:password@host'])(
		'an endpoint %j is refused',
		async endpoint => {
			await expect(locateModel('org/tiny', {endpoint})).rejects.toMatchObject({
				code: 'OPTION_RANGE',
				message: expect.stringMatching(/^endpoint: (?!.*password@)/),
			});
		},
	);
});

describe('a cache only for reading', () => {
	test('that has everything is enough, and nothing is written', async () => {
		const server = await HubServer.open(served(places));
		const cache = places.cache();
		const first = await locate(server, cache);
		const before = stateOf(cache);
		expect(await asReader(cache, () => locate(server, cache))).toEqual(first);
		expect(stateOf(cache)).toEqual(before);
	});

	test('gives the commit it has when the branch has moved, and says so', async () => {
		const server = await HubServer.open(served(places));
		const cache = places.cache();
		const {path} = await locate(server, cache);
		server.refs.set('main', commits.dev);
		server.trees.set(commits.dev, new Map(served(places)).set('vocab.txt', Buffer.from('[UNK]')));
		const found = await asReader(cache, () => locate(server, cache));
		expect(found.path).toBe(path);
		expect(found.warnings).toEqual([expect.stringContaining('of the cache is used')]);
	});
});

describe('a proxy', () => {
	/** One that forwards requests with whole addresses, and keeps them. */
	async function openProxy(): Promise<{address: string; asked: string[]}> {
		const asked: string[] = [];
		const proxy = createServer((incoming, response) => {
			asked.push(incoming.url ?? '');
			const {method = 'GET', headers} = incoming;
			const forwarded = send(incoming.url ?? '', {method, headers}, answer => {
				response.writeHead(answer.statusCode ?? 502, answer.headers);
				answer.pipe(response);
			});
			forwarded.end();
		});
		proxy.on('connect', ({url}, socket) => {
			asked.push(`CONNECT ${url}`);
			socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
		});
		await listen(proxy);
		onTestFinished(() => close(proxy));
		return {address: addressOf(proxy), asked};
	}

	test.each(['HTTP_PROXY', 'http_proxy'])('of %s carries every request', async variable => {
		const {address, asked} = await openProxy();
		vi.stubEnv(variable, address);
		const server = await HubServer.open(served(places));
		const {path} = await locate(server, places.cache());
		expect(asked).toHaveLength(server.seen.length);
		const weights = readFileSync(join(path, 'model.safetensors'));
		expect(gitId(weights)).toBe(gitId(served(places).get('model.safetensors')!));
	});

	test.each(['NO_PROXY', 'no_proxy'])('is passed by for the hosts of %s', async variable => {
		const {address, asked} = await openProxy();
		vi.stubEnv('HTTP_PROXY', address);
		vi.stubEnv(variable, 'example.org,127.0.0.1');
		const server = await HubServer.open(served(places));
		await locate(server, places.cache());
		expect(asked).toEqual([]);
	});

	test('of HTTPS_PROXY is asked for a tunnel', async () => {
		const {address, asked} = await openProxy();
		vi.stubEnv('HTTPS_PROXY', address.replace('http://', ''));
		const options = {endpoint: 'https://hub.invalid', cache: places.cache()};
		await expect(locateModel('org/tiny', options)).rejects.toMatchObject({
			code: 'HUB_UNREACHABLE',
			message: expect.stringContaining('403'),
		});
		expect(asked).toEqual(['CONNECT hub.invalid:443']);
	});

	test('that is no address is refused without being shown', async () => {
		vi.stubEnv('HTTPS_PROXY', 'gopher://name:password@host');
		await expect(locateModel('org/tiny', {cache: places.cache()})).rejects.toMatchObject({
			code: 'OPTION_RANGE',
			message: expect.stringMatching(/^HTTPS_PROXY: (?!.*password)/),
		});
	});
});
