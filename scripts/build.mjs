// npm run build: installs what package-lock.json names, compiles TypeScript into dist/, bundles it in
// dist/bundle/ and compiles the add-on into out/cmake/ (--debug: out/cmake-debug/; --gyp: build/, by
// node-gyp; --emulated: also the one of the tests whose card is emulated, into out/emulated/). Does
// only what is out of date. Everything is said on stderr. scripts/test.mjs and scripts/quickstart.mjs
// build through this.

import {spawn, spawnSync} from 'node:child_process';
import {chmodSync, existsSync, readFileSync, realpathSync, rmSync} from 'node:fs';
import {availableParallelism} from 'node:os';
import {basename, dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {filesBelow, refresh, root} from './freshness.mjs';
import {BuildError, expectNode, expectTools} from './toolchain.mjs';

const command = join(root, 'dist', 'cli', 'main.js');
const bundle = 'dist/bundle';

/** Installs and builds whatever is missing or out of date. */
export function ensureBuilt() {
	expectNode();
	ensureInstalled();
	ensureTypescript();
	ensureBundle();
	ensureNative();
}

/** Runs `npm ci` when a package of the lock file is not installed in its version. */
export function ensureInstalled() {
	// A published package comes without the lock file; it is built where no published binary fits.
	if (!existsSync(join(root, 'package-lock.json'))) {
		run('npm', ['install', '--include=dev'], 'installing packages');
		return;
	}
	const installed = packagesOf('node_modules/.package-lock.json');
	const isMissing = ([path, {version, optional}]) =>
		path !== '' && !optional && installed[path]?.version !== version;
	if (!Object.entries(packagesOf('package-lock.json')).some(isMissing)) return;
	run('npm', ['ci', '--include=dev'], 'installing packages');
}

/** Compiles src/ into dist/; a published package has only dist/. */
export function ensureTypescript() {
	if (!existsSync(join(root, 'src'))) return;
	const modules = filesBelow('src').filter(file => file.endsWith('.ts'));
	const target = {
		name: 'typescript',
		sources: ['src', 'tsconfig.json', 'package-lock.json'],
		outputs: modules.map(compiledOf),
	};
	refresh(target, () => {
		removeOrphans(new Set(target.outputs));
		runNode(['node_modules/typescript/bin/tsc', '-p', '.'], 'compiling src/');
		if (existsSync(command)) chmodSync(command, 0o755);
	});
}

/**
Joins the modules of dist/ to the few files that a program starts from: reading a hundred and fifty
takes longer than loading a model. Both are the same code; the tests import the modules.
*/
export function ensureBundle() {
	if (!existsSync(join(root, 'src'))) return;
	const entries = ['index.js', 'cli/main.js', 'tokenizer/worker.js', 'files/parquet-worker.js'];
	const target = {
		name: 'bundle',
		sources: ['src', 'tsconfig.json', 'package-lock.json'],
		outputs: entries.map(entry => `${bundle}/${basename(entry)}`),
	};
	refresh(target, () => {
		rmSync(join(root, bundle), {recursive: true, force: true});
		const options = ['--bundle', '--splitting', '--format=esm', '--platform=node'];
		options.push('--packages=external', '--entry-names=[name]', `--outdir=${bundle}`);
		const files = entries.map(entry => `dist/${entry}`);
		run(
			'node_modules/.bin/esbuild',
			[...files, ...options, '--log-level=warning'],
			'bundling dist/',
		);
		chmodSync(join(root, bundle, 'main.js'), 0o755);
	});
}

/** Builds the add-on with CMake and gives its path. */
export function ensureNative({debug = false} = {}) {
	const folder = debug ? 'out/cmake-debug' : 'out/cmake';
	const binary = `${folder}/${debug ? 'Debug' : 'Release'}/inbatch.node`;
	const target = {
		name: debug ? 'native-debug' : 'native',
		sources: ['native', 'CMakeLists.txt', 'package-lock.json'],
		outputs: [binary],
	};
	refresh(target, () => {
		expectTools(['compiler', 'cmake', 'make']);
		removeForeignCache(folder);
		make('compile', folder, debug ? ['-D'] : [], 'compiling native/');
	});
	return join(root, binary);
}

/**
Builds the add-on whose card is emulated, for the tests: the same objects, with native/cuda compiled
for this machine. Needs what ensureNative() leaves.
*/
export function ensureEmulated() {
	const target = {
		name: 'emulated',
		sources: ['native', 'test/emulator', 'CMakeLists.txt', 'package-lock.json'],
		outputs: ['Release/inbatch.node', 'conformance', 'reports', 'streams'].map(
			file => `out/emulated/${file}`,
		),
	};
	refresh(target, () => {
		expectTools(['compiler', 'cmake', 'make']);
		removeForeignCache('out/cmake');
		make('build', 'out/cmake', ['-T', 'inbatch_emulated'], 'compiling the emulated card');
	});
	return join(root, target.outputs[0]);
}

// Where `build` fails, `compile` removes everything and begins again.
function make(how, folder, options, doing) {
	const jobs = ['-p', String(availableParallelism())];
	const all = [how, '-O', folder, ...jobs, ...options];
	runNode(['node_modules/cmake-js/bin/cmake-js', ...all], doing);
}

/** Builds the same sources with node-gyp, for machines without CMake, and gives the path. */
export function ensureGyp({debug = false} = {}) {
	const binary = `build/${debug ? 'Debug' : 'Release'}/inbatch.node`;
	const target = {
		name: debug ? 'gyp-debug' : 'gyp',
		sources: ['native', 'binding.gyp', 'scripts/sources.cjs', 'package-lock.json'],
		outputs: [binary],
	};
	refresh(target, () => {
		expectTools(['compiler', 'make', 'python']);
		const options = [debug ? '--debug' : '--release', `-j${availableParallelism()}`];
		const prefix = dirname(dirname(process.execPath));
		if (existsSync(join(prefix, 'include', 'node'))) options.push(`--nodedir=${prefix}`);
		const gyp = 'node_modules/node-gyp/bin/node-gyp.js';
		runNode([gyp, 'configure', ...options], 'configuring build/');
		runNode([gyp, 'build', ...options], 'compiling native/');
	});
	return join(root, binary);
}

/** Runs a program of this package to its end, with our terminal, and gives its exit code. */
export async function runToEnd(args) {
	const child = spawn(process.execPath, args, {cwd: root, stdio: 'inherit'});
	// A signal from the terminal reaches the child as well: it decides, and we wait for it.
	process.on('SIGINT', () => {});
	process.on('SIGTERM', () => child.kill('SIGTERM'));
	return await new Promise((resolve, reject) => {
		child.on('error', reject);
		child.on('close', (code, signal) => resolve(signal === null ? code : 1));
	});
}

/** Runs `main` when `url` is the program that was started; a failure is one line and exit code 1. */
export async function start(url, main) {
	if (realpathSync(process.argv[1] ?? '') !== fileURLToPath(url)) return;
	try {
		process.exitCode = await main(process.argv.slice(2));
	} catch (error) {
		console.error(error instanceof BuildError ? error.message : error);
		process.exitCode = 1;
	}
}

function packagesOf(lockFile) {
	const path = join(root, lockFile);
	return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).packages : {};
}

