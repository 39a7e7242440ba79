// npm and the registry, for tests that install: what can be had, and projects made of it.

import {spawn, spawnSync} from 'node:child_process';
import {mkdtempSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

export type Ended = {code: number | null; output: string; errors: string};

/** Runs a program in a folder to its end, with the environment of a user's shell. */
export function run(program: string, args: readonly string[], folder: string): Promise<Ended> {
	const environment = Object.entries(process.env).filter(
		([name]) => !/^(npm_|INBATCH_|VITEST|NODE_)/.test(name),
	);
	const child = spawn(program, args, {cwd: folder, env: Object.fromEntries(environment)});
	const said = {output: '', errors: ''};
	child.stdout.setEncoding('utf8').on('data', text => {
		said.output += text;
	});
	child.stderr.setEncoding('utf8').on('data', text => {
		said.errors += text;
	});
	return new Promise((resolve, reject) => {
		child.on('error', reject);
		child.on('close', code => resolve({code, ...said}));
	});
}

/** The same; a failure throws what was said. */
export async function succeed(
	program: string,
	args: readonly string[],
	folder: string,
): Promise<string> {
	const {code, output, errors} = await run(program, args, folder);
	if (code === 0) return output;
	throw new Error(`${program} ${args.join(' ')}: ended with ${code}\n${output}${errors}`);
}

/** Whether npm is there and its registry answers. */
export function hasRegistry(): boolean {
	const args = ['view', 'commander@14.0.3', 'version', '--fetch-retries=0', '--fetch-timeout=5000'];
	const {status, stdout} = spawnSync('npm', args, {encoding: 'utf8', cwd: tmpdir()});
	return status === 0 && stdout.includes('14.0.3');
}

/** An empty project in a folder of its own. */
export function emptyProject(): string {
	const folder = mkdtempSync(join(tmpdir(), 'inbatch-package-'));
	writeFileSync(join(folder, 'package.json'), '{"private": true}\n');
	return folder;
}

/** Installs into a project without running any script of a package. */
export function install(folder: string, packages: readonly string[]): Promise<string> {
	const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
	return succeed('npm', ['install', ...quiet, ...packages], folder);
}
