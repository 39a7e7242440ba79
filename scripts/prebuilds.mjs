// npm run prebuilds: writes prebuilds/<platform>-<arch>/inbatch.<libc>.node, the binary that is
// published. Refuses one that needs a newer glibc than the README promises.

import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {ensureBuilt, start} from './build.mjs';
import {filesBelow, root} from './freshness.mjs';
import {BuildError} from './toolchain.mjs';

/** The minor number of glibc 2 in Debian 12, Ubuntu 22.04 and RHEL 9 that may be needed at most. */
export const newestGlibc = 34;

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
		const glibc = glibcOf(readFileSync(join(root, file), 'latin1'));
		if (glibc > newestGlibc) {
			throw new BuildError(
				`prebuilds: expected ${file} to need at most glibc 2.${newestGlibc}, got 2.${glibc}; build on an older system`,
			);
		}
		console.error(`prebuilds: ${file} (glibc 2.${glibc})`);
	}
	return 0;
});

/** The minor number of the newest glibc 2 whose symbols a binary asks for. */
export function glibcOf(binary) {
	return Math.max(0, ...[...binary.matchAll(/GLIBC_2\.(\d+)/g)].map(match => Number(match[1])));
}
