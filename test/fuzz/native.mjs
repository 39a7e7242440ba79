// node test/fuzz/native.mjs [--seconds N | --inputs N] [--seed S]: fuzzes the native reader of weight files with
// libFuzzer and the address and undefined-behaviour sanitizers. Needs clang; without it, says so and exits with 3.

import {spawnSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {parseArgs} from 'node:util';

const here = import.meta.dirname;
const root = join(here, '..', '..');
const {values} = parseArgs({
	options: {
		seconds: {type: 'string', default: '10'},
		inputs: {type: 'string'},
		seed: {type: 'string', default: '1'},
	},
});

if (spawnSync('clang++', ['--version']).error) {
	console.log('weights: skipped, clang++ is not installed');
	process.exit(3);
}
const folder = mkdtempSync(join(tmpdir(), 'inbatch-fuzz-'));
try {
	process.exitCode = fuzz(build());
} finally {
	rmSync(folder, {recursive: true});
}

function build() {
	const program = join(folder, 'weights');
	const sources = [join(here, 'native', 'weights.cpp'), join(root, 'native', 'addon', 'file.cpp')];
	const checks = ['-fsanitize=fuzzer,address,undefined', '-fno-sanitize-recover=all'];
	run('clang++', ['-std=c++20', '-O2', '-g', ...checks, ...sources, '-o', program]);
	return program;
}

function fuzz(program) {
	const corpus = join(here, 'corpus', 'weights');
	const grown = join(folder, 'grown');
	mkdirSync(grown);
	const limit = values.inputs ? `-runs=${values.inputs}` : `-max_total_time=${values.seconds}`;
	const found = `-artifact_prefix=${corpus}/found-`;
	return run(program, [
		limit,
		`-seed=${values.seed}`,
		'-max_len=4096',
		'-timeout=1',
		found,
		grown,
		corpus,
	]);
}

function run(program, args) {
	const {status, stderr} = spawnSync(program, args, {encoding: 'utf8', maxBuffer: 2 ** 28});
	const lines = stderr.trimEnd().split('\n');
	console.log(lines.slice(status === 0 ? -1 : -60).join('\n'));
	if (status !== 0) throw new Error(`${program} ended with ${status}`);
	return status;
}
