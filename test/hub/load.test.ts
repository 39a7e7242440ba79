// Models by their id: what is downloaded, where it lies, and when nothing is asked for.

import {existsSync, lstatSync, readdirSync, readFileSync, readlinkSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test, vi} from 'vitest';
import {locateModel} from '../../dist/model/locate.js';
import {load} from '../model/folders.js';
import {commits, gitId, HubServer, sha256} from './hub-server.js';
import {hubPlaces, locate, put, served, unneeded} from './places.js';

const places = hubPlaces();
const texts = ['a text', 'another, longer text'];

const needed = [
	'1_Pooling/config.json',
	'config.json',
	'config_sentence_transformers.json',
	'model.safetensors',
	'modules.json',
	'special_tokens_map.json',
	'tokenizer.json',
	'tokenizer_config.json',
	'vocab.txt',
];

function filesOf(folder: string): string[] {
	const entries = readdirSync(folder, {recursive: true, withFileTypes: true});
	const files = entries.filter(entry => !entry.isDirectory());
	return files.map(one => join(one.parentPath, one.name).slice(folder.length + 1)).sort();
}

describe('a model of the hub', () => {
	test('gives the vectors that its folder gives', async () => {
		const server = await HubServer.open(served(places));
		const options = {endpoint: server.endpoint, cache: places.cache()};
		const [there, here] = [await load(server.id, options), await load(places.model)];
		expect(there.prompts).toEqual({query: 'query: '});
		expect((await there.encode(texts)).data).toEqual((await here.encode(texts)).data);
	});

	test('is downloaded without what embedding does not need', async () => {
		const server = await HubServer.open(served(places));
		const {path} = await locate(server, places.cache());
		expect(filesOf(path)).toEqual(needed);
		const asked = new Set(server.files.map(one => one.path));
		expect(unneeded.filter(name => [...asked].some(one => one.endsWith(`/${name}`)))).toEqual([]);
		expect(server.large('model.safetensors')).toHaveLength(1);
	});

	test('lies in the cache as the reference client lays it', async () => {
		const tree = served(places);
		const server = await HubServer.open(tree);
		const cache = places.cache();
		const {path, warnings} = await locate(server, cache);
		const folder = join(cache, 'models--org--tiny');
		expect(warnings).toEqual([]);
		expect(path).toBe(join(folder, 'snapshots', commits.main));
		expect(readFileSync(join(folder, 'refs', 'main'), 'utf8')).toBe(commits.main);
		const blobs = [gitId(tree.get('config.json')!), sha256(tree.get('model.safetensors')!)];
		expect(readdirSync(join(folder, 'blobs'))).toEqual(expect.arrayContaining(blobs));
		expect(readlinkSync(join(path, 'config.json'))).toBe(`../../blobs/${blobs[0]}`);
		expect(readlinkSync(join(path, '1_Pooling', 'config.json'))).toMatch(
			/^\.\.\/\.\.\/\.\.\/blobs\/[\da-f]{40}$/,
		);
		expect(readFileSync(join(path, 'vocab.txt'))).toEqual(tree.get('vocab.txt'));
		expect(filesOf(folder).filter(name => /incomplete|tmp|lock/.test(name))).toEqual([]);
	});

	test('is copied where links are switched off', async () => {
		vi.stubEnv('HF_HUB_DISABLE_SYMLINKS', '1');
		const server = await HubServer.open(served(places));
		const {path} = await locate(server, places.cache());
		expect(lstatSync(join(path, 'model.safetensors')).isFile()).toBe(true);
		expect(filesOf(path)).toEqual(needed);
	});

	test('that is there is not downloaded again', async () => {
		const server = await HubServer.open(served(places));
		const cache = places.cache();
		const first = await locate(server, cache);
		const count = server.files.length;
		expect(await locate(server, cache)).toEqual(first);
		expect(server.files).toHaveLength(count);
	});

	test('reports its progress up to all of its bytes', async () => {
		const server = await HubServer.open(served(places));
		const progress: {received: number; total: number}[] = [];
		await locate(server, places.cache(), {onProgress: step => progress.push(step)});
		expect(progress.at(-1)!.received).toBe(progress.at(-1)!.total);
	});

	test('is completed where another program has downloaded a part', async () => {
		const tree = served(places);
		const server = await HubServer.open(tree);
		const cache = places.cache();
		const folder = join(cache, 'models--org--tiny');
		put(join(folder, 'refs', 'main'), commits.main);
		put(
			join(folder, 'snapshots', commits.main, 'config.json'),
			tree.get('config.json')!.toString(),
		);
		const {path} = await locate(server, cache);
		expect(filesOf(path)).toEqual(needed);
		expect(server.files.some(one => one.path.endsWith(`${commits.main}/config.json`))).toBe(false);
	});

	test('comes from a mirror that lists names only', async () => {
		const server = await HubServer.open(served(places));
		server.hasListing = false;
		server.prefix = '/api/hub/mirror';
		vi.stubEnv('HF_ENDPOINT', `${server.endpoint}/`);
		const {path} = await locateModel(server.id, {cache: places.cache()});
		expect(filesOf(path)).toEqual(needed);
		expect(server.large('model.safetensors').filter(one => one.method === 'GET')).toHaveLength(1);
	});
});

