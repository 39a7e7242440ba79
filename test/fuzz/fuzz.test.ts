// The fuzzer finds what is planted for it, replays what it once found, and finds nothing new.

import {spawnSync} from 'node:child_process';
import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {withCounters} from './counters.mjs';
import {watch} from './watch.mjs';

const names = readdirSync(join(import.meta.dirname, 'targets')).map(file => file.slice(0, -4));
const urlOf = (path: string) => new URL(path, import.meta.url).href;

type Target = {run: (bytes: Buffer) => unknown; seeds: readonly (string | Buffer)[]};

describe('Counters', () => {
	test.each([
		['if (a) b(); else if (c) d();', 4],
		['if (a) if (b) c();', 4],
		['const f = (a = 1) => a ? {b: 1} : [a || 2];', 5],
		['for (const a of b) a(); while (a) b(); do a(); while (b);', 3],
		['switch (a) { case 1: b(); break; default: { c(); } }', 2],
		['try { a(); } catch { b(); }', 1],
		['class A { #b = c ?? d; e() { return () => ({}); } }', 3],
	])('stand on each branch of %s', (source, count) => {
		const counted = withCounters(source, 7);
		expect(counted.count).toBe(count);
		expect(counted.code).toContain(`fuzzCounters[${6 + count}]++`);
		expect(() => new Function(counted.code)).not.toThrow();
	});
});

test.each([
	['a mistake behind branches', 'error', 'RangeError: the maze has an end', 1],
	['an input that never ends', 'endless', 'time: more than 1 s', 1],
	['an input that takes all memory', 'hungry', 'memory: more than 0.25 GB', 60],
])('%s is found', async (_, name, message, seconds) => {
	const target = urlOf(`./planted/${name}.mjs`);
	const limits = {seconds: 60, inputs: 500_000, lives: 1, most: {seconds, gigabytes: 0.25}};
	const {findings} = await watch({target, corpus: undefined, seed: 1, ...limits});
	expect(findings.map(({error}) => error.split('\n')[0])).toEqual([message]);
});

describe('The corpus', () => {
	test.each(names)('of %s is read or refused as it should be', async name => {
		const target = (await import(urlOf(`./targets/${name}.mjs`))) as Target;
		const folder = join(import.meta.dirname, 'corpus', name);
		const kept = existsSync(folder) ? readdirSync(folder).sort() : [];
		for (const seed of target.seeds) await target.run(Buffer.from(seed));
		for (const file of kept) await target.run(readFileSync(join(folder, file)));
	});
});

const seconds = process.env.INBATCH_FUZZ_SECONDS ?? '7';

test(`Fuzzing all targets for ${seconds} s finds nothing (INBATCH_FUZZ_SECONDS)`, () => {
	const args = [join(import.meta.dirname, 'main.mjs'), '--seconds', seconds, '--seed', '1'];
	const {status, stdout, stderr} = spawnSync(process.execPath, args, {encoding: 'utf8'});
	expect({status, stderr}).toEqual({status: 0, stderr: ''});
	expect(stdout).toMatch(/^\d+ inputs, 0 findings$/m);
}, 600_000);

const hasClang = spawnSync('clang++', ['--version']).error === undefined;

test.skipIf(!hasClang)(
	'Fuzzing the native reader of weights finds nothing (needs clang++)',
	() => {
		const args = [join(import.meta.dirname, 'native.mjs'), '--seconds', '5', '--seed', '1'];
		const {status, stdout} = spawnSync(process.execPath, args, {encoding: 'utf8'});
		expect(stdout).toMatch(/^Done \d+ runs in \d+ second/m);
		expect(status).toBe(0);
	},
	600_000,
);
