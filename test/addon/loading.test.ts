// How the native binary is found, and what is said when it is not.

import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {missingFeatures, reasonOf} from '../../dist/addon.js';
import {native} from '../../dist/native.js';
import {loadingWith, runNode} from './children.js';

let folder = '';
beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), 'inbatch-addon-'));
	writeFileSync(join(folder, 'text.node'), 'no binary\n');
	writeFileSync(join(folder, 'text.txt'), 'no binary\n');
});
afterAll(() => {
	rmSync(folder, {recursive: true});
});

test('the add-on says where it was found', async () => {
	expect(await loadingWith([])).toBe(native().path);
});

test('INBATCH_NATIVE names the binary', async () => {
	const path = native().path;
	expect(await loadingWith([], {INBATCH_NATIVE: path})).toBe(path);
});

test.each([
	['text.node', 'to open, got an error'],
	['text.txt', 'not a .node file'],
	['absent.node', 'expected INBATCH_NATIVE to name a file, got nothing there'],
])(
	'INBATCH_NATIVE of %s is refused, and nothing else is opened in its place',
	async (name, said) => {
		const path = join(folder, name);
		const message = await loadingWith([], {INBATCH_NATIVE: path});
		expect(message).toMatch(/^NATIVE_UNAVAILABLE add-on: expected /);
		expect(message).toContain(said);
		expect(message).toContain(path);
		expect(message.split('\n')).toHaveLength(1);
	},
);

test('Node with --no-addons is told to start without', async () => {
	const message = await loadingWith(['--no-addons']);
	expect(message).toMatch(/^NATIVE_UNAVAILABLE add-on: .*--no-addons; start it without; tried /);
});

test('kernels that do not exist are refused by name', async () => {
	const program = `
		const {native} = await import(${JSON.stringify(new URL('../../dist/native.js', import.meta.url))});
		try { new (native().Device)(1); } catch (error) { console.log(error.code, error.message); }
	`;
	const {output} = await runNode(['--input-type=module', '--eval', program], {
		INBATCH_KERNELS: 'mmx',
	});
	expect(output).toMatch(/^DEVICE_UNAVAILABLE INBATCH_KERNELS: expected .*, got mmx$/m);
});

describe('the reason', () => {
	const linux = {name: 'linux-x64', libc: 'glibc', glibc: '2.31'} as const;
	const failing = (message: string, code?: string) => [
		{path: '/first.node'},
		{path: '/second.node', error: Object.assign(new Error(message), {code})},
	];
	const nothing = [{path: '/first.node'}, {path: '/second.node'}];

	test('is that nothing was built', () => {
		const reason = reasonOf(nothing, linux);
		expect(reason).toMatch(/^expected a binary for linux-x64, found none; run "npm run build"/);
	});

	test('is a platform without a published binary', () => {
		const reason = reasonOf(nothing, {name: 'darwin-arm64', libc: 'glibc'});
		expect(reason).toMatch(/^expected a binary for darwin-arm64, got none: only linux-x64/);
	});

	test('is musl', () => {
		const reason = reasonOf(nothing, {name: 'linux-x64', libc: 'musl'});
		expect(reason).toMatch(/^expected a binary for linux-x64 with musl, got none/);
	});

	test('is an old glibc', () => {
		const message = "/lib/libc.so.6: version `GLIBC_2.34' not found (required by /second.node)";
		expect(reasonOf(failing(message), linux)).toMatch(/^expected glibc 2.34 or newer, got 2.31; /);
	});

	test('is an old libstdc++', () => {
		const message = "libstdc++.so.6: version `GLIBCXX_3.4.30' not found";
		expect(reasonOf(failing(message), linux)).toContain('libstdc++ with GLIBCXX_3.4.30');
	});

	test('is a Node that forbids add-ons', () => {
		const reason = reasonOf(failing('disabled', 'ERR_DLOPEN_DISABLED'), linux);
		expect(reason).toContain('--no-addons');
	});

	test('is the file that did not open', () => {
		expect(reasonOf(failing('file too short'), linux)).toContain('/second.node to open');
	});
});

describe('the CPU', () => {
	const newer = 'flags\t\t: fpu cx16 lahf_lm pni popcnt sse4_1 sse4_2 ssse3 avx\n';

	test('may have more than x86-64-v2', () => {
		expect(missingFeatures(`processor\t: 0\n${newer}`)).toEqual([]);
	});

	test('is named for each feature it lacks', () => {
		expect(missingFeatures(newer.replace('popcnt', '').replace('sse4_2', ''))).toEqual([
			'popcnt',
			'sse4_2',
		]);
	});

	test('is not judged where its flags are not known', () => {
		expect(missingFeatures('')).toEqual([]);
	});
});
