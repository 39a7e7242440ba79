// Whether outputs still belong to their sources. A stamp in out/built/ holds a hash of what the
// sources contain and of when the outputs were written, so a checkout that only touches files costs
// no build, and a build made by other means is not mistaken for this one.

import {createHash} from 'node:crypto';
import {existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {BuildError} from './toolchain.mjs';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** The files at or below `path` (from the root of the package), in a fixed order. */
export function filesBelow(path) {
	const stats = statSync(join(root, path), {throwIfNoEntry: false});
	if (!stats) return [];
	if (stats.isFile()) return [path];
	const names = readdirSync(join(root, path)).sort();
	return names.flatMap(name => filesBelow(`${path}/${name}`));
}

/**
Runs `build` unless every output is there and is the one that was built from these sources. Sources
are read before the build: what changes meanwhile counts as not built.
*/
export function refresh({name, sources, outputs}, build) {
	const stamp = join(root, 'out', 'built', name);
	const wanted = contentsOf(sources);
	if (read(stamp) === wanted + timesOf(outputs)) return;
	build();
	const missing = outputs.find(file => !existsSync(join(root, file)));
	if (missing) throw new BuildError(`build: expected ${missing} to be written, got nothing`);
	mkdirSync(dirname(stamp), {recursive: true});
	writeFileSync(stamp, wanted + timesOf(outputs));
}

function read(path) {
	return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

function contentsOf(sources) {
	const hash = createHash('sha256');
	for (const file of sources.flatMap(filesBelow)) {
		hash.update(`${file}\0`).update(readFileSync(join(root, file)));
	}
	return hash.digest('hex');
}

function timesOf(outputs) {
	const hash = createHash('sha256');
	for (const file of outputs) {
		const stats = statSync(join(root, file), {throwIfNoEntry: false});
		hash.update(`${file}\0${stats?.size}\0${stats?.mtimeMs}\0`);
	}
	return hash.digest('hex');
}
