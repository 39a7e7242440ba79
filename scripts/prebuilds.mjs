// npm run prebuilds: writes prebuilds/<platform>-<arch>/inbatch.<libc>.node, the binary that is
// published. Refuses one that needs a newer C or C++ library than the systems have that the README
// promises: Debian 12, Ubuntu 22.04 and RHEL 9.

import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {ensureBuilt, start} from './build.mjs';
import {filesBelow, root} from './freshness.mjs';
import {BuildError} from './toolchain.mjs';

/** The newest version of the symbols of each library that may be asked for. */
export const newestVersions = {GLIBC: '2.34', GLIBCXX: '3.4.29'};

await start(import.meta.url, () => {
	ensureBuilt();
	const options = ['--napi', '--strip', '--tag-libc', '--name', 'inbatch'];
	const {status} = spawnSync(
		process.execPath,
		['node_modules/prebuildify/bin.js', ...options, '--node-gyp', './scripts/gyp-shim.mjs'],
		{cwd: root, stdio: ['ignore', 2, 2]},
	);
	if (status !== 0) throw new BuildError('prebuilds: prebuildify failed; its messages stand above');
	for (const file of filesBelow('prebuilds')) {
		const binary = readFileSync(join(root, file), 'latin1');
		for (const [library, newest] of Object.entries(newestVersions)) {
			const version = versionOf(binary, library);
			if (isNewer(version, newest)) {
				throw new BuildError(
					`prebuilds: expected ${file} to need at most ${library} ${newest}, got ${version}; build on an older system`,
				);
			}
			console.error(`prebuilds: ${file} (${library} ${version})`);
		}
	}
	return 0;
});

/** The newest version of a library whose symbols a binary asks for. */
export function versionOf(binary, library) {
	const found = binary.match(new RegExp(`\\b${library}_\\d+(\\.\\d+)+`, 'g')) ?? [];
	const versions = found.map(text => text.slice(library.length + 1));
	return versions.reduce((newest, version) => (isNewer(version, newest) ? version : newest), '0');
}

/** Whether a version as 3.4.29 is above another. */
export function isNewer(version, other) {
	return version.localeCompare(other, 'en', {numeric: true}) > 0;
}
