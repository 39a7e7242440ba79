// Formats the C++ and CUDA sources by .clang-format; with --check only names those that differ.

import {spawnSync} from 'node:child_process';
import {start} from './build.mjs';
import {filesBelow, root} from './freshness.mjs';

await start(import.meta.url, args => {
	const sources = ['native', 'test/native', 'test/emulator']
		.flatMap(filesBelow)
		.filter(file => /\.(h|cpp|cuh?)$/.test(file));
	const mode = args.includes('--check') ? ['--dry-run', '--Werror'] : ['-i'];
	const {status} = spawnSync(
		process.execPath,
		['node_modules/clang-format/index.js', ...mode, ...sources],
		{cwd: root, stdio: 'inherit'},
	);
	return status ?? 1;
});