function compiledOf(source) {
	return source.replace(/^src\//, 'dist/').replace(/\.ts$/, '.js');
}

// What a source that is gone has left in dist/ would still be imported and published.
function removeOrphans(outputs) {
	for (const file of filesBelow('dist').filter(file => !file.startsWith(`${bundle}/`))) {
		if (!outputs.has(file.replace(/\.d\.ts$/, '.js'))) rmSync(join(root, file));
	}
}

// CMake refuses a build folder that was made for the package at another place.
function removeForeignCache(folder) {
	const cache = join(root, folder, 'CMakeCache.txt');
	if (!existsSync(cache)) return;
	const home = /^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m.exec(readFileSync(cache, 'utf8'))?.[1];
	if (home && existsSync(home) && realpathSync(home) === realpathSync(root)) return;
	rmSync(join(root, folder), {recursive: true});
}

function runNode(args, doing) {
	run(process.execPath, args, doing);
}

// What tools print goes to stderr: stdout belongs to the program that is built.
function run(program, args, doing) {
	console.error(`build: ${doing}`);
	const {error, status} = spawnSync(program, args, {cwd: root, stdio: ['ignore', 2, 2]});
	if (error) throw new BuildError(`build: expected ${program} to start, got ${error.message}`);
	if (status !== 0) throw new BuildError(`build: ${doing} failed; its messages stand above`);
}

await start(import.meta.url, args => {
	const unknown = args.find(arg => !['--debug', '--gyp', '--emulated'].includes(arg));
	if (unknown) {
		throw new BuildError(`build: expected --debug, --gyp or --emulated, got ${unknown}`);
	}
	expectNode();
	ensureInstalled();
	ensureTypescript();
	ensureBundle();
	const build = args.includes('--gyp') ? ensureGyp : ensureNative;
	console.error(`build: ${build({debug: args.includes('--debug')})}`);
	if (args.includes('--emulated')) console.error(`build: ${ensureEmulated()}`);
	return 0;
});
