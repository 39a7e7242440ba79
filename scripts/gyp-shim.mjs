#!/usr/bin/env node
// What prebuildify calls in the place of node-gyp: builds with CMake and puts the add-on where
// prebuildify looks for it.

import {copyFileSync, mkdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {ensureNative, start} from './build.mjs';
import {root} from './freshness.mjs';
import {BuildError} from './toolchain.mjs';

await start(import.meta.url, args => {
	const wanted = args.find(arg => arg.startsWith('--arch='))?.slice('--arch='.length);
	if (wanted !== undefined && wanted !== process.arch) {
		throw new BuildError(`prebuilds: expected the architecture ${process.arch}, got ${wanted}`);
	}
	const folder = join(root, 'build', 'Release');
	rmSync(folder, {recursive: true, force: true});
	mkdirSync(folder, {recursive: true});
	copyFileSync(ensureNative(), join(folder, 'inbatch.node'));
	return 0;
});
