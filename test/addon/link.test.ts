// The program that makes the linker look for every kernel (native/link.cpp).

import {spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, expect, test} from 'vitest';

const native = join(import.meta.dirname, '..', '..', 'native');
const folder = mkdtempSync(join(tmpdir(), 'inbatch-link-'));
afterAll(() => {
	rmSync(folder, {recursive: true});
});
const compiler = process.env.CXX ?? 'c++';
const isThere = spawnSync(compiler, ['--version']).status === 0;

test.skipIf(!isThere)(
	'without kernels it does not link, and each op is named (skipped without a compiler)',
	() => {
		const list = readFileSync(join(native, 'ops', 'all.h'), 'utf8')
			.split('OpList<')
			.at(-1)!;
		const ops = [...list.slice(0, list.indexOf('>')).matchAll(/\w+/g)].map(([name]) => name);
		const options = ['-std=c++20', '-O3', join(native, 'link.cpp'), '-o', join(folder, 'link')];
		const {status, stderr} = spawnSync(compiler, options, {encoding: 'utf8'});
		expect(status).not.toBe(0);
		expect(ops.length).toBeGreaterThan(10);
		expect(ops.filter(op => !stderr.includes(`run<inbatch::${op}>`))).toEqual([]);
	},
);
