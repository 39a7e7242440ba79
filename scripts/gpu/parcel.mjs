// What a machine with a card and CUDA, but without Node and npm, lacks beside the working tree: Node, the
// built package and the packages it and its tests need, in one archive of at most 64 MiB.

import {spawnSync} from 'node:child_process';
import {copyFileSync, existsSync, mkdirSync, readFileSync, statSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {root} from '../freshness.mjs';
import {compileConformance} from './checks.mjs';

const limit = 64 * 2 ** 20;

/** Writes the archive; unpack it in the root of the working tree, then run out/gpu/node. */
export async function pack(file) {
	const folder = join(root, 'out/gpu');
	mkdirSync(folder, {recursive: true});
	mkdirSync(dirname(file), {recursive: true});
	copyFileSync(process.execPath, join(folder, 'node'));
	run('strip', [join(folder, 'node')]);
	await compileConformance(join(folder, 'conformance'));
	const packages = needed(['vitest', ...Object.keys(manifest().dependencies)]);
	const paths = ['out/gpu', 'out/cmake/Release/inbatch.node', 'dist', ...packages];
	const left = ['--exclude=*.map', '--exclude=*.d.ts', '--exclude=*.d.mts', '--exclude=*.d.cts'];
	run('tar', ['--use-compress-program=xz -0 -T0', ...left, '-cf', file, ...paths]);
	const {size} = statSync(file);
	console.error(`gpu: ${file}, ${(size / 2 ** 20).toFixed(1)} MiB`);
	if (size > limit) throw new Error(`gpu: expected at most 64 MiB, got ${size} bytes`);
}

const manifest = () => JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** The folders of these packages and of all that they need, as installed here. */
function needed(names) {
	const {packages} = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
	const found = new Set();
	const visit = name => {
		const path = `node_modules/${name}`;
		if (found.has(path) || !packages[path] || !existsSync(join(root, path))) return;
		found.add(path);
		const {dependencies, optionalDependencies} = packages[path];
		Object.keys({...dependencies, ...optionalDependencies}).forEach(visit);
	};
	names.forEach(visit);
	return [...found].sort();
}

function run(program, args) {
	const {status} = spawnSync(program, args, {cwd: root, stdio: ['ignore', 2, 2]});
	if (status !== 0) throw new Error(`gpu: ${program} ${args.at(0)} failed`);
}
