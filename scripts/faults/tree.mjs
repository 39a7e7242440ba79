// A copy of the native sources in out/faults, where faults are planted and the add-on with the emulated
// card is built. Only files that differ are written, so that a build does only what is needed.

import {spawn, spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {availableParallelism} from 'node:os';
import {dirname, join} from 'node:path';
import {filesBelow, root} from '../freshness.mjs';
import {BuildError} from '../toolchain.mjs';

const place = 'out/faults';
const copied = ['native', 'test/emulator', 'CMakeLists.txt', 'package.json'];
const folder = join(root, place);
const cmakeFolder = join(folder, 'out/cmake');

/** The add-on that is built in the copy. */
export const addon = join(folder, 'out/emulated/Release/inbatch.node');

/** Makes the copy equal to the sources; a fault that an ended run has left is gone. */
export function refreshTree() {
	const wanted = new Set(copied.flatMap(filesBelow));
	for (const file of wanted) write(file, readFileSync(join(root, file)));
	for (const file of copied.flatMap(path => filesBelow(`${place}/${path}`))) {
		if (!wanted.has(file.slice(place.length + 1))) rmSync(join(root, file));
	}
	if (!existsSync(join(folder, 'node_modules'))) {
		symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
	}
}

/** Writes a file of the copy, unless that is what it holds. */
export function write(file, content) {
	const path = join(folder, file);
	const bytes = Buffer.from(content);
	if (existsSync(path) && readFileSync(path).equals(bytes)) return;
	mkdirSync(dirname(path), {recursive: true});
	writeFileSync(path, bytes);
}

/** Builds the add-on of the copy; what the compiler says where it fails, undefined where it does not. */
export async function build() {
	if (!existsSync(join(cmakeFolder, 'CMakeCache.txt'))) configure();
	const jobs = String(availableParallelism());
	const target = ['--target', 'inbatch_emulated', '--parallel', jobs];
	const {code, said} = await outcomeOf('cmake', ['--build', cmakeFolder, ...target], {
		env: {...process.env, ...cacheOptions},
	});
	return code === 0 ? undefined : said;
}

// What lies in another folder, or was built by npm run build, is found in the compiler's cache too.
const cacheOptions = {CCACHE_BASEDIR: folder, CCACHE_NOHASHDIR: '1'};

// Without nvcc; with a compiler cache where there is one, for a fault is built again and again.
function configure() {
	const cache = spawnSync('ccache', ['--version']).status === 0 ? 'ccache' : '';
	const program = join(root, 'node_modules/cmake-js/bin/cmake-js');
	const options = ['configure', '-O', cmakeFolder, '--CDINBATCH_CUDA=OFF'];
	const launcher = `--CDCMAKE_CXX_COMPILER_LAUNCHER=${cache}`;
	const {status, stderr} = spawnSync(process.execPath, [program, ...options, launcher], {
		cwd: folder,
		encoding: 'utf8',
	});
	if (status !== 0) throw new BuildError(`faults: cmake-js configure failed\n${stderr}`);
}

/** Runs a program to its end, or for so many seconds: its code (null: it was ended) and all it said. */
export function outcomeOf(program, args, {env = process.env, seconds = 3600}) {
	const child = spawn(program, args, {cwd: root, env, detached: true});
	let said = '';
	for (const stream of [child.stdout, child.stderr]) {
		stream.setEncoding('utf8').on('data', text => {
			said += text;
		});
	}
	const clock = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), seconds * 1000);
	return new Promise((resolve, reject) => {
		child.on('error', reject);
		child.on('close', code => {
			clearTimeout(clock);
			resolve({code, said});
		});
	});
}
