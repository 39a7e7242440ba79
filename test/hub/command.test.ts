// Models of the hub on the command line.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {inbatch} from '../cli/command-line.js';
import {commits, HubServer} from './hub-server.js';
import {hubPlaces, put, served} from './places.js';

const places = hubPlaces();

function encoding(cache: string, ...more: string[]): string[] {
	const input = join(cache, 'input.txt');
	put(input, 'one text\nanother\n');
	return ['encode', '--input', input, '--output', '-', '--cache', join(cache, 'hub'), ...more];
}

test('encode takes an id, and without a network what it has downloaded', async () => {
	const server = await HubServer.open(served(places));
	const cache = places.cache();
	const id = ['--model', server.id, '--revision', 'v1.0'];
	const env = {HF_ENDPOINT: server.endpoint};
	const first = await inbatch(encoding(cache, ...id), {env});
	expect(first).toMatchObject({code: 0});
	const folder = await inbatch(encoding(cache, '--model', places.model), {env});
	expect(first.stdout).toBe(folder.stdout);
	const count = server.seen.length;
	const offline = await inbatch(encoding(cache, ...id, '--offline'), {env});
	expect(offline).toMatchObject({code: 0, stdout: first.stdout});
	expect(server.seen).toHaveLength(count);
	await server.close();
	const without = await inbatch(encoding(cache, '--model', `${server.id}@v1.0`), {env});
	expect(without).toMatchObject({code: 0, stdout: first.stdout});
	expect(without.stderr).toMatch(/^warning: .*commit cccccccccccc of the cache is used$/m);
});

test('two processes at once download one model', async () => {
	const server = await HubServer.open(served(places));
	const cache = places.cache();
	const env = {HF_ENDPOINT: server.endpoint};
	const args = encoding(cache, '--model', server.id);
	const ended = await Promise.all([inbatch(args, {env}), inbatch(args, {env})]);
	expect(ended.map(({code}) => code)).toEqual([0, 0]);
	expect(ended[0].stdout).toBe(ended[1].stdout);
	const refs = join(cache, 'hub', 'models--org--tiny', 'refs', 'main');
	expect(readFileSync(refs, 'utf8')).toBe(commits.main);
});

test('a failure is one line with a code', async () => {
	const args = encoding(places.cache(), '--model', 'org/none', '--offline');
	const {code, stdout, stderr} = await inbatch(args);
	expect({code, stdout}).toEqual({code: 1, stdout: ''});
	expect(stderr).toMatch(
		/^error MODEL_NOT_FOUND: org\/none: expected .*offline nothing is downloaded\n$/,
	);
});