describe('a revision', () => {
	test.each([
		['main', commits.main],
		['dev', commits.dev],
		['v1.0', commits['v1.0']],
		[commits.dev, commits.dev],
	])('%s is commit %s', async (revision, commit) => {
		const server = await HubServer.open(served(places));
		const {path} = await locate(server, places.cache(), {revision});
		expect(path.endsWith(`/snapshots/${commit}`)).toBe(true);
		expect(server.large('model.safetensors')[0]!.path).toContain(commit);
	});

	test('may stand behind the id', async () => {
		const server = await HubServer.open(served(places));
		const options = {endpoint: server.endpoint, cache: places.cache()};
		const {path} = await locateModel('org/tiny@v1.0', options);
		expect(path.endsWith(commits['v1.0'])).toBe(true);
		await expect(locateModel('org/tiny@v1.0', {...options, revision: 'dev'})).rejects.toMatchObject(
			{code: 'OPTION_CONFLICT'},
		);
	});

	test('that is a commit in the cache asks for nothing', async () => {
		const server = await HubServer.open(served(places));
		const cache = places.cache();
		await locate(server, cache, {revision: commits.dev});
		const count = server.seen.length;
		await locate(server, cache, {revision: commits.dev});
		expect(server.seen).toHaveLength(count);
	});

	test('that moves takes only what has changed', async () => {
		const server = await HubServer.open(served(places));
		const cache = places.cache();
		await locate(server, cache);
		const other = Buffer.from('{"prompts": {"query": "other: "}}');
		server.refs.set('main', commits.dev);
		server.trees.set(
			commits.dev,
			new Map(served(places)).set('config_sentence_transformers.json', other),
		);
		const count = server.files.length;
		const {path} = await locate(server, cache);
		expect(readFileSync(join(path, 'config_sentence_transformers.json'))).toEqual(other);
		const again = server.files.slice(count).map(one => one.path.split(`${commits.dev}/`)[1]);
		expect(again).toEqual(['config_sentence_transformers.json']);
	});

	test.each(['../main', 'a b', 'a/../../b', ''])('%j is none', async revision => {
		const server = await HubServer.open(served(places));
		await expect(locate(server, places.cache(), {revision})).rejects.toMatchObject({
			code: 'OPTION_RANGE',
		});
		expect(server.seen).toEqual([]);
	});
});

describe('offline', () => {
	test.each([
		['by its option', {offline: true}, {}],
		['by HF_HUB_OFFLINE', {}, {HF_HUB_OFFLINE: '1'}],
		['by TRANSFORMERS_OFFLINE', {}, {TRANSFORMERS_OFFLINE: 'yes'}],
	])('the cache is enough, %s', async (_, options, environment) => {
		const server = await HubServer.open(served(places));
		const cache = places.cache();
		const first = await locate(server, cache);
		const count = server.seen.length;
		for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
		expect(await locate(server, cache, options)).toEqual(first);
		expect(server.seen).toHaveLength(count);
	});

	test('what the cache does not have is an error and no folder', async () => {
		const server = await HubServer.open(served(places));
		const cache = places.cache();
		await expect(locate(server, cache, {offline: true})).rejects.toMatchObject({
			code: 'MODEL_NOT_FOUND',
			message: expect.stringMatching(
				/^org\/tiny: expected .* snapshot of main in .*, got none; off/,
			),
		});
		expect(server.seen).toEqual([]);
		expect(existsSync(cache)).toBe(false);
	});

	test('a part of a model is said to be one', async () => {
		const cache = places.cache();
		const folder = join(cache, 'models--org--tiny');
		put(join(folder, 'refs', 'main'), commits.main);
		put(join(folder, 'snapshots', commits.main, 'config.json'), '{}');
		await expect(locateModel('org/tiny', {cache, offline: true})).rejects.toMatchObject({
			code: 'MODEL_NOT_FOUND',
			message: expect.stringContaining('got a part without model.safetensors'),
		});
	});
});

describe('a source', () => {
	test('that is a folder wins over an id of the same name', async () => {
		const server = await HubServer.open(served(places));
		const cwd = process.cwd();
		const root = places.cache();
		put(join(root, 'org/tiny/config.json'), '{}');
		process.chdir(root);
		const found = await locate(server, places.cache(), {revision: 'v1.0'}).finally(() =>
			process.chdir(cwd),
		);
		expect(found.path.endsWith('org/tiny')).toBe(true);
		expect(found.warnings).toEqual([expect.stringContaining('--revision v1.0 is not used')]);
		expect(server.seen).toEqual([]);
	});

	test.each(['./org/tiny', '/org/tiny', 'a/b/c', 'org/ti ny', '-x', 'a..b', 'a--b', 'org/', ''])(
		'%j is no id',
		async source => {
			await expect(locateModel(source, {offline: true})).rejects.toMatchObject({
				code: 'MODEL_NOT_FOUND',
				message: expect.stringContaining('which is none'),
			});
		},
	);

	test('of one word is an id', async () => {
		await expect(locateModel('gpt2', {offline: true})).rejects.toMatchObject({
			message: expect.stringMatching(/^gpt2: expected a folder here, or a snapshot/),
		});
	});

	test('with an option of the wrong kind is refused', async () => {
		await expect(locateModel('gpt2', {offline: 1 as unknown as boolean})).rejects.toMatchObject({
			code: 'OPTION_TYPE',
		});
	});
});

test.each([
	[{}, 'home/hub'],
	[{HUGGINGFACE_HUB_CACHE: '/x/old'}, '/x/old'],
	[{HF_HUB_CACHE: '/x/new', HUGGINGFACE_HUB_CACHE: '/x/old'}, '/x/new'],
	[{HF_HOME: undefined, XDG_CACHE_HOME: '/x/xdg'}, '/x/xdg/huggingface/hub'],
	[{HF_HOME: undefined}, '.cache/huggingface/hub'],
])('the variables %o lead to the cache %s', async (environment, folder) => {
	for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value as string);
	await expect(locateModel('gpt2', {offline: true})).rejects.toMatchObject({
		message: expect.stringContaining(`${folder}, got none`),
	});
});
