// dist/bundle/: what programs and the command start from, the modules of dist/ in few files.

import {execFileSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join, resolve} from 'node:path';
import {parquetWriteBuffer} from 'hyparquet-writer';
import {afterAll, expect, test} from 'vitest';
import {EmbeddingModel} from '../../dist/index.js';

const root = join(import.meta.dirname, '..', '..');
const {bin, exports, version} = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const entry = join(root, exports['.'].default);
const command = join(root, bin.inbatch);
const folder = mkdtempSync(join(tmpdir(), 'inbatch-bundle-'));
afterAll(() => rmSync(folder, {recursive: true}));

const node = (...args: string[]) =>
	execFileSync(process.execPath, args, {encoding: 'utf8', env: {PATH: process.env.PATH}});

/** The files that are read before the first line of `file` runs. */
function filesOf(file: string, seen = new Set<string>()): Set<string> {
	if (seen.has(file)) return seen;
	seen.add(file);
	for (const [, path] of readFileSync(file, 'utf8').matchAll(
		/^(?:} from|import) "(\.[^"]+)";$/gm,
	)) {
		filesOf(resolve(dirname(file), path!), seen);
	}
	return seen;
}

test('a program reads few files, where the modules are over a hundred', () => {
	const files = filesOf(entry);
	expect(files.size).toBeGreaterThan(1);
	expect(files.size).toBeLessThan(30);
});

test('has the exports and the vectors of the modules', async () => {
	const program = `const all = await import(${JSON.stringify(entry)});
		const model = await all.EmbeddingModel.load('builtin');
		const vector = [...(await model.embed('a text'))];
		await model.dispose();
		console.log(JSON.stringify({names: Object.keys(all), vector}));`;
	const {names, vector} = JSON.parse(node('--input-type=module', '-e', program));
	expect(names.sort()).toEqual(Object.keys(await import('../../dist/index.js')).sort());
	const model = await EmbeddingModel.load('builtin');
	expect(vector).toEqual([...(await model.embed('a text'))]);
	await model.dispose();
});

test('is the command, with its version', () => {
	expect(node(command, '--version')).toContain(version);
});

test('finds its other worker: Parquet is read', () => {
	const path = join(folder, 'pairs.parquet');
	const texts = Array.from({length: 12}, (_, n) => `the question of number ${n}`);
	const columnData = [
		{name: 'query', data: texts},
		{name: 'positive', data: texts.map(text => `an answer to ${text}`)},
	];
	writeFileSync(path, new Uint8Array(parquetWriteBuffer({columnData})));
	const report = JSON.parse(node(command, 'check', '--data', path, '--json', '--quiet'));
	expect(report.rows).toBe(12);
});
